"""Loads over time: throughput and latency of each, with the faults and the outages of clients over the same axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.latency import Bin
from e2e_ansible.judge.outage import Kind
from e2e_ansible.judge.result import FaultResult, StepResult, TestResult
from e2e_ansible.load.result import Interval, Latency, LoadResult
from e2e_ansible.report.amounts import quantity
from e2e_ansible.report.axis import Axis
from e2e_ansible.report.chart import Chart, Shade, curves, shades
from e2e_ansible.report.client import precise
from e2e_ansible.report.lanes import Bar, Edge, Lane, edges, fault_lanes
from e2e_ansible.report.load_points import LoadPoint, merged, without_stubs
from e2e_ansible.report.words import clock

__all__ = ["LoadCurve", "LoadFigure", "load_figures"]

_MOST_BINS = 240
_MOST_ROWS = 60
_MARGIN = 0.02
_KINDS: tuple[Kind, ...] = ("writes", "reads")
#: What is drawn of the latencies that a tool tells: the first that it has, of each row.
_USUAL = (("p50", "median"), ("average", "average"))
_SLOW = (("p99", "P99"), ("p95", "P95"), ("p90", "P90"), ("maximum", "slowest"))
Row = tuple[str, str, str, str, str, str]


@dataclass(frozen=True)
class LoadCurve:
    """One load. `usual` and `slow` are what its two lines stand for, '' for none; `note` is what is not known of it.

    The row `out` has the pieces in which nothing succeeded. `rows` are its numbers, for those who cannot see it.
    """

    name: str
    what: str
    anchor: str
    chart: Chart
    usual: str
    slow: str
    whole: str
    latency: str
    words: str
    out: Lane | None
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True)
class LoadFigure:
    """Loads that ran at the same time, and what happened then."""

    axis: Axis
    loads: tuple[LoadCurve, ...]
    faults: tuple[Lane, ...]
    outages: tuple[Lane, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class _Placed:
    step: StepResult
    load: LoadResult
    begin: float
    note: str

    @property
    def end(self) -> float:
        return self.begin + max(one.start + one.seconds for one in self.load.intervals)


def load_figures(test: TestResult, anchor: str) -> tuple[LoadFigure, ...]:
    """A figure for all loads that overlap; none of what told nothing over time. Pure."""
    together: list[list[_Placed]] = []
    for one in sorted(_placed(test), key=lambda placed: placed.begin):
        if together and one.begin <= max(placed.end for placed in together[-1]):
            together[-1].append(one)
        else:
            together.append([one])
    return tuple(_figure(test, some, anchor) for some in together)


def _placed(test: TestResult) -> Iterator[_Placed]:
    for step in test.workflow_steps:
        load = step.load
        if load is None or not any(one.seconds > 0 for one in load.intervals):
            continue
        if load.started is not None:
            yield _Placed(step, load, load.started, "")
        elif step.started is not None:
            note = "the tool does not tell when it began, so it is drawn from the beginning of its step on"
            yield _Placed(step, load, step.started, note)


def _figure(test: TestResult, some: Sequence[_Placed], anchor: str) -> LoadFigure:
    begin, end = min(one.begin for one in some), max(one.end for one in some)
    room = _MARGIN * (end - begin)
    axis = Axis.over([(begin - room, end + room)])
    faults = [fault for fault in test.faults if _meets(_span(fault), axis)]
    clients = [client for client in test.clients if client.started is not None]
    return LoadFigure(
        axis=axis,
        loads=tuple(_curve(one, axis, clients, anchor) for one in some),
        faults=tuple(fault_lanes(faults, axis)),
        outages=tuple(lane for client in clients for lane in _outages(client, axis)),
        edges=edges(faults, axis),
    )


def _span(fault: FaultResult) -> tuple[float, float | None]:
    came = fault.injected if fault.injected is not None else fault.intended
    return came, None if fault.open else (fault.healed if fault.healed is not None else came)


def _meets(span: tuple[float, float | None], axis: Axis) -> bool:
    start, end = span
    return start <= axis.end and (end is None or end >= axis.begin)


def _outages(client: ClientResult, axis: Axis) -> Iterator[Lane]:
    """A row for each kind of which there was an outage while the axis lasts."""
    for kind in _KINDS:
        found = [one for one in client.outages if one.kind == kind and _meets((one.start, one.end), axis)]
        if found:
            bars = tuple(Bar(each.place, kind, each.words) for each in _shades(client, kind, axis))
            took = sum(min(one.end or axis.end, axis.end) - max(one.start, axis.begin) for one in found)
            yield Lane(f"{client.name}: no {kind}", bars, f"{precise(took)} in {len(found)}")


def _shades(client: ClientResult, kind: Kind, axis: Axis) -> Iterator[Shade]:
    seen = [one for one in client.outages if _meets((one.start, one.end), axis)]
    yield from shades(client.model_copy(update={"outages": tuple(seen)}), kind, axis)


def _curve(one: _Placed, axis: Axis, clients: Sequence[ClientResult], anchor: str) -> LoadCurve:
    load = one.load
    usual, slow = _named(load, _USUAL), _named(load, _SLOW)
    points = [_point(each, one.begin, usual[0], slow[0]) for each in load.intervals if each.seconds > 0]
    points = without_stubs(sorted(points, key=lambda point: point.at))
    return LoadCurve(
        name=one.step.id,
        what=", ".join(filter(None, (f"{load.tool} {load.dialect}".strip(), load.workload, load.host))),
        anchor=f"{anchor}-{one.step.index}",
        chart=_chart(points, axis, clients),
        usual=usual[1],
        slow=slow[1],
        whole=quantity(_whole(load, points), "/s"),
        latency=_latency_words(load.latency, (usual[0], slow[0])),
        words=_words(points),
        out=_out(points, axis),
        rows=tuple(_row(point) for point in merged(points, _MOST_ROWS)),
        note=one.note,
    )


def _chart(points: Sequence[LoadPoint], axis: Axis, clients: Sequence[ClientResult]) -> Chart:
    """The curves, over the outages of clients."""
    bins = [
        Bin(
            at=point.at,
            width=point.seconds,
            ok=point.count,
            errors=point.failed or 0,
            p50=_seconds(point.usual),
            p99=_seconds(point.slow),
        )
        for point in merged(points, _MOST_BINS)
    ]
    writes, reads = (
        tuple(each for client in clients for each in _shades(client, kind, axis)) for kind in _KINDS
    )
    return replace(curves(bins, axis), writes=writes, reads=reads)


def _whole(load: LoadResult, points: Sequence[LoadPoint]) -> float:
    if load.per_second is not None:
        return load.per_second
    return sum(point.count for point in points) / sum(point.seconds for point in points)


def _named(load: LoadResult, fields: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The first latency that any interval tells, as its field and in words."""
    for field, _ in fields:
        if any(getattr(one.latency, field) is not None for one in load.intervals):
            return field, _words_of(field, bucketed=any(one.latency.bucketed for one in load.intervals))
    return "", ""


def _point(one: Interval, begin: float, usual: str, slow: str) -> LoadPoint:
    return LoadPoint(
        at=begin + one.start,
        seconds=one.seconds,
        count=one.count,
        failed=one.failed,
        usual=getattr(one.latency, usual) if usual else None,
        slow=getattr(one.latency, slow) if slow else None,
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _out(points: Sequence[LoadPoint], axis: Axis) -> Lane | None:
    """Rows of pieces without a transaction that succeeded."""
    bars = []
    took = 0.0
    for empty, some in groupby(points, key=lambda point: point.count == 0):
        run = list(some)
        if empty:
            start, end = run[0].at, run[-1].at + run[-1].seconds
            took += end - start
            words = f"no transaction succeeded from {clock(start)} for {precise(end - start)}"
            bars.append(Bar(axis.place(start, end), "writes", words))
    return Lane("nothing succeeded", tuple(bars), f"{precise(took)} in {len(bars)}") if bars else None


def _latency_words(latency: Latency, fields: Sequence[str]) -> str:
    """Of the whole load, whose percentiles may be measured ones although those of the pieces are not."""
    known = [(field, getattr(latency, field)) for field in fields if field]
    return "; ".join(
        f"{_words_of(field, bucketed=latency.bucketed)} {quantity(value, 'ms')}"
        for field, value in known
        if value is not None
    )


def _words_of(field: str, *, bucketed: bool) -> str:
    mark = " (bucket)" if bucketed and field.startswith("p") else ""
    return f"{dict((*_USUAL, *_SLOW))[field]}{mark}"


def _words(points: Sequence[LoadPoint]) -> str:
    """The curve in a sentence."""
    least, most = min(points, key=lambda one: one.rate), max(points, key=lambda one: one.rate)
    return (
        f"at least {quantity(least.rate, '/s')} at {clock(least.at)}, "
        f"at most {quantity(most.rate, '/s')} at {clock(most.at)}"
    )


def _row(point: LoadPoint) -> Row:
    return (
        clock(point.at),
        precise(point.seconds),
        quantity(point.rate, "/s"),
        "–" if point.failed is None else str(point.failed),
        quantity(point.usual, "ms"),
        quantity(point.slow, "ms"),
    )
