"""Two samples compared by ranks: Mann and Whitney's test, Hodges and Lehmann's shift with its interval.

Ranks do not care about the shape of the values: outliers, two modes and long tails are as good as the normal curve.
They do assume that values are independent. Cycles of one run are often not, so the correlation of neighbours is
measured, and as much confidence is taken away as it costs.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from statistics import NormalDist, median

from e2e_ansible.analysis.shift import Shift

__all__ = ["inflation", "rank_shift"]

_NORMAL = NormalDist()
#: Up to here the distribution is counted out; beyond it the normal curve is as good.
_COUNTED = 25
_SORTED = 100_000
#: The differences of long samples are found to a thousand-millionth of their range.
_HALVINGS = 30
_STRONGEST = 0.95
_SMALLEST = 1e-300


def rank_shift(before: Sequence[float], after: Sequence[float], alpha: float) -> Shift:
    """How far `after` lies from `before`; the interval holds with confidence `1 - alpha`. Both in their order.

    Raises:
        ValueError: one of them is empty.
    """
    if not before or not after:
        raise ValueError(f"no shift between {len(before)} and {len(after)} values")
    low, high = sorted(before), sorted(after)
    spread = math.sqrt(inflation(before, after))
    test = _Test.of(low, high)
    outside = _outside(alpha, spread)
    bound = test.bound(outside)
    differences = _Differences(low, high)
    pairs = differences.count
    return Shift(
        change=differences.middle,
        low=None if bound is None else differences.at(bound),
        high=None if bound is None else differences.at(pairs - 1 - bound),
        p=_outside(test.p, 1 / spread),
        least=_outside(test.least, 1 / spread),
    )


def _outside(p: float, factor: float) -> float:
    """The two tails beyond a point of the normal curve that is moved out by a factor."""
    if factor == 1 or p >= 1:
        return min(1.0, p)
    return max(_SMALLEST, 2 * _NORMAL.cdf(_NORMAL.inv_cdf(max(p, _SMALLEST) / 2) * factor))


class _Test:
    """The null distribution of U: the number of pairs in which the later value is larger, ties half."""

    def __init__(self, few: int, many: int, u: float, variance: float, ties: bool) -> None:
        self._u, self._pairs, self._sigma = u, few * many, math.sqrt(variance)
        counted = not ties and max(few, many) <= _COUNTED
        self._shares = _shares(min(few, many), max(few, many)) if counted else None

    @classmethod
    def of(cls, before: Sequence[float], after: Sequence[float]) -> _Test:
        """Of sorted values."""
        n, m = len(before), len(after)
        u = sum(bisect_left(before, one) + bisect_right(before, one) for one in after) / 2
        sizes = Counter([*before, *after]).values()
        tied = sum(size**3 - size for size in sizes)
        total = n + m
        variance = n * m / 12 * (total + 1 - tied / (total * (total - 1)))
        return cls(n, m, u, max(0.0, variance), tied > 0)

    @property
    def p(self) -> float:
        """Both tails."""
        return min(1.0, 2 * self._at_most(min(self._u, self._pairs - self._u)))

    @property
    def least(self) -> float:
        """The p of two samples that do not overlap at all."""
        return min(1.0, 2 * self._at_most(0))

    def _at_most(self, u: float) -> float:
        if self._shares is not None:
            return self._shares[int(u)]
        if not self._sigma:
            return 1.0
        return _NORMAL.cdf(min(0.0, (u + 0.5 - self._pairs / 2) / self._sigma))

    def bound(self, alpha: float) -> int | None:
        """The place of the sorted differences (from 0) at which the interval begins; None if there is no bound."""
        if self._shares is not None:
            place = bisect_right(self._shares, alpha / 2) - 1
        else:
            place = math.floor(self._pairs / 2 - 0.5 + _NORMAL.inv_cdf(alpha / 2) * self._sigma)
        return place if place >= 0 else None


@lru_cache(maxsize=256)
def _shares(few: int, many: int) -> tuple[float, ...]:
    """For each u the chance of at most u, counted out: the coefficients of a Gaussian binomial, summed up."""
    ways = [1] + [0] * (few * many)
    for size in range(1, few + 1):
        for place in range(few * many, many + size - 1, -1):
            ways[place] -= ways[place - many - size]
        for place in range(size, few * many + 1):
            ways[place] += ways[place - size]
    total = math.comb(few + many, few)
    return tuple(number / total for number in accumulate(ways))


class _Differences:
    """All differences of two sorted samples in order, without making them where there are too many."""

    def __init__(self, before: Sequence[float], after: Sequence[float]) -> None:
        self._before, self._after = before, after
        self.count = len(before) * len(after)
        small = self.count <= _SORTED
        self._all = sorted(late - early for late in after for early in before) if small else None

    @property
    def middle(self) -> float:
        """Their median."""
        return median(self._all) if self._all is not None else self.at(self.count // 2)

    def at(self, place: int) -> float:
        """The difference at a place, from 0; of very many, nearly."""
        if self._all is not None:
            return self._all[place]
        low, high = self._after[0] - self._before[-1], self._after[-1] - self._before[0]
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self._not_above(middle) > place else (middle, high)
        return high

    def _not_above(self, difference: float) -> int:
        count = place = 0
        for early in self._before:
            while place < len(self._after) and self._after[place] <= early + difference:
                place += 1
            count += place
        return count


def inflation(*samples: Sequence[float]) -> float:
    """How many times the variance of a shift is that of independent values; 1 or more."""
    weights = [1 / len(one) for one in samples]
    return sum(w * _inflation(one) for w, one in zip(weights, samples, strict=True)) / sum(weights)


def _inflation(values: Sequence[float]) -> float:
    """That of the mean of a series in which each rank leans on the one before it."""
    count = len(values)
    if count < 4:
        return 1.0
    places = sorted(values)
    ranks = [bisect_left(places, one) + bisect_right(places, one) - count for one in values]
    whole = sum(rank * rank for rank in ranks)
    if not whole:
        return 1.0
    seen = sum(one * two for one, two in pairwise(ranks)) / whole
    # The seen correlation is too low in short series, by about this much (Kendall 1954).
    lean = min(_STRONGEST, max(0.0, seen + (1 + 4 * seen) / count))
    return (1 + lean) / (1 - lean)
