"""A rolling baseline: the middle of the last runs, and the band in which the next one lies if nothing changed.

The middle is the median and the noise a low quantile of all differences between runs (Qn of Rousseeuw and Croux 1993):
up to half of the runs may be anything, so a bad run in the baseline neither hides the next one nor widens the band.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

from e2e_ansible.analysis.beta import student_quantile, student_tails
from e2e_ansible.analysis.shift import Shift

__all__ = ["FEWEST", "WINDOW", "Band", "band", "band_shift", "noise"]

#: Of how many runs at most a baseline is made, and how many it needs.
WINDOW = 20
FEWEST = 8
#: What makes such a quantile, or a mean absolute deviation, the standard deviation of a normal distribution.
_OF_DIFFERENCES, _OF_MEAN = 2.2219, 1.2533
#: In small samples: of 2 to 9 values.
_OF_FEW = (0.399, 0.994, 0.512, 0.844, 0.611, 0.857, 0.669, 0.872)
#: From 8 to 20 values it knows the noise as well as a standard deviation of this share of them: at 1 and 0.1 % of
#: chance, which are asked for here, simulated runs leave the band no more often than Student's t says.
_EFFICIENCY = 0.66


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
    count, half = len(values), len(values) // 2 + 1
    differences = sorted(abs(one - two) for one, two in combinations(values, 2))
    robust = _OF_DIFFERENCES * _of_sample(count) * differences[math.comb(half, 2) - 1]
    if robust:
        return robust
    # Over half of the values are equal: the mean tells more.
    centre = median(values)
    return _OF_MEAN * fmean(abs(one - centre) for one in values)


def _of_sample(count: int) -> float:
    """The factor for few values of Croux and Rousseeuw (1992)."""
    if count < 2 + len(_OF_FEW):
        return _OF_FEW[count - 2]
    return count / (count + (1.4 if count % 2 else 3.8))


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
