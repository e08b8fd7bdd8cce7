"""A step type of this suite's own: typed options, and a pure function from them to plays."""

from __future__ import annotations

from pydantic import Field

from e2e_ansible.api import (
    Cause,
    CompileContext,
    CompiledStep,
    Judgement,
    Replay,
    StepOptions,
    StepType,
    play,
    register,
)

_COMMAND = ("runuser", "-u", "postgres", "--", "psql", "-X", "-q", "-c", "CHECKPOINT")


class CheckpointOptions(StepOptions):
    """What a suite may write beside `step: checkpoint`."""

    target_node: str | None = Field(None, description="One node; without it, all that are up")


@register
class Checkpoint(StepType[CheckpointOptions]):
    """Force a checkpoint."""

    name = "checkpoint"
    summary = "Make PostgreSQL write everything to its data files"
    options = CheckpointOptions

    def compile(self, options: CheckpointOptions, context: CompileContext) -> CompiledStep:
        """One play with one task: psql as the user postgres."""
        up = tuple(node for node in context.nodes if node not in context.away)
        nodes = (options.target_node,) if options.target_node else up
        task = {
            "name": "Force a checkpoint",
            "ansible.builtin.command": {"argv": list(_COMMAND), "chdir": "/"},
            "changed_when": True,
        }
        return CompiledStep(
            plays=[play("Checkpoint", nodes, tasks=[task])],
            hosts=nodes,
            deadline_seconds=120,
            replay=Replay.REPEATABLE,
            judgement=Judgement(failure_cause=Cause.PRODUCT),
        )
