"""Percentiles of a phase, with the range in which each one may really lie. In the unit of the values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.analysis.beta import beta_share
from e2e_ansible.analysis.proportion import LEVEL
from e2e_ansible.judge.latency import percentile

__all__ = ["SHARES", "Percentile", "Percentiles", "percentiles"]

#: What is told of every phase.
SHARES = (0.5, 0.9, 0.95, 0.99)


class Percentile(BaseModel):
    """One percentile: what was seen, by linear interpolation, and the two seen values that enclose the true one.

    `low` or `high` is None where so few values have no bound on that side.
    """

    model_config = ConfigDict(frozen=True)

    share: float
    value: float
    low: float | None = None
    high: float | None = None

    @property
    def name(self) -> str:
        """`P50`, `P99.9`."""
        return f"P{self.share * 100:.6g}"


class Percentiles(BaseModel):
    """All percentiles of one phase; without values there are none."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    least: float | None = None
    most: float | None = None
    mean: float | None = None
    level: float = Field(LEVEL, description="How sure each range is")
    all: tuple[Percentile, ...] = ()

    def at(self, share: float) -> Percentile | None:
        """The percentile of this share, None if there is none."""
        return next((one for one in self.all if one.share == share), None)


def percentiles(
    values: Sequence[float], shares: Sequence[float] = SHARES, level: float = LEVEL
) -> Percentiles:
    """Percentiles by linear interpolation; their ranges hold for any distribution of independent values.

    Raises:
        ValueError: a share is not between 0 and 1.
    """
    if not values:
        return Percentiles(level=level)
    ordered = sorted(values)
    return Percentiles(
        count=len(ordered),
        least=ordered[0],
        most=ordered[-1],
        mean=min(max(sum(ordered) / len(ordered), ordered[0]), ordered[-1]),
        level=level,
        all=tuple(_percentile(ordered, share, level) for share in shares),
    )


def _percentile(ordered: Sequence[float], share: float, level: float) -> Percentile:
    value = percentile(ordered, share)
    below, above = _places(len(ordered), share, level)
    return Percentile(
        share=share,
        value=value,
        # Of few values the straight line ends below what is sure; a range without its own value would only confuse.
        low=min(ordered[below], value) if below is not None else None,
        high=max(ordered[above], value) if above is not None else None,
    )


@lru_cache(maxsize=1024)
def _places(count: int, share: float, level: float) -> tuple[int | None, int | None]:
    """The places of the two sorted values between which the true percentile lies with this confidence.

    How many values lie below the true percentile is binomial, whatever the distribution of the values is.
    """
    if not 0 < share < 1:
        return None, None
    tail = (1 - level) / 2
    low = _largest(lambda place: _at_most(place, count, share) <= tail, count)
    high = _largest(lambda place: _at_most(place, count, 1 - share) <= tail, count)
    return low, None if high is None else count - 1 - high


def _at_most(number: int, count: int, share: float) -> float:
    """The chance of at most `number` successes of `count`, each with the chance `share`."""
    return 1 - beta_share(share, number + 1, count - number) if number < count else 1.0


def _largest(holds: Callable[[int], bool], count: int) -> int | None:
    """The largest place below `count` for which something holds that holds for all places below it."""
    low, high = -1, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return None if low < 0 else low
