"""The beta distribution, on which exact intervals of rates and Student's t rest."""

from __future__ import annotations

import math
from functools import lru_cache

__all__ = ["beta_bracket", "beta_share", "student_quantile", "student_tails"]

_TINY = 1e-300
_ENOUGH = 1e-15
_TERMS = 100_000
_HALVINGS = 53


def beta_share(x: float, a: float, b: float) -> float:
    """The share of a beta distribution with parameters `a` and `b` that lies below `x`, 0 to 1.

    >>> round(beta_share(0.5, 2, 3), 4)
    0.6875

    Raises:
        ValueError: `a` or `b` is not above 0, or they are far above a thousand million.
    """
    if a <= 0 or b <= 0:
        raise ValueError(f"a beta distribution has parameters above 0, not {a} and {b}")
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(scale) * _fraction(x, a, b) / a
    return 1 - math.exp(scale) * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by the method of Lentz."""
    c, d = 1.0, _one_over(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = _one_over(1 + term * d)
            c = _not_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _ENOUGH:
            return value
    raise ValueError(f"a beta distribution with parameters {a:g} and {b:g} is too narrow to be computed")


def _not_zero(x: float) -> float:
    return x if abs(x) > _TINY else _TINY


def _one_over(x: float) -> float:
    return 1 / _not_zero(x)


@lru_cache(maxsize=4096)
def beta_bracket(share: float, a: float, b: float) -> tuple[float, float]:
    """Two numbers, as near to each other as floats near 1 are, between which the quantile lies."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_share(middle, a, b) < share else (low, middle)
    return low, high


def student_tails(t: float, freedom: float) -> float:
    """The share of Student's t distribution that is farther from 0 than `t`, both tails together."""
    return beta_share(freedom / (freedom + t * t), freedom / 2, 0.5)


def student_quantile(tails: float, freedom: float) -> float:
    """How far from 0 the two tails begin that hold the share `tails` of Student's t distribution.

    >>> round(student_quantile(0.05, 10), 3)
    2.228
    """
    _, x = beta_bracket(tails, freedom / 2, 0.5)
    return math.sqrt(freedom * (1 - x) / x)
