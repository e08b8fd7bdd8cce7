"""How long answers took: percentiles over all, and a series over time for plots. Lengths in seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from e2e_ansible.judge.operations import SECOND, History, Operation, seconds

__all__ = ["Bin", "Latency", "latency", "percentile", "series"]

_BINS = 240
_WIDTHS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


class Latency(BaseModel):
    """Of the operations that were done. `count` 0: the other numbers say nothing."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    p50: float = 0
    p90: float = 0
    p99: float = 0
    p999: float = 0
    max: float = 0


class Bin(BaseModel):
    """The operations invoked from `at` (epoch seconds) for `width` seconds. Latencies are None if none was done."""

    model_config = ConfigDict(frozen=True)

    at: float
    width: float
    ok: int = 0
    errors: int = 0
    p50: float | None = None
    p99: float | None = None
    max: float | None = None


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of sorted numbers lie, between two neighbours on a straight line.

    >>> percentile([1, 2, 3, 4], 0.5)
    2.5

    Raises:
        ValueError: there are no numbers, or the share is none.
    """
    if not ordered or not 0 <= share <= 1:
        raise ValueError(f"no percentile {share} of {len(ordered)} numbers")
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _took(operations: Sequence[Operation]) -> list[int]:
    return sorted(
        one.ended - one.began for one in operations if one.outcome == "ok" and one.ended is not None
    )


def _at(ordered: Sequence[int], share: float) -> float:
    return seconds(round(percentile(ordered, share)))


def latency(history: History) -> Latency:
    """Over a whole history."""
    took = _took(history.operations)
    if not took:
        return Latency()
    return Latency(
        count=len(took),
        p50=_at(took, 0.5),
        p90=_at(took, 0.9),
        p99=_at(took, 0.99),
        p999=_at(took, 0.999),
        max=seconds(took[-1]),
    )


def series(history: History, bins: int = _BINS) -> tuple[Bin, ...]:
    """Latency over time in at most `bins` bins of a round width; bins without any operation are left out."""
    operations = history.operations
    if not operations:
        return ()
    first, last = operations[0].began, operations[-1].began
    length = (last - first) / SECOND
    width = next(
        (each for each in _WIDTHS if length / each < bins - 1), max(1.0, math.ceil(length / (bins - 1)))
    )
    step = int(width * SECOND)
    parts: dict[int, list[Operation]] = {}
    for one in operations:
        parts.setdefault(one.began // step, []).append(one)
    return tuple(_bin(number * step, width, part) for number, part in sorted(parts.items()))


def _bin(at: int, width: float, operations: Sequence[Operation]) -> Bin:
    took = _took(operations)
    errors = sum(1 for one in operations if not one.served and one.ended is not None)
    if not took:
        return Bin(at=seconds(at), width=width, errors=errors)
    return Bin(
        at=seconds(at),
        width=width,
        ok=len(took),
        errors=errors,
        p50=_at(took, 0.5),
        p99=_at(took, 0.99),
        max=seconds(took[-1]),
    )
