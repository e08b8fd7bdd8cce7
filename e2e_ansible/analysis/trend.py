"""A slow drift in one series: Mann and Kendall's test, Theil and Sen's slope with its interval.

Every pair of values is asked whether the later one is larger, so outliers count no more than others. What is left when
the slope is taken away must not lean on its neighbours; where it does, as much confidence is taken away as it costs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from statistics import NormalDist, median

from e2e_ansible.analysis.rank import inflation
from e2e_ansible.analysis.shift import Shift

__all__ = ["trend_shift"]

_NORMAL = NormalDist()
#: Longer series are taken in blocks, each by its median: the pairs would be too many.
_LONGEST = 200


def trend_shift(values: Sequence[float], alpha: float) -> Shift | None:
    """How far a series moves from its first value to its last, on the straight line through most of it.

    None for fewer than two values. The interval holds with confidence `1 - alpha`.
    """
    if len(values) < 2:
        return None
    blocks = _blocks(values)
    count, length = len(blocks), len(values) - 1
    slopes = sorted((late - early) / (j - i) for (i, early), (j, late) in combinations(blocks, 2))
    slope = median(slopes)
    lean = inflation([value - slope * place for place, value in blocks])
    sigma = math.sqrt(_variance([value for _, value in blocks]) * lean)
    score = abs(sum((one > 0) - (one < 0) for one in slopes))
    place = math.floor((len(slopes) + _NORMAL.inv_cdf(alpha / 2) * sigma) / 2)
    bounded = place > 0
    return Shift(
        change=slope * length,
        low=slopes[place - 1] * length if bounded else None,
        high=slopes[-place] * length if bounded else None,
        p=_tails(score, sigma),
        least=_tails(math.comb(count, 2), sigma),
    )


def _blocks(values: Sequence[float]) -> list[tuple[float, float]]:
    """Place and value, of at most so many blocks of equal length as are not too many."""
    size = math.ceil(len(values) / _LONGEST)
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    return [(number * size + (len(part) - 1) / 2, median(part)) for number, part in enumerate(parts)]


def _variance(values: Sequence[float]) -> float:
    """Of the score if there is no trend, with correction for ties (Kendall 1975)."""
    ties = sum(size * (size - 1) * (2 * size + 5) for size in Counter(values).values())
    count = len(values)
    return (count * (count - 1) * (2 * count + 5) - ties) / 18


def _tails(score: float, sigma: float) -> float:
    return min(1.0, 2 * _NORMAL.cdf(min(0.0, (1 - score) / sigma))) if sigma else 1.0
