"""Charts: latency and answers of one client over the common time axis, as shapes of an SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.latency import Bin
from e2e_ansible.judge.outage import Kind
from e2e_ansible.report.axis import Axis, Place
from e2e_ansible.report.client import bounds_words, precise
from e2e_ansible.report.words import clock, count

__all__ = ["Chart", "Grid", "Shade", "Tower", "chart", "curves", "shades"]

_FASTEST = 1e-5
_LEAST_TOWER = 16.0


@dataclass(frozen=True)
class Grid:
    """A line across, `top` per cent from above, and what it stands for."""

    top: float
    words: str


@dataclass(frozen=True)
class Tower:
    """A bar that stands on the ground; its height is in per cent."""

    place: Place
    height: float

    @property
    def top(self) -> float:
        """Its upper end, in per cent from above."""
        return round(100 - self.height, 1)


@dataclass(frozen=True)
class Shade:
    """An outage."""

    place: Place
    words: str


@dataclass(frozen=True)
class Chart:
    """All that is drawn of one client. Paths are in a box 1000 wide and 100 high, as SVG has it from above."""

    p50: str
    p99: str
    grid: tuple[Grid, ...]
    answers: str
    errors: tuple[Tower, ...]
    fastest: str
    writes: tuple[Shade, ...] = ()
    reads: tuple[Shade, ...] = ()
    blind: tuple[Place, ...] = ()


def chart(client: ClientResult, axis: Axis) -> Chart:
    """The chart of a client. Pure: the same result gives the same text."""
    return replace(
        curves(client.series, axis),
        writes=tuple(shades(client, "writes", axis)),
        reads=tuple(shades(client, "reads", axis)),
        blind=tuple(axis.merged(client.blind)),
    )


def curves(series: Sequence[Bin], axis: Axis) -> Chart:
    """What was answered and how fast, over time."""
    scale = _Scale.of(series)
    fastest = max(((one.ok + one.errors) / one.width for one in series), default=0.0)
    return Chart(
        p50=_line(((one, scale.top(one.p50)) for one in series), axis),
        p99=_line(((one, scale.top(one.p99)) for one in series), axis),
        grid=scale.grid(),
        answers=_area(series, fastest, axis),
        errors=tuple(_errors(series, fastest, axis)),
        fastest=f"{fastest:.0f}" if fastest >= 10 else f"{fastest:.1f}",
    )


@dataclass(frozen=True)
class _Scale:
    """Whole decades of seconds, from the fastest median to the slowest answers."""

    low: int
    high: int

    @classmethod
    def of(cls, series: Iterable[Bin]) -> _Scale:
        known = [number for one in series for number in (one.p50, one.p99) if number is not None]
        if not known:
            return cls(-3, 0)
        low = math.floor(math.log10(max(min(known), _FASTEST)))
        return cls(low, max(low + 1, math.ceil(math.log10(max(*known, _FASTEST)))))

    def top(self, seconds: float | None) -> float | None:
        """Where a length lies, in per cent from above."""
        if seconds is None:
            return None
        share = (math.log10(max(seconds, _FASTEST)) - self.low) / (self.high - self.low)
        return round(100 - 100 * min(1.0, max(0.0, share)), 1)

    def grid(self) -> tuple[Grid, ...]:
        decades = range(self.low, self.high + 1)
        return tuple(Grid(self.top(10.0**one) or 0.0, _decade(one)) for one in decades)


def _decade(power: int) -> str:
    """A power of ten in seconds: `100 ms`."""
    unit, least = next(
        ((unit, least) for unit, least in (("s", 0), ("ms", -3)) if power >= least), ("µs", -6)
    )
    return f"{10 ** (power - least)} {unit}"


def _span(one: Bin, axis: Axis) -> tuple[float, float]:
    return round(10 * axis.at(one.at), 1), round(10 * axis.at(one.at + one.width), 1)


def _line(points: Iterable[tuple[Bin, float | None]], axis: Axis) -> str:
    """Steps, as a bin is flat over its width; where nothing was done there is a gap."""
    parts: list[str] = []
    end: float | None = None
    for one, top in points:
        if top is None:
            end = None
            continue
        left, right = _span(one, axis)
        parts.append(f"V{top:g}H{right:g}" if end == left else f"M{left:g} {top:g}H{right:g}")
        end = right
    return "".join(parts)


def _area(series: Iterable[Bin], fastest: float, axis: Axis) -> str:
    """What was answered in each bin, as one filled shape."""
    parts = []
    for one in series:
        if one.ok and fastest:
            left, right = _span(one, axis)
            top = round(100 - 100 * one.ok / one.width / fastest, 1)
            parts.append(f"M{left:g} 100V{top:g}H{right:g}V100Z")
    return "".join(parts)


def _errors(series: Sequence[Bin], fastest: float, axis: Axis) -> Iterator[Tower]:
    """What was refused or never answered; even a single one is seen."""
    for one in series:
        if one.errors and fastest:
            height = max(_LEAST_TOWER, 100 * one.errors / one.width / fastest)
            yield Tower(axis.place(one.at, one.at + one.width), round(height, 1))


def shades(client: ClientResult, kind: Kind, axis: Axis) -> Iterator[Shade]:
    """The outages of one kind."""
    for one in client.outages:
        if one.kind == kind:
            end = clock(one.end) if one.end is not None else "the end of the history"
            words = (
                f"no {kind} for {precise(one.seconds)} {bounds_words(one)}, from {clock(one.start)} to {end}"
            )
            operations = count(one.operations, "operation")
            yield Shade(axis.place(one.start, one.end), f"{words}, {operations} in vain")
