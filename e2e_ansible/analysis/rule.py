"""When a shift is a regression: the four answers, and what decides between them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.analysis.band import WINDOW
from e2e_ansible.analysis.series import Direction
from e2e_ansible.analysis.shift import Shift

__all__ = ["Decision", "Method", "Outcome", "Rule", "decide", "worst_outcome"]


class Outcome(StrEnum):
    """What the data says about one metric. INCONCLUSIVE: it does not decide."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    NO_CHANGE = "no change"
    INCONCLUSIVE = "inconclusive"


class Method(StrEnum):
    """How metrics are compared."""

    HONEST = "honest"
    RATIO = "ratio"


class Rule(BaseModel):
    """How much matters, and how sure one has to be."""

    model_config = ConfigDict(frozen=True)

    method: Method = Method.HONEST
    alpha: float = Field(0.01, gt=0, lt=0.5, description="The chance of even one false alarm per comparison")
    matters: float = Field(0.1, ge=0, description="A change by this share of the baseline matters")
    points: float = Field(0.05, ge=0, le=1, description="A change of a rate by this much matters")
    between: float = Field(
        0.05,
        ge=0,
        description="Runs differ by this share though nothing changed, as long as too few tell their noise",
    )
    window: int = Field(WINDOW, ge=2, description="How many runs back the rolling baseline goes")
    ratio: float = Field(1.2, gt=1, description="Of the ratio rule only: a time this many times longer")


class Decision(BaseModel):
    """An answer and its reason in words."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    reason: str


def decide(
    shift: Shift, adjusted: float, better: Direction, *, matter: float, alpha: float, family: int = 1
) -> Decision:
    """The answer for one metric.

    Args:
        shift: What the test found.
        adjusted: Its chance, corrected for all metrics of the comparison.
        better: Which way is better.
        matter: The smallest change that matters, in the unit of the metric.
        alpha: The chance of a false alarm that is accepted.
        family: How many metrics there are.
    """
    real = adjusted <= alpha and shift.change != 0
    if real and abs(shift.change) >= matter:
        worse = (shift.change > 0) == (better is Direction.LOWER)
        return Decision(
            outcome=Outcome.REGRESSION if worse else Outcome.IMPROVEMENT,
            reason="the change is larger than chance makes it, and large enough to matter",
        )
    if shift.low is not None and shift.high is not None and -matter <= shift.low and shift.high <= matter:
        return Decision(outcome=Outcome.NO_CHANGE, reason="any change is smaller than what matters")
    return Decision(outcome=Outcome.INCONCLUSIVE, reason=_why_open(shift, real, alpha, family))


def _why_open(shift: Shift, real: bool, alpha: float, family: int) -> str:
    if real:
        return "it moved, but whether by enough to matter is not decided"
    if shift.least * family > alpha:
        return "too few values to show anything"
    return "the noise is wider than the change that matters"


def worst_outcome(outcomes: Iterable[Outcome]) -> Outcome:
    """A regression before what is not decided, that before an improvement; of nothing, inconclusive."""
    found = set(outcomes)
    order = (Outcome.REGRESSION, Outcome.INCONCLUSIVE, Outcome.IMPROVEMENT, Outcome.NO_CHANGE)
    return next((one for one in order if one in found), Outcome.INCONCLUSIVE)
