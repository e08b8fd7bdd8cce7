"""How long a graph took: its phases by the wall clock and summed over their steps, and the critical path. Pure.

What was not measured is None and never zero: a step that the death of a run has cut off has no end, and with it
neither its phase nor the whole has a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from e2e_ansible.compile.course import Course, course_of, is_graph
from e2e_ansible.compile.plan import FlowGroup, Plan
from e2e_ansible.judge.flow import steps_of
from e2e_ansible.judge.graph_result import GraphPhase, GraphResult, GraphStep
from e2e_ansible.judge.result import Resumption, StepResult
from e2e_ansible.verdict import Status

__all__ = ["graph_result"]

_Steps = Mapping[str, StepResult]


def graph_result(
    plan: Plan, steps: Sequence[StepResult], resumptions: Sequence[Resumption] = ()
) -> GraphResult | None:
    """What the graph of a test took; None for a test whose steps run one after the other.

    Raises:
        HarnessError: the flow of the plan does not hang together.
    """
    if not is_graph(plan):
        return None
    course = course_of(plan)
    began = {step.id: step for step in steps if _began(step)}
    path, seconds = _critical(course, began)
    whole = _phase("", course, began, resumptions)
    return GraphResult(
        steps=tuple(
            GraphStep(
                step=node.step,
                after=node.after,
                level=node.level,
                budget_seconds=node.seconds,
                seconds=_seconds(began[node.step]) if node.step in began else None,
                critical=node.step in path,
            )
            for node in course.nodes
        ),
        phases=tuple(
            _phase(name, course.within(inside), began, resumptions) for name, inside in _phases(plan, course)
        ),
        path=path,
        path_seconds=seconds,
        budget_seconds=whole.budget_seconds,
        wall_seconds=whole.wall_seconds,
        summed_seconds=whole.summed_seconds,
    )


def _began(step: StepResult) -> bool:
    return step.started is not None and step.status is not Status.OMITTED


def _seconds(step: StepResult) -> float | None:
    """What a step took, without the time in which the run was dead; None without an end."""
    return step.duration if step.ended is not None else None


def _critical(course: Course, began: _Steps) -> tuple[tuple[str, ...], float | None]:
    """The path through the steps that were run that took longest; nobody knows it when one has no end."""
    taken = {name: _seconds(step) for name, step in began.items()}
    known = {name: seconds for name, seconds in taken.items() if seconds is not None}
    if not taken or len(known) < len(taken):
        return (), None
    watching = _watching(course)
    return course.longest({name: seconds for name, seconds in known.items() if name not in watching})


def _watching(course: Course) -> frozenset[str]:
    """Steps that last as long as others: by themselves they take no time, neither on a path nor one by one."""
    return frozenset(node.step for node in course.nodes if node.watches)


def _phases(plan: Plan, course: Course) -> Iterator[tuple[str, list[str]]]:
    """The phases, or the groups of the outermost list that have a name, with their steps."""
    named = {step.id: step.phase for step in plan.steps if step.phase}
    if not named:
        named = {
            step: item.name
            for item in plan.items
            if isinstance(item, FlowGroup) and item.name
            for step in steps_of([item])
        }
    for name in dict.fromkeys(named.values()):
        yield name, [node.step for node in course.nodes if named.get(node.step) == name]


def _phase(name: str, course: Course, began: _Steps, resumptions: Sequence[Resumption]) -> GraphPhase:
    run = [began[node.step] for node in course.nodes if node.step in began]
    taken = {step.id: _seconds(step) for step in run}
    watching = _watching(course)
    own = [seconds for name, seconds in taken.items() if seconds is not None and name not in watching]
    measured = bool(run) and None not in taken.values()
    return GraphPhase(
        name=name,
        steps=tuple(node.step for node in course.nodes),
        begun=bool(run),
        budget_seconds=course.at_most()[1],
        wall_seconds=_wall(run, resumptions) if measured else None,
        summed_seconds=sum(own) if measured else None,
    )


def _wall(steps: Iterable[StepResult], resumptions: Iterable[Resumption]) -> float:
    """From the first start to the last end, without the time in which the run was dead."""
    spans = [(step.started or 0.0, step.ended or 0.0) for step in steps]
    begin, end = min(start for start, _ in spans), max(end for _, end in spans)
    dead = sum(max(0.0, min(one.at, end) - max(one.at - one.dead, begin)) for one in resumptions)
    return max(0.0, end - begin - dead)
