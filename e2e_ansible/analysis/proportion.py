"""How often something works: the rate that was seen, and the rates that fit what was seen."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from e2e_ansible.analysis.beta import beta_bracket

__all__ = ["LEVEL", "Proportion", "Tally", "at_least", "at_most", "proportion", "trials_needed"]

#: How sure a bound is: a bound of this level is wrong in at most one of twenty cases.
LEVEL = 0.95
_MOST_TRIALS = 10**9


class Tally(BaseModel):
    """How trials ended. What is not known is neither a pass nor a failure."""

    model_config = ConfigDict(frozen=True)

    passed: NonNegativeInt = 0
    failed: NonNegativeInt = 0
    unknown: NonNegativeInt = 0

    @property
    def trials(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.unknown

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            passed=self.passed + other.passed,
            failed=self.failed + other.failed,
            unknown=self.unknown + other.unknown,
        )


class Proportion(BaseModel):
    """A rate of passes (0 to 1) with its exact two-sided interval and both one-sided bounds.

    `rate` is None without trials. An unknown trial counts as a failure below and as a pass above.
    """

    model_config = ConfigDict(frozen=True)

    tally: Tally
    level: float = LEVEL
    rate: float | None = Field(None, description="Passed of all trials")
    low: float = 0
    high: float = 1
    at_least: float = Field(0, description="The lower bound alone: the level is spent on one side")
    at_most: float = 1


def at_least(passed: int, trials: int, level: float = LEVEL) -> float:
    """The one-sided lower bound of Clopper and Pearson for a rate: the rate is above it with confidence `level`.

    >>> round(at_least(20, 20), 3)
    0.861

    Raises:
        ValueError: more passed than were tried, a negative number, or a level outside of 0 to 1.
    """
    _examine(passed, trials, level)
    return beta_bracket(1 - level, passed, trials - passed + 1)[0] if passed else 0.0


def at_most(passed: int, trials: int, level: float = LEVEL) -> float:
    """The one-sided upper bound of Clopper and Pearson. Raises ValueError as `at_least` does."""
    _examine(passed, trials, level)
    return beta_bracket(level, passed + 1, trials - passed)[1] if passed < trials else 1.0


def _examine(passed: int, trials: int, level: float) -> None:
    if not 0 <= passed <= trials:
        raise ValueError(f"{passed} of {trials} is no rate")
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not at {level}")


def proportion(tally: Tally, level: float = LEVEL) -> Proportion:
    """The rate of passes, its interval (both tails together `1 - level`) and its one-sided bounds."""
    worst, best, trials = tally.passed, tally.passed + tally.unknown, tally.trials
    if not trials:
        return Proportion(tally=tally, level=level)
    both = (1 + level) / 2
    return Proportion(
        tally=tally,
        level=level,
        rate=worst / trials,
        low=at_least(worst, trials, both),
        high=at_most(best, trials, both),
        at_least=at_least(worst, trials, level),
        at_most=at_most(best, trials, level),
    )


def trials_needed(asked: float, failures: int = 0, level: float = LEVEL) -> int:
    """How many trials with no more than these failures show that the rate is at least `asked`.

    >>> trials_needed(0.95)
    59

    Raises:
        ValueError: the rate asked for is not between 0 and 1, or takes more than a thousand million trials.
    """
    if not 0 < asked < 1:
        raise ValueError(f"trials can show a rate between 0 and 1, not {asked}")
    few, many = failures, failures + 1
    while at_least(many - failures, many, level) < asked:
        few, many = many, many * 2
        if many > _MOST_TRIALS:
            raise ValueError(f"a rate of {asked} takes more than {_MOST_TRIALS} trials")
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if at_least(middle - failures, middle, level) < asked else (few, middle)
    return many
