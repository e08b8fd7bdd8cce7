"""Two rates compared: Fisher's exact test, and an interval of the difference that never claims too much."""

from __future__ import annotations

import math
from itertools import product

from e2e_ansible.analysis.proportion import Tally, proportion
from e2e_ansible.analysis.shift import Shift

__all__ = ["fisher", "rate_shift"]

#: Two tables that are equally likely may differ in the last bits.
_EQUAL = 1 + 1e-9


def fisher(passed: int, trials: int, other_passed: int, other_trials: int) -> float:
    """The chance of rates at least as unlike as these, either way, if both are the same (Fisher 1935).

    Raises:
        ValueError: more passed than were tried, or a negative number.
    """
    if not (0 <= passed <= trials and 0 <= other_passed <= other_trials):
        raise ValueError(f"{passed} of {trials} and {other_passed} of {other_trials} are no rates")
    together = passed + other_passed
    every = range(max(0, together - other_trials), min(trials, together) + 1)
    chances = {one: _ways(trials, one) + _ways(other_trials, together - one) for one in every}
    whole = _ways(trials + other_trials, together)
    seen = math.exp(chances[passed] - whole) * _EQUAL
    return min(
        1.0, math.fsum(chance for log in chances.values() if (chance := math.exp(log - whole)) <= seen)
    )


def _ways(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def rate_shift(before: Tally, after: Tally, alpha: float) -> Shift:
    """How far the rate of passes moved, -1 to 1. What is not known counts in the way that decides least.

    Raises:
        ValueError: one of them has no trials.
    """
    early, late = proportion(before, 1 - alpha / 2), proportion(after, 1 - alpha / 2)
    if early.rate is None or late.rate is None:
        raise ValueError(f"no shift between {before.trials} and {after.trials} trials")
    ends = [
        (old, new)
        for old, new in product(
            {before.passed, before.passed + before.unknown}, {after.passed, after.passed + after.unknown}
        )
    ]
    changes = [new / after.trials - old / before.trials for old, new in ends]
    one_way = all(change > 0 for change in changes) or all(change < 0 for change in changes)
    ps = [fisher(old, before.trials, new, after.trials) for old, new in ends]
    return Shift(
        change=min(changes, key=abs) if one_way else late.rate - early.rate,
        low=late.low - early.high,
        high=late.high - early.low,
        p=max(ps) if one_way else 1.0,
        least=fisher(before.trials, before.trials, 0, after.trials),
    )
