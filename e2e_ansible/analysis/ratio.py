"""The ratio rule of the first switchover analyzer: 1.2 times as long, or 5 points less often. It knows no noise.

It takes the mean of a whole cycle and the P95 of a phase; of what is better when it is more, the P5. An improvement is
a phase that takes less than 1 / 1.2 of its time; a rate and a mean have none. It answers whatever the number of values,
so its alarms are often false.
"""

from __future__ import annotations

from statistics import fmean

from e2e_ansible.analysis.proportion import Tally
from e2e_ansible.analysis.rule import Decision, Outcome, Rule
from e2e_ansible.analysis.series import Direction, Series
from e2e_ansible.judge.latency import percentile

__all__ = ["judge_rate", "judge_values", "statistic"]


def statistic(series: Series) -> float:
    """The number that the rule compares. It needs a value."""
    if series.whole:
        return fmean(series.values)
    return percentile(sorted(series.values), 0.95 if series.better is Direction.LOWER else 0.05)


def judge_values(before: Series, after: Series, rule: Rule) -> Decision:
    """By the ratio of the two numbers; a baseline of 0 or less has no ratio and counts as 1, as in the original."""
    old, new = statistic(before), statistic(after)
    ratio = new / old if old > 0 else 1.0
    longer = ratio if after.better is Direction.LOWER else (1 / ratio if ratio > 0 else rule.ratio + 1)
    slow = "P95" if after.better is Direction.LOWER else "P5"
    reason = f"{'mean' if after.whole else slow} {ratio:.2f} times the baseline"
    if longer > rule.ratio:
        return Decision(outcome=Outcome.REGRESSION, reason=f"{reason}, the limit is {rule.ratio:g}")
    if not after.whole and longer < 1 / rule.ratio:
        return Decision(outcome=Outcome.IMPROVEMENT, reason=reason)
    return Decision(outcome=Outcome.NO_CHANGE, reason=reason)


def judge_rate(before: Tally, after: Tally, rule: Rule) -> Decision:
    """By the points of the rate that were lost. What is not known is no pass."""
    old, new = before.passed / before.trials, after.passed / after.trials
    # Shares of whole numbers: the difference of two equal ones may be off in the last bits.
    dropped = round(old - new, 12)
    reason = f"{abs(dropped) * 100:.1f} points {'less' if dropped > 0 else 'more'}"
    outcome = Outcome.REGRESSION if dropped > rule.points else Outcome.NO_CHANGE
    return Decision(outcome=outcome, reason=reason)
