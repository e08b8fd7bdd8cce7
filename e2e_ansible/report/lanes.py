"""Lanes: steps, groups and faults of a test as bars over the common time axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from e2e_ansible.judge.result import FaultResult, GroupResult, StepResult, TestResult
from e2e_ansible.report.axis import Axis, Place, end_of
from e2e_ansible.report.words import Mark, called, clock, count, duration, mark_of

__all__ = ["Bar", "Edge", "Lane", "dead_lane", "edges", "fault_lanes", "step_lanes"]

_MOST_EDGES = 80


@dataclass(frozen=True)
class Bar:
    """A bar: its kind is a mark in lower case, `group` or `fault`; `words` tell it in a sentence."""

    place: Place
    kind: str
    words: str


@dataclass(frozen=True)
class Lane:
    """A row of the timeline. `depth` is how far its name is moved in; `mark` None when it is no step."""

    name: str
    bars: tuple[Bar, ...]
    words: str
    anchor: str = ""
    depth: int = 0
    mark: Mark | None = None
    note: str = ""


@dataclass(frozen=True)
class Edge:
    """A line through everything: a fault came, or was healed."""

    left: float
    healed: bool


def step_lanes(test: TestResult, axis: Axis, anchor: str) -> Iterator[Lane]:
    """A lane for each step that was begun, below the group it is in."""
    started = {step.id: step for step in test.workflow_steps if step.started is not None}
    headed: set[str] = set()
    for step in started.values():
        groups = [group for group in test.groups if step.id in group.steps]
        for group in groups:
            if group.id not in headed:
                headed.add(group.id)
                yield _group(group, [started[one] for one in group.steps if one in started], axis)
        yield _step(step, groups, axis, anchor)


def _group(group: GroupResult, steps: Sequence[StepResult], axis: Axis) -> Lane:
    begin = min(step.started or 0 for step in steps)
    end = max(end_of(step) for step in steps)
    how = "in parallel" if group.parallel else "in order"
    took = duration(end - begin)
    words = f"group {group.name or group.id}, {count(len(group.steps), 'step')} {how}, {took}"
    bar = Bar(axis.place(begin, end), "group", words)
    return Lane(group.name or group.id, (bar,), took, depth=group.depth, note=how)


def _step(step: StepResult, groups: Sequence[GroupResult], axis: Axis, anchor: str) -> Lane:
    begin, mark = step.started or 0.0, mark_of(step)
    name = f"{step.index} {called(step.step_type, step.id)}"
    words = f"step {name}: {mark.value}, from {clock(begin)} for {duration(step.duration)}"
    bar = Bar(axis.place(begin, end_of(step)), mark.name.lower(), words)
    role = next(
        (
            word
            for group in reversed(groups)
            for word, of in (("rescue", group.rescue), ("finally", group.final))
            if step.id in of
        ),
        "",
    )
    took = duration(step.duration)
    return Lane(name, (bar,), took, f"{anchor}-{step.index}", len(groups), mark, role)


def dead_lane(test: TestResult, axis: Axis) -> Iterator[Lane]:
    """When nothing ran the test, because the run had died and was not taken up yet; no lane if it never had."""
    bars = tuple(
        Bar(axis.place(one.at - one.dead, one.at), "dead", f"dead until {clock(one.at)}")
        for one in test.resumptions
    )
    if bars:
        took = duration(sum(one.dead for one in test.resumptions))
        yield Lane("run was dead", bars, f"{took} in {len(bars)}")


def fault_lanes(faults: Iterable[FaultResult], axis: Axis) -> Iterator[Lane]:
    """A lane for each kind of fault on each node, in the order in which they came."""
    lanes: dict[tuple[str, str], list[FaultResult]] = {}
    for fault in faults:
        lanes.setdefault((fault.node, fault.fault), []).append(fault)
    for (node, kind), some in lanes.items():
        bars = tuple(Bar(axis.place(_came(one), _gone(one)), _kind(one), _words(one)) for one in some)
        took = duration(sum((one.healed or axis.end) - _came(one) for one in some if _lasts(one)))
        lasting = [one for one in some if _lasts(one)]
        state = _state(some) if len(some) == 1 else count(len(some), "time")
        yield Lane(f"{node} {kind}", bars, f"{took} {state}" if lasting else state)


def _came(fault: FaultResult) -> float:
    return fault.injected if fault.injected is not None else fault.intended


def _lasts(fault: FaultResult) -> bool:
    """Whether it is there until it is healed; a crash is over at once."""
    return fault.open or fault.healed is not None


def _gone(fault: FaultResult) -> float | None:
    return fault.healed if fault.healed is not None else None if fault.open else _came(fault)


def _kind(fault: FaultResult) -> str:
    return "fault" if fault.effect_proved is not False and fault.injected is not None else "doubt"


def _state(faults: Sequence[FaultResult]) -> str:
    (fault,) = faults
    if fault.injected is None:
        return "intended"
    if fault.effect_proved is False:
        return "no effect"
    if fault.open:
        return "open"
    return "healed" if fault.healed is not None else "done"


def _words(fault: FaultResult) -> str:
    said = [f"{fault.fault} on {fault.node} ({fault.id}) from {clock(_came(fault))}"]
    said += [f"healed at {clock(fault.healed)}"] if fault.healed is not None else []
    said += ["not healed"] if fault.open else []
    proved = {True: "effect proved", False: "effect not proved", None: ""}[fault.effect_proved]
    return ", ".join([*said, *([proved] if proved else [])])


def edges(faults: Iterable[FaultResult], axis: Axis) -> tuple[Edge, ...]:
    """Where faults came and were healed while the axis lasts; those that cannot be told apart are one.

    None when there are so many that they would hide what they lead through; the lanes of faults show them still.
    """
    known = list(faults)
    moments = [(_came(one), False) for one in known]
    moments += [(one.healed, True) for one in known if one.healed is not None]
    seen = dict.fromkeys(
        (round(axis.at(moment), 1), healed) for moment, healed in moments if axis.begin <= moment <= axis.end
    )
    return tuple(Edge(left, healed) for left, healed in sorted(seen)) if len(seen) <= _MOST_EDGES else ()
