"""The graph of a test as it was run: its steps on a time axis with what each waited for, and its times in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.judge.graph_result import GraphPhase, GraphResult, GraphStep
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.report.axis import Axis, Place, end_of
from e2e_ansible.report.words import Mark, duration, mark_of

__all__ = [
    "Drawing",
    "Link",
    "Row",
    "Shown",
    "drawing",
    "graph_words",
    "phase_rows",
    "speed_words",
    "time_rows",
]

ROW_HEIGHT = 24
_WHOLE = "whole test"
_UNKNOWN, _NOT_RUN = "unknown", "not run"


@dataclass(frozen=True)
class Shown:
    """One step of the drawing; `top` is the upper edge of its row, in pixels."""

    name: str
    anchor: str
    mark: Mark
    critical: bool
    top: int
    place: Place
    words: str
    took: str


@dataclass(frozen=True)
class Link:
    """From the end of one step down to the begin of another; across in per cent, down in pixels."""

    left: float
    right: float
    top: int
    bottom: int
    critical: bool


@dataclass(frozen=True)
class Drawing:
    """All of it. `height` is in pixels."""

    axis: Axis
    steps: tuple[Shown, ...]
    links: tuple[Link, ...]
    height: int


@dataclass(frozen=True)
class Row:
    """A row of the table of times: the whole, a phase, or a step of the one above it, which is `inner`."""

    name: str
    budget: str
    wall: str
    summed: str
    speed_up: str
    anchor: str = ""
    inner: bool = False
    critical: bool = False


def drawing(test: TestResult, anchor: str) -> Drawing | None:
    """The steps that were begun; None for a test without a graph, or of which nothing was begun."""
    if test.graph is None:
        return None
    begun = {step.id: step for step in test.workflow_steps if step.started is not None and not step.omitted}
    drawn = [one for one in test.graph.steps if one.step in begun]
    if not drawn:
        return None
    axis = Axis.over((step.started or 0.0, end_of(step)) for step in begun.values())
    shown = tuple(
        _shown(one, begun[one.step], axis, ROW_HEIGHT * number, anchor) for number, one in enumerate(drawn)
    )
    return Drawing(axis, shown, tuple(_links(drawn, begun, axis)), ROW_HEIGHT * len(shown))


def _shown(one: GraphStep, step: StepResult, axis: Axis, top: int, anchor: str) -> Shown:
    mark, took = mark_of(step), _seconds(one.seconds)
    words = f"{step.id}: {mark.value}, {took} of at most {duration(one.budget_seconds)}"
    words += ", on the critical path" if one.critical else ""
    words += f", after {', '.join(one.after)}" if one.after else ""
    place = axis.place(step.started or 0.0, end_of(step))
    return Shown(step.id, f"{anchor}-{step.index}", mark, one.critical, top, place, words, took)


def _links(drawn: Sequence[GraphStep], begun: Mapping[str, StepResult], axis: Axis) -> Iterator[Link]:
    rows = {one.step: number for number, one in enumerate(drawn)}
    critical = {one.step for one in drawn if one.critical}
    for one in drawn:
        for before in (each for each in one.after if each in rows):
            yield Link(
                left=axis.at(end_of(begun[before])),
                right=axis.at(begun[one.step].started or 0.0),
                top=ROW_HEIGHT * rows[before] + ROW_HEIGHT // 2,
                bottom=ROW_HEIGHT * rows[one.step] + ROW_HEIGHT // 2,
                critical={before, one.step} <= critical,
            )


def time_rows(test: TestResult, anchor: str) -> list[Row]:
    """The table of times: each phase above its steps, at the end the whole; none for a test without a graph."""
    if test.graph is None:
        return []
    steps = {step.id: step for step in test.workflow_steps}
    heads = {name: phase for phase in test.graph.phases for name in phase.steps[:1]}
    inner = {name for phase in test.graph.phases for name in phase.steps}
    rows = []
    for one in test.graph.steps:
        if one.step in heads:
            rows.append(_spent(heads[one.step].name, heads[one.step], begun=heads[one.step].begun))
        if one.step in steps:
            rows.append(_step(one, steps[one.step], anchor, inner=one.step in inner))
    return [*rows, _spent(_WHOLE, test.graph, begun=_any_begun(test))]


def phase_rows(test: TestResult) -> list[Row]:
    """The table of times without its steps; none where there is nothing but the whole."""
    if test.graph is None or not test.graph.phases:
        return []
    rows = [_spent(phase.name, phase, begun=phase.begun) for phase in test.graph.phases]
    return [*rows, _spent(_WHOLE, test.graph, begun=_any_begun(test))]


def graph_words(test: TestResult) -> str:
    """What the graph of a test came to in a sentence; empty for one without."""
    graph = test.graph
    if graph is None:
        return ""
    if not _any_begun(test):
        return "no step of it was run"
    if graph.wall_seconds is None or graph.summed_seconds is None or graph.path_seconds is None:
        return "its times are not known, as a step has no end; so is the critical path"
    gain = f"{duration(graph.summed_seconds)} of steps in {duration(graph.wall_seconds)}"
    faster = graph.speed_up is not None and round(graph.speed_up, 1) > 1
    gain += f", {speed_words(graph.speed_up)} as fast as one by one" if faster else ""
    return f"{gain}; critical path {duration(graph.path_seconds)}: {' > '.join(graph.path)}"


def speed_words(ratio: float | None) -> str:
    """A ratio as `2.7x`; empty when it is not known."""
    return f"{ratio:.1f}x" if ratio is not None else ""


def _any_begun(test: TestResult) -> bool:
    return any(step.started is not None and not step.omitted for step in test.workflow_steps)


def _spent(name: str, spent: GraphPhase | GraphResult, *, begun: bool) -> Row:
    none = _UNKNOWN if begun else _NOT_RUN
    return Row(
        name,
        budget=duration(spent.budget_seconds),
        wall=_seconds(spent.wall_seconds, none),
        summed=_seconds(spent.summed_seconds, none),
        speed_up=speed_words(spent.speed_up),
    )


def _step(one: GraphStep, step: StepResult, anchor: str, *, inner: bool) -> Row:
    none = _UNKNOWN if step.started is not None and not step.omitted else _NOT_RUN
    return Row(
        one.step,
        budget=duration(one.budget_seconds),
        wall=_seconds(one.seconds, none),
        summed="",
        speed_up="",
        anchor=f"{anchor}-{step.index}",
        inner=inner,
        critical=one.critical,
    )


def _seconds(seconds: float | None, none: str = _UNKNOWN) -> str:
    return duration(seconds) if seconds is not None else none
