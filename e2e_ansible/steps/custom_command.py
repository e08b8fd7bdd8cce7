"""`custom_command`: run a user's command, as a list of arguments, on the controller or on nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from e2e_ansible.compile.plan import Judgement, Replay
from e2e_ansible.judge.verdict import Cause
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, Unsafe, play
from e2e_ansible.suite.model import Name, StepOptions

__all__ = ["CustomCommand", "CustomCommandOptions"]

_DEFAULT_SECONDS = 300
_SHELL = ("/bin/sh", "-c")


class CustomCommandOptions(StepOptions):
    """Without `targets` the command runs on the controller, in the folder of the suite."""

    custom_command: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    targets: tuple[str, ...] = Field((), strict=False, description="Nodes to run it on, not the controller")
    target_node: str | None = None
    shell: bool = Field(False, description="Join the arguments with spaces and give them to /bin/sh -c")
    register_as: Name | None = Field(
        None, alias="register", description="Name for ${steps.NAME.stdout} later on"
    )


class CustomCommand(StepType[CustomCommandOptions]):
    """Run a command; exit status 0 is a pass."""

    name = "custom_command"
    summary = "Run a command on the controller or on nodes"
    options = CustomCommandOptions

    def node_names(self, options: CustomCommandOptions) -> Sequence[tuple[str, str]]:
        """The targets."""
        return [*(("targets", name) for name in options.targets), *super().node_names(options)]

    def compile(self, options: CustomCommandOptions, context: CompileContext) -> CompiledStep:
        """`ansible.builtin.command` with an argument list of inert strings."""
        targets = (*options.targets, *((options.target_node,) if options.target_node else ()))
        words = options.custom_command
        argv = [*_SHELL, " ".join(words)] if options.shell else list(words)
        arguments: dict[str, object] = {"argv": [Unsafe(word) for word in argv]}
        task: dict[str, object] = {
            "name": "Run the command",
            "ansible.builtin.command": arguments,
            "changed_when": True,
        }
        if not targets:
            arguments["chdir"] = (
                "{{ lookup('ansible.builtin.env', 'E2E_SUITE_FOLDER', default=playbook_dir) }}"
            )
            task["connection"] = "local"
        made = play("Run a command", targets or "localhost", tasks=[task])
        return CompiledStep(
            plays=[made],
            hosts=targets or ("localhost",),
            deadline_seconds=_DEFAULT_SECONDS,
            replay=Replay.NEVER,
            judgement=Judgement(
                failure_cause=Cause.PRODUCT,
                timeout_cause=Cause.PRODUCT,
                register_as=options.register_as,
            ),
        )
