"""`drift`: what `deploy` installs must still be as it was installed. Nothing is changed; what would be is named."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, StepType
from e2e_ansible.steps.deploy import looked_at, product_plays
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.verdict import Cause

__all__ = ["Drift"]


class Drift(StepType[StepOptions]):
    """Look for drift."""

    name = "drift"
    summary = "Run what deploy installs in check mode; a task that would change something is a failure"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        """The plays of `deploy` after its nodes are there, in check mode and with differences."""
        plays = looked_at(product_plays(context), "Look for drift", check_mode=True)
        return CompiledStep(
            plays=plays,
            hosts=_hosts(plays, context),
            deadline_seconds=1800,
            replay=Replay.REPEATABLE,
            judgement=Judgement(failure_cause=Cause.PRODUCT),
            unchanged=tuple(each["name"] for each in plays),
        )


def _hosts(plays: Sequence[Play], context: CompileContext) -> tuple[str, ...]:
    """The nodes that are looked at."""
    named = [each["hosts"] if isinstance(each["hosts"], list) else [each["hosts"]] for each in plays]
    found = {host for hosts in named for host in hosts}
    return tuple(node for node in context.nodes if node in found)
