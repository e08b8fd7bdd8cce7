"""`restart_node`: reboot from inside the guest, or power off and on through the provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from e2e_ansible.providers.capabilities import Requirement
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.steps.node import NodeOptions

__all__ = ["RestartNode", "RestartOptions"]


class RestartOptions(NodeOptions):
    """`ssh` runs the reboot inside the guest, `graceful` goes through the provider."""

    method: Literal["ssh", "graceful"] = Field(
        "ssh", description="ssh reboots from inside the node, graceful powers it off and on by the provider"
    )


class RestartNode(StepType[RestartOptions]):
    """Restart one node; the proof is another boot."""

    name = "restart_node"
    summary = "Restart one node; proved by its boot id"
    options = RestartOptions

    def requires(self, options: RestartOptions) -> Sequence[Requirement]:
        """What the method needs of the provider."""
        return (Requirement.REBOOT_SSH if options.method == "ssh" else Requirement.REBOOT_GRACEFUL,)

    def compile(self, options: RestartOptions, context: CompileContext) -> CompiledStep:
        """The role `reboot_node`."""
        target = (options.target_node,)
        role = {"role": "reboot_node", "vars": {"reboot_node_method": options.method}}
        return CompiledStep(
            plays=[play(f"Restart {options.target_node} ({options.method})", target, roles=[role])],
            hosts=target,
            deadline_seconds=900,
            judgement=Judgement(proofs=target, disconnects=target),
            brings_back=target,
        )
