"""What is drawn of a soak: durations, outages, and how each cycle ended, all over the same cycles."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from e2e_ansible.analysis.alerts import Episode
from e2e_ansible.analysis.column import Column
from e2e_ansible.analysis.soak_series import SoakSeries
from e2e_ansible.analysis.standing import Standing
from e2e_ansible.judge.latency import percentile
from e2e_ansible.report.amounts import seconds
from e2e_ansible.report.axis import Place
from e2e_ansible.report.chart import Grid
from e2e_ansible.report.cycles import Bin, CycleAxis
from e2e_ansible.report.lanes import Bar, Lane
from e2e_ansible.report.words import count

__all__ = ["Band", "Outages", "SoakChart", "Stack", "soak_chart"]

#: How many bands can be told apart by their shade.
SHADES = 6
_CUT = 2.5
_GRIDS = 4
_KINDS = {
    Standing.PASSED: "pass",
    Standing.FAILED: "fail",
    Standing.UNKNOWN: "unknown",
    Standing.APART: "interrupted",
}
_WORST = (Standing.FAILED, Standing.UNKNOWN, Standing.APART, Standing.PASSED)


@dataclass(frozen=True)
class Band:
    """One phase of the stack, from below; `shade` counts from 0."""

    name: str
    shade: int
    path: str


@dataclass(frozen=True)
class Stack:
    """Durations: the phases on one another, the slowest cycle of each bin as a line, and what is cut off above."""

    bands: tuple[Band, ...]
    slowest: str
    grid: tuple[Grid, ...]
    cut: tuple[Bar, ...]


@dataclass(frozen=True)
class Outages:
    """One kind of outage: of each bin the longest, as one shape."""

    kind: str
    path: str
    grid: tuple[Grid, ...]
    words: str
    cut: tuple[Bar, ...]


@dataclass(frozen=True)
class SoakChart:
    """All that is drawn of a soak over its cycles. Paths are in a box 1000 wide and 100 high, from above."""

    axis: CycleAxis
    ended: Lane
    stack: Stack
    outages: tuple[Outages, ...]
    alerts: tuple[Lane, ...]
    injections: tuple[Lane, ...]


def soak_chart(series: SoakSeries) -> SoakChart | None:
    """The drawing; None where no cycle has ended. Pure: the same numbers give the same text."""
    if not len(series.cycles):
        return None
    axis = CycleAxis(series.cycles.cycles[-1])
    bins = tuple(axis.bins)
    return SoakChart(
        axis=axis,
        ended=_ended(series, axis, bins),
        stack=_stack(series, axis, bins),
        outages=tuple(
            _outages(kind, column, axis, bins)
            for kind, column in series.outages.items()
            if any(column.values)
        ),
        alerts=tuple(_alerts(series.alerts.episodes, axis)),
        injections=tuple(_injections(series, axis, bins)),
    )


def _ended(series: SoakSeries, axis: CycleAxis, bins: Sequence[Bin]) -> Lane:
    """How cycles ended; of a bin the worst is seen, and the words tell all. Bins that are alike are one bar."""
    found: dict[int, list[Standing]] = defaultdict(list)
    for place, number in enumerate(series.cycles.cycles):
        found[axis.bin_of(number)].append(series.standing(place))
    bars: list[Bar] = []
    run: list[int] = []
    for number in sorted(found):
        kind = _worst(found[number])
        if run and (run[-1] + 1 != number or _worst(found[run[-1]]) is not kind):
            bars.append(_ended_bar(run, found, bins))
            run = []
        run.append(number)
    bars.append(_ended_bar(run, found, bins))
    whole = series.tally()
    return Lane("how it ended", tuple(bars), f"{whole.passed} of {whole.trials} passed")


def _worst(found: Iterable[Standing]) -> Standing:
    seen = set(found)
    return next(one for one in _WORST if one in seen)


def _ended_bar(run: Sequence[int], found: Mapping[int, Sequence[Standing]], bins: Sequence[Bin]) -> Bar:
    whole = [one for number in run for one in found[number]]
    first, last = bins[run[0]], bins[run[-1]]
    told = ", ".join(f"{whole.count(one)} {one}" for one in Standing if one in whole)
    kind = _KINDS[_worst(whole)]
    place = Place(first.place.left, round(last.place.right - first.place.left, 2))
    return Bar(place, kind, f"{Bin(first.first, last.last, place).words}: {told}")


def _binned(column: Column, axis: CycleAxis) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for cycle, value in column:
        found[axis.bin_of(cycle)].append(value)
    return found


def _stack(series: SoakSeries, axis: CycleAxis, bins: Sequence[Bin]) -> Stack:
    phases = {name: _medians(column, axis) for name, column in series.phases.items()}
    slowest = {place: max(values) for place, values in _binned(series.cycles, axis).items()}
    scale = _Scale.over([*slowest.values()])
    ground: dict[int, float] = defaultdict(float)
    bands = []
    for number, (name, middles) in enumerate(phases.items()):
        tops = {place: ground[place] + middle for place, middle in middles.items()}
        bands.append(Band(name, number % SHADES, _boxes(tops, ground, bins, scale)))
        ground.update(tops)
    return Stack(
        tuple(bands),
        _steps(slowest, bins, scale),
        scale.grid(),
        tuple(_cut(slowest, bins, scale, "the slowest")),
    )


def _medians(column: Column, axis: CycleAxis) -> dict[int, float]:
    return {place: median(values) for place, values in _binned(column, axis).items()}


def _outages(kind: str, column: Column, axis: CycleAxis, bins: Sequence[Bin]) -> Outages:
    longest = {place: max(values) for place, values in _binned(column, axis).items()}
    scale = _Scale.over([*longest.values()])
    ordered = sorted(column.values)
    return Outages(
        kind=kind,
        path=_boxes(longest, {}, bins, scale),
        grid=scale.grid(),
        words=f"median {seconds(percentile(ordered, 0.5))}, worst {seconds(ordered[-1])}",
        cut=tuple(_cut(longest, bins, scale, f"no {kind}")),
    )


@dataclass(frozen=True)
class _Scale:
    """From 0 to a round number of seconds. A few that are far above the others are cut off, and marked."""

    top: float
    every: float

    @classmethod
    def over(cls, values: Sequence[float]) -> _Scale:
        """The scale for these; there is at least one."""
        ordered = sorted(values)
        top = min(ordered[-1], _CUT * percentile(ordered, 0.95)) or ordered[-1] or 1.0
        every = next(step for step in _round_steps(top) if top / step <= _GRIDS)
        return cls(every * math.ceil(round(top / every, 9)), every)

    def at(self, value: float) -> float:
        """Where a number lies, in per cent from above."""
        return round(100 - 100 * min(1.0, value / self.top), 2)

    def grid(self) -> tuple[Grid, ...]:
        steps = round(self.top / self.every)
        return tuple(
            Grid(self.at(number * self.every), f"{number * self.every:g}s") for number in range(1, steps + 1)
        )


def _round_steps(top: float) -> Iterator[float]:
    power = math.floor(math.log10(top)) - 1
    while True:
        for first in (1, 2, 5):
            # As text, as 5e-2 is nearer to 0.05 than any product is.
            yield float(f"{first}e{power}")
        power += 1


def _boxes(tops: Mapping[int, float], ground: Mapping[int, float], bins: Sequence[Bin], scale: _Scale) -> str:
    """A filled box for each bin that has a value."""
    parts = []
    for place, top in sorted(tops.items()):
        left, right = _span(bins[place])
        low = scale.at(ground.get(place, 0.0))
        parts.append(f"M{left:g} {low:g}V{scale.at(top):g}H{right:g}V{low:g}Z")
    return "".join(parts)


def _steps(tops: Mapping[int, float], bins: Sequence[Bin], scale: _Scale) -> str:
    """A line that is flat over each bin, with gaps where nothing is."""
    parts: list[str] = []
    end = None
    for place, top in sorted(tops.items()):
        left, right = _span(bins[place])
        parts.append(f"{'V' if end == left else f'M{left:g} '}{scale.at(top):g}H{right:g}")
        end = right
    return "".join(parts)


def _span(one: Bin) -> tuple[float, float]:
    return round(10 * one.place.left, 1), round(10 * one.place.right, 1)


def _cut(values: Mapping[int, float], bins: Sequence[Bin], scale: _Scale, what: str) -> Iterator[Bar]:
    for place, value in sorted(values.items()):
        if value > scale.top:
            yield Bar(bins[place].place, "cut", f"{bins[place].words}: {what} {seconds(value)}")


def _alerts(episodes: Sequence[Episode], axis: CycleAxis) -> Iterator[Lane]:
    """A lane for each type; episodes that cannot be told apart are one bar."""
    by_type: dict[str, list[Episode]] = defaultdict(list)
    for one in episodes:
        by_type[one.type].append(one)
    for kind in sorted(by_type):
        bars: dict[tuple[int, int], list[Episode]] = defaultdict(list)
        for one in by_type[kind]:
            end = axis.last if one.last_cycle is None else one.last_cycle
            bars[axis.bin_of(one.first_cycle), axis.bin_of(end)].append(one)
        drawn = tuple(_alert(found, axis) for _, found in sorted(bars.items()))
        yield Lane(kind, drawn, count(len(by_type[kind]), "alert"), note=_contexts(by_type[kind]))


def _contexts(episodes: Sequence[Episode]) -> str:
    return ", ".join(sorted({one.context for one in episodes if one.context}))


def _alert(found: Sequence[Episode], axis: CycleAxis) -> Bar:
    first, open_ = found[0], any(one.last_cycle is None for one in found)
    last = None if open_ else max(one.last_cycle or 0 for one in found)
    place = axis.place(first.first_cycle, last)
    if len(found) > 1:
        return Bar(place, "alert", f"{count(len(found), 'alert')} from cycle {first.first_cycle} on")
    end = "never ended" if open_ else f"until cycle {last}"
    return Bar(
        place, "alert", f"cycle {first.first_cycle}, {end}, phase {first.phase or 'none'}: {first.message}"
    )


_UNDONE = {True: "undone", False: "not undone", None: "not known whether undone"}
_TOOK = {True: "took", False: "did not take", None: "not known whether it took"}


def _injections(series: SoakSeries, axis: CycleAxis, bins: Sequence[Bin]) -> Iterator[Lane]:
    """A lane for each scenario."""
    found: dict[str, dict[int, list[tuple[bool | None, bool | None]]]] = {}
    for (cycle, scenario, _, _), ends in series.injections.items():
        found.setdefault(scenario, {}).setdefault(axis.bin_of(cycle), []).append(ends)
    for scenario in sorted(found):
        drawn = tuple(_injection(bins[place], ends) for place, ends in sorted(found[scenario].items()))
        whole = [took for ends in found[scenario].values() for took, _ in ends]
        yield Lane(scenario, drawn, f"{whole.count(True)} of {len(whole)} took")


def _injection(one: Bin, ends: Sequence[tuple[bool | None, bool | None]]) -> Bar:
    if any(undone is False for _, undone in ends):
        kind = "fail"
    else:
        kind = "fault" if all(took for took, _ in ends) else "doubt"
    told = [f"{_TOOK[took]}, {_UNDONE[undone]}" for took, undone in ends]
    words = "; ".join(f"{told.count(each)} {each}" if len(told) > 1 else each for each in dict.fromkeys(told))
    place = Place(one.place.left, max(one.place.width, 0.25))
    return Bar(place, kind, f"{one.words}: {words}")
