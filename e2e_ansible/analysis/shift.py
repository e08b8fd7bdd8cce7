"""What a test says about one metric: how far it moved, how far it may have moved, how likely that is chance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

__all__ = ["Shift", "allow"]

_NORMAL = NormalDist()
_SMALLEST = 1e-300


@dataclass(frozen=True)
class Shift:
    """After minus before, in the unit of the metric; `low` or `high` is None where the data has no bound.

    `p` is the chance of a shift at least this large, either way, if nothing changed. `least` is the smallest `p`
    that so few values can give at all.
    """

    change: float
    low: float | None
    high: float | None
    p: float
    least: float


def allow(shift: Shift, spread: float, alpha: float) -> Shift:
    """The same shift if the two sides also differ by a noise that their values do not tell.

    Args:
        shift: What the values tell, with an interval of confidence `1 - alpha`.
        spread: The standard deviation of that noise, in the unit of the metric.
        alpha: What is left of the confidence.
    """
    low, high = _bound(shift, shift.low, -1, spread, alpha), _bound(shift, shift.high, 1, spread, alpha)
    if not shift.change:
        return replace(shift, low=low, high=high)
    errors = -_NORMAL.inv_cdf(max(shift.p, _SMALLEST) / 2)
    whole = math.hypot(1, spread * errors / shift.change)
    return replace(shift, low=low, high=high, p=max(_SMALLEST, 2 * _NORMAL.cdf(-errors / whole)))


def _bound(shift: Shift, bound: float | None, side: int, spread: float, alpha: float) -> float | None:
    """The bound moved out, so that the squares of both noises add up."""
    if bound is None:
        return None
    return shift.change + side * math.hypot(bound - shift.change, _NORMAL.inv_cdf(alpha / 2) * spread)
