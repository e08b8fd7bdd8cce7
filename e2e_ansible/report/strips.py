"""How the durations of a phase are spread: a strip with their frequencies and the percentiles on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2e_ansible.analysis.column import Column
from e2e_ansible.analysis.percentiles import Percentiles, percentiles
from e2e_ansible.report.amounts import seconds
from e2e_ansible.report.words import count

__all__ = ["Marker", "Spread", "spread"]

_PARTS = 50
#: How much wider than what is seen a strip is, on each side.
_ROOM = 0.1


@dataclass(frozen=True)
class Marker:
    """One percentile, `left` in per cent of the strip."""

    left: float
    name: str
    words: str


@dataclass(frozen=True)
class Spread:
    """One strip; `beyond` values are farther out than its end. The path is in a box 1000 wide and 100 high."""

    name: str
    path: str
    markers: tuple[Marker, ...]
    begin: str
    end: str
    beyond: int
    words: str


def spread(name: str, column: Column) -> Spread | None:
    """The strip of a phase, of what passed; None where nothing did."""
    values = column.good
    found = percentiles(values)
    last = found.at(0.99)
    if last is None:
        return None
    least = min(values)
    room = _ROOM * (last.value - least) or _ROOM * last.value or 1.0
    begin, end = max(0.0, least - room), last.value + room
    inside = [value for value in values if value < end]
    return Spread(
        name=name,
        path=_towers([(value - begin) / (end - begin) for value in inside]),
        markers=tuple(
            Marker(round(100 * (one.value - begin) / (end - begin), 2), one.name, seconds(one.value))
            for one in found.all
        ),
        begin=seconds(begin),
        end=seconds(end),
        beyond=len(values) - len(inside),
        words=_told(name, found),
    )


def _towers(shares: Sequence[float]) -> str:
    """Towers of those that lie in each part, by where they lie from 0 to 1."""
    counts = [0] * _PARTS
    for share in shares:
        counts[min(int(_PARTS * share), _PARTS - 1)] += 1
    highest, wide = max(counts, default=0), 1000 / _PARTS
    return "".join(
        f"M{place * wide:g} 100V{round(100 - 92 * number / highest, 1):g}H{(place + 1) * wide:g}V100Z"
        for place, number in enumerate(counts)
        if number
    )


def _told(name: str, found: Percentiles) -> str:
    told = ", ".join(f"{one.name} {seconds(one.value)}" for one in found.all)
    return f"{name}: {told}, of {count(found.count, 'value')}"
