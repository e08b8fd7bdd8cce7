"""The flow of a test as edges between jobs of AWX: what follows when a job succeeds, when it fails, in any case.

AWX keeps nothing between jobs but that, so a `finally` stands twice: once behind steps that passed, and once on the
way of failure, from where it leads to what a failed test ends with. A step in the background is a branch of its own,
which meets the others where it is waited for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.compile.course import sinks, waits
from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, FlowWait, PlannedStep
from e2e_ansible.suite.model import SourceRef

__all__ = ["AFTER_FAILURE", "Edges", "edges", "unable"]

AFTER_FAILURE = "-after-failure"
_WHEN = "AWX only knows whether the job before succeeded, and decides nothing on a 'when'"
_HINT = "use e2e-ansible run"
_Names = tuple[str, ...]


@dataclass
class Edges:
    """What follows one job. `step` is the planned step; with `converges` all jobs before it must have led to it."""

    step: str
    success: _Names = ()
    failure: _Names = ()
    always: _Names = ()
    converges: bool = False


def edges(
    flow: Sequence[FlowItem], then: _Names, failed: _Names, background: Collection[str] = ()
) -> tuple[dict[str, Edges], bool]:
    """The edges of each job by its identifier; `then` follows when all passed, `failed` when something did not.

    For the steps in the `background` only a wait waits, and the end of their list. The second value says that several
    jobs, which ran at once, have to lead to `then`.
    """
    graph = _Graph(background)
    graph.chain(flow, then, failed)
    return graph.jobs, bool(graph.converging & {*then})


class _Graph:
    """Built from the last item to the first, because each needs to know what follows."""

    def __init__(self, background: Collection[str]) -> None:
        self.jobs: dict[str, Edges] = {}
        self.converging: set[str] = set()
        self._background = background

    def chain(self, items: Sequence[FlowItem], then: _Names, failed: _Names) -> _Names:
        """Items by what they wait for; the jobs that they begin with. What waits for several needs all of them."""
        waited = waits(items, self._background)
        ends = sinks(waited)
        if len(ends) > 1:
            self._converge(then)
        begins: dict[int, _Names] = {}
        for place in reversed(range(len(items))):
            following = [later for later in range(place + 1, len(items)) if place in waited[later]]
            after = _joined(begins[later] for later in following) if following else then
            begins[place] = self._item(items[place], after, failed)
            if len(waited[place]) > 1:
                self._converge(begins[place])
        return _joined(begins[place] for place in range(len(items)) if not waited[place]) or then

    def _item(self, item: FlowItem, then: _Names, failed: _Names) -> _Names:
        if isinstance(item, FlowGroup):
            return self._group(item, then, failed)
        if isinstance(item, FlowStep):
            self.jobs[item.step] = Edges(item.step, success=then, failure=failed)
            return (item.step,)
        return then

    def _converge(self, names: _Names) -> None:
        self.converging |= {*names}
        for name in names:
            if name in self.jobs:
                self.jobs[name].converges = True

    def _group(self, group: FlowGroup, then: _Names, failed: _Names) -> _Names:
        if group.final:
            then, failed = self._final(group.final, then, failed)
        if group.rescue:
            after = then if group.on_rescue == "continue" else failed
            failed = self.chain(group.rescue, after, failed)
        if not group.parallel:
            return self.chain(group.body, then, failed)
        self._converge(then)
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


def _joined(parts: Iterable[_Names]) -> _Names:
    return tuple(dict.fromkeys(name for part in parts for name in part))


def unable(
    flow: Sequence[FlowItem], steps: Mapping[str, PlannedStep], *, converges: bool = False
) -> Iterator[tuple[SourceRef, str, str]]:
    """What of a flow AWX cannot do: the place, the reason and what to do.

    `converges`: what follows the flow has to be led to by all that it ends with, and by more.
    """
    background = {step.id for step in steps.values() if step.background}
    waited = waits(flow, background, background)
    yield from _unable_removal(flow, steps)
    yield from _unable_wait(flow)
    for place, item in enumerate(flow):
        if isinstance(item, FlowStep):
            yield from _unable_step(steps[item.step])
        elif isinstance(item, FlowGroup):
            meets = _meets(place, waited, converges=converges)
            yield from _unable_group(item, background, converges=meets)
            for part in ((each,) for each in item.body) if item.parallel else (item.body,):
                yield from unable(part, steps, converges=item.parallel or (meets and not item.final))
            for part in (item.rescue, item.final):
                yield from unable(part, steps)


def _unable_wait(flow: Sequence[FlowItem]) -> Iterator[tuple[SourceRef, str, str]]:
    """What began before the list is a branch beside its group, which meets it behind the group only."""
    own = {item.id for item in flow}
    for item in flow:
        if isinstance(item, FlowWait) and not own.issuperset(item.steps):
            text = "a 'wait' for AWX stands in the list of what it waits for"
            yield item.source, text, "put it behind the group, or use e2e-ansible run"


def _unable_removal(
    flow: Sequence[FlowItem], steps: Mapping[str, PlannedStep]
) -> Iterator[tuple[SourceRef, str, str]]:
    """A step that removes the nodes ends in a run what is in the background; a job of AWX ends no other one."""
    running: list[str] = []
    for item in flow:
        if isinstance(item, FlowWait):
            running = [name for name in running if name not in item.steps]
        elif isinstance(item, FlowStep) and steps[item.step].background:
            running.append(item.step)
        elif isinstance(item, FlowStep) and steps[item.step].removes_nodes and running:
            text = f"a job of AWX removes the nodes while {', '.join(running)} may still run on them"
            yield steps[item.step].source, text, "put a step wait before it"


def _meets(place: int, waited: Sequence[tuple[int, ...]], *, converges: bool) -> bool:
    """Whether what follows an item waits for others as well."""
    following = [direct for direct in waited if place in direct]
    ends = sinks(waited)
    return any(len(direct) > 1 for direct in following) or (place in ends and (len(ends) > 1 or converges))


def _unable_step(step: PlannedStep) -> Iterator[tuple[SourceRef, str, str]]:
    if step.watch:
        yield step.source, "a job of AWX cannot watch while others run", "leave 'during' out"
    if step.when is not None:
        yield step.source, _WHEN, _HINT


def _unable_group(
    group: FlowGroup, background: Collection[str], *, converges: bool
) -> Iterator[tuple[SourceRef, str, str]]:
    if group.when is not None:
        yield group.source, _WHEN, _HINT
    parts = (group.body, group.rescue)
    many = group.parallel or any(len(sinks(waits(part, background, background))) > 1 for part in parts)
    if group.rescue and group.on_rescue == "continue" and (many or (converges and not group.final)):
        text = "after jobs that ran at once AWX goes on only if all succeeded, or if any did"
        yield group.source, text, "leave on_rescue out, or use e2e-ansible run"
    if any(isinstance(item, FlowGroup) for item in group.final):
        yield group.source, "a 'finally' for AWX can have steps only, no groups", "write its steps one by one"
    if any(isinstance(item, FlowStep) and item.step in background for item in group.final):
        text = "a 'finally' for AWX is one step after the other, so none of them can be in the background"
        yield group.source, text, "leave background out"
