"""A rolling baseline: the middle of the last runs, and the band in which the next one lies if nothing changed.

The middle is the median and the noise the median absolute deviation: up to half of the runs may be anything, so a bad
run in the baseline neither hides the next one nor widens the band.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

from e2e_ansible.analysis.beta import student_quantile, student_tails
from e2e_ansible.analysis.shift import Shift

__all__ = ["FEWEST", "WINDOW", "Band", "band", "band_shift", "noise"]

#: Of how many runs at most a baseline is made, and how many it needs.
WINDOW = 20
FEWEST = 8
#: What makes a median or mean absolute deviation the standard deviation of a normal distribution.
_OF_MEDIAN, _OF_MEAN = 1.4826, 1.2533
#: A median absolute deviation knows the noise as well as a standard deviation of 0.37 times as many values.
_EFFICIENCY = 0.37


class Band(BaseModel):
    """Where the next run is expected, in the unit of the metric; `noise` is like a standard deviation."""

    model_config = ConfigDict(frozen=True)

    runs: int
    centre: float
    noise: float
    low: float
    high: float


def noise(values: Sequence[float]) -> float:
    """The spread of most values, as a standard deviation; 0 if all are equal. It needs two values."""
    centre = median(values)
    distances = [abs(one - centre) for one in values]
    # The small-sample factor of Croux and Rousseeuw (1992). Over half of the values equal: the mean tells more.
    robust = _OF_MEDIAN * median(distances) * len(values) / (len(values) - 0.8)
    return robust or _OF_MEAN * fmean(distances)


def band(values: Sequence[float], alpha: float, window: int = WINDOW) -> Band | None:
    """The band of the last `window` values, oldest first, which a next one leaves with chance `alpha`.

    None where there are fewer than `FEWEST`: so few runs do not tell their noise.
    """
    last = values[-window:]
    if len(last) < FEWEST:
        return None
    centre, wide = median(last), noise(last)
    half = student_quantile(alpha, _freedom(len(last))) * _error(wide, len(last))
    return Band(runs=len(last), centre=centre, noise=wide, low=centre - half, high=centre + half)


def band_shift(values: Sequence[float], new: float, alpha: float, window: int = WINDOW) -> Shift | None:
    """How far a new value lies from the baseline; None where there is no band."""
    around = band(values, alpha, window)
    if around is None:
        return None
    change, count = new - around.centre, around.runs
    half = (around.high - around.low) / 2
    # Equal runs have no noise to judge by. Then only this is sure: one of so many and one is the odd one.
    rare = 1 / (count + 1)
    if around.noise:
        p = student_tails(change / _error(around.noise, count), _freedom(count))
    else:
        p = rare if change else 1.0
    return Shift(change, change - half, change + half, p, least=0.0 if around.noise else rare)


def _freedom(count: int) -> float:
    return _EFFICIENCY * (count - 1)


def _error(wide: float, count: int) -> float:
    """The error of a forecast: the noise of the next run, and that of the median itself."""
    return wide * math.sqrt(1 + math.pi / 2 / count)
