"""`custom_command`: run a user's command, as a list of arguments, on the controller or on nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Annotated

from pydantic import Field

from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, StepType, Unsafe, play
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.model import Name, StepOptions
from e2e_ansible.verdict import Cause

__all__ = ["CustomCommand", "CustomCommandOptions"]

_DEFAULT_SECONDS = 300
_LATER_SECONDS = 5  # the deadline of the step comes first; this ends what it could not
_MANY = 20  # from so many nodes on, one process for all of them takes half the time
_WIDE = "e2e_wide"
_SUITE_FOLDER = "{{ lookup('ansible.builtin.env', 'E2E_SUITE_FOLDER', default=playbook_dir) }}"
_SHELL = ("/bin/sh", "-c")


class CustomCommandOptions(StepOptions):
    """Without `targets` the command runs on the controller, in the folder of the suite."""

    custom_command: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            strict=False,
            description="The program and its arguments; each reaches it as written",
        ),
    ]
    targets: tuple[str, ...] = Field(
        (), strict=False, description="Nodes to run it on; without any it runs on the controller"
    )
    target_node: str | None = Field(None, description="One node to run it on, as in other steps")
    shell: bool = Field(False, description="Join the arguments with spaces and give them to /bin/sh -c")
    register_as: Name | None = Field(
        None, alias="register", description="Name of its output for later steps: ${steps.NAME.stdout}"
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
        """`plain_command` with an argument list of inert strings."""
        targets = tuple(dict.fromkeys(name for _, name in self.node_names(options)))
        return CompiledStep(
            plays=[_on_nodes(options, targets) if targets else _on_controller(options)],
            hosts=targets or ("localhost",),
            deadline_seconds=_DEFAULT_SECONDS,
            replay=Replay.NEVER,
            judgement=Judgement(
                failure_cause=Cause.PRODUCT,
                timeout_cause=Cause.PRODUCT,
                register_as=options.register_as,
            ),
        )


def _on_nodes(options: CustomCommandOptions, targets: Sequence[str]) -> Play:
    where = targets[0] if len(targets) == 1 else f"{len(targets)} nodes"
    tasks = _wide(options) if len(targets) >= _MANY else [_task(options)]
    return play(f"Run a command on {where}", targets, tasks=tasks)


def _wide(options: CustomCommandOptions) -> list[Mapping[str, object]]:
    """All nodes at once; each by itself if one needs more than that can do."""
    each = _task(options)
    return [
        {"name": each["name"], "wide_command": each["plain_command"], "register": _WIDE},
        {
            "name": "End the play if that was done",
            "ansible.builtin.meta": "end_play",
            "when": f"{_WIDE}.done",
        },
        {**each, "name": "Run the command on each node"},
    ]


def _on_controller(options: CustomCommandOptions) -> Play:
    task = _task(options, chdir=_SUITE_FOLDER)
    return play("Run a command on the controller", "localhost", connection="local", tasks=[task])


def _task(options: CustomCommandOptions, **more: str) -> Mapping[str, object]:
    words = options.custom_command
    seconds = ceil(options.timeout_seconds or _DEFAULT_SECONDS) + _LATER_SECONDS
    argv = [*_SHELL, Unsafe(" ".join(words))] if options.shell else [Unsafe(word) for word in words]
    return {
        "name": "Run the command",
        "plain_command": {"argv": argv, "timeout_seconds": seconds, **more},
    }
