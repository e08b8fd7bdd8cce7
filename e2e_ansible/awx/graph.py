"""The flow of a test as edges between jobs of AWX: what follows when a job succeeds, when it fails, in any case.

AWX keeps nothing between jobs but that, so a `finally` stands twice: once behind steps that passed, and once on the
way of failure, from where it leads to what a failed test ends with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, FlowWait, PlannedStep
from e2e_ansible.suite.model import SourceRef

__all__ = ["AFTER_FAILURE", "Edges", "edges", "unable"]

AFTER_FAILURE = "-after-failure"
_WHEN = "AWX only knows whether the job before succeeded, and decides nothing on a 'when'"
_Names = tuple[str, ...]


@dataclass
class Edges:
    """What follows one job. `step` is the planned step; with `converges` all jobs before it must have led to it."""

    step: str
    success: _Names = ()
    failure: _Names = ()
    always: _Names = ()
    converges: bool = False


def edges(flow: Sequence[FlowItem], then: _Names, failed: _Names) -> tuple[dict[str, Edges], bool]:
    """The edges of each job by its identifier; `then` follows when all passed, `failed` when something did not.

    The second value says that several jobs, which ran at once, have to lead to `then`.
    """
    graph = _Graph()
    graph.chain(flow, then, failed)
    return graph.jobs, bool(graph.converging & {*then})


class _Graph:
    """Built from the last item to the first, because each needs to know what follows."""

    def __init__(self) -> None:
        self.jobs: dict[str, Edges] = {}
        self.converging: set[str] = set()

    def chain(self, items: Sequence[FlowItem], then: _Names, failed: _Names) -> _Names:
        """Items one after the other; the jobs that they begin with."""
        for item in reversed(items):
            if isinstance(item, FlowGroup):
                then = self._group(item, then, failed)
            elif isinstance(item, FlowStep):
                self.jobs[item.step] = Edges(item.step, success=then, failure=failed)
                then = (item.step,)
        return then

    def _group(self, group: FlowGroup, then: _Names, failed: _Names) -> _Names:
        if group.final:
            then, failed = self._final(group.final, then, failed)
        if group.rescue:
            after = then if group.on_rescue == "continue" else failed
            failed = self.chain(group.rescue, after, failed)
        if not group.parallel:
            return self.chain(group.body, then, failed)
        self.converging |= {*then}
        for name in then:
            if name in self.jobs:
                self.jobs[name].converges = True
        return tuple(name for item in group.body for name in self.chain([item], then, failed))

    def _final(self, items: Sequence[FlowItem], then: _Names, failed: _Names) -> tuple[_Names, _Names]:
        """Its jobs behind steps that passed, and those on the way of failure, where each is tried."""
        for item in reversed(items):
            if isinstance(item, FlowStep):
                self.jobs[item.step] = Edges(item.step, success=then, failure=failed)
                again = f"{item.step}{AFTER_FAILURE}"
                self.jobs[again] = Edges(item.step, always=failed)
                then, failed = (item.step,), (again,)
        return then, failed


def unable(
    flow: Sequence[FlowItem], steps: Mapping[str, PlannedStep]
) -> Iterator[tuple[SourceRef, str, str]]:
    """What of a flow AWX cannot do: the place, the reason and what to do."""
    hint = "use e2e-ansible run"
    for item in flow:
        if isinstance(item, FlowStep):
            step = steps[item.step]
            if step.background:
                yield step.source, "a job of AWX cannot run beside the jobs that follow it", hint
            if step.watch:
                yield step.source, "a job of AWX cannot watch while others run", "leave 'during' out"
            if step.when is not None:
                yield step.source, _WHEN, hint
        elif isinstance(item, FlowWait):
            yield item.source, "nothing runs in the background in AWX, so there is nothing to wait for", hint
        else:
            if item.when is not None:
                yield item.source, _WHEN, hint
            yield from _unable_group(item)
            yield from unable((*item.body, *item.rescue, *item.final), steps)


def _unable_group(group: FlowGroup) -> Iterator[tuple[SourceRef, str, str]]:
    if group.parallel and group.rescue and group.on_rescue == "continue":
        text = "after jobs that ran at once AWX goes on only if all succeeded, or if any did"
        yield group.source, text, "leave on_rescue out, or use e2e-ansible run"
    if any(isinstance(item, FlowGroup) for item in group.final):
        yield group.source, "a 'finally' for AWX can have steps only, no groups", "write its steps one by one"
