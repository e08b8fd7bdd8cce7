"""`crash_node`: take a node away without asking its software. Unproved, it is unknown and never a pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from e2e_ansible.providers.capabilities import Requirement
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.steps.node import NodeOptions

__all__ = ["CrashNode", "CrashOptions"]

_STEP_SECONDS = 300
#: A machine that has crashed proves it by its next boot, which takes longer than that of a container.
_BOOT_SECONDS = 270


class CrashOptions(NodeOptions):
    """`ssh` acts inside the guest (SysRq b, else poweroff -f), `destroy` through the provider."""

    method: Literal["ssh", "destroy"] = Field(
        "ssh", description="ssh crashes the node from inside, destroy cuts its power by the provider"
    )
    await_return: bool = Field(
        False, description="Wait until the node has booted again by itself; for ssh only"
    )

    @model_validator(mode="after")
    def _a_destroyed_node_stays_off(self) -> CrashOptions:
        if self.await_return and self.method == "destroy":
            raise ValueError("await_return is for method ssh: a destroyed node stays off; use start_node")
        return self


class CrashNode(StepType[CrashOptions]):
    """Crash one node."""

    name = "crash_node"
    summary = "Crash one node hard; proved by its boot id or by its power state"
    options = CrashOptions

    def requires(self, options: CrashOptions) -> Sequence[Requirement]:
        """What the method needs of the provider."""
        method = Requirement.CRASH_SSH if options.method == "ssh" else Requirement.CRASH_DESTROY
        return (method, Requirement.CRASH_RETURNS) if options.await_return else (method,)

    def compile(self, options: CrashOptions, context: CompileContext) -> CompiledStep:
        """The role `crash_node`."""
        target = (options.target_node,)
        variables: dict[str, Any] = {"crash_node_method": options.method}
        if options.await_return:
            variables["crash_node_await_return"] = True
        if context.provider != "local":
            variables["crash_node_deadline_seconds"] = _BOOT_SECONDS
        return CompiledStep(
            plays=[
                play(
                    f"Crash {options.target_node} ({options.method})",
                    target,
                    roles=[{"role": "crash_node", "vars": variables}],
                )
            ],
            hosts=target,
            deadline_seconds=_STEP_SECONDS,
            judgement=Judgement(proofs=target, disconnects=target),
            takes_away=() if options.await_return else target,
        )
