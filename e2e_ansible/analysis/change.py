"""What a comparison found: the answer for each metric, and for all of them together."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.analysis.rule import Outcome, Rule, worst_outcome
from e2e_ansible.analysis.series import Direction

__all__ = ["Change", "Comparison", "Kind", "Test"]

Kind = Literal["values", "rate"]
Test = Literal["rank", "band", "fisher", "trend", "ratio"]


class Change(BaseModel):
    """One metric. Times are in seconds, rates 0 to 1; `change`, `low` and `high` are after minus before.

    `before` and `after` are medians, of the ratio rule the numbers it compares, of a rate the rates themselves, and of
    a trend the ends of its straight line.
    """

    model_config = ConfigDict(frozen=True)

    metric: str
    kind: Kind
    outcome: Outcome
    reason: str
    test: Test
    unit: str = ""
    better: Direction
    before: float
    after: float
    before_count: int = Field(description="Values or trials of the baselines; of test `band`, runs")
    after_count: int
    matter: float = Field(description="The smallest change that matters, in the unit")
    change: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted: float | None = Field(None, description="`p` corrected for all metrics of this comparison")


class Comparison(BaseModel):
    """The answer for every metric that both sides have, in order of name; `only_*` are the others."""

    model_config = ConfigDict(frozen=True)

    name: str
    baselines: tuple[str, ...]
    rule: Rule
    changes: tuple[Change, ...]
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst answer: regression, inconclusive, improvement, no change; without metrics, inconclusive."""
        return worst_outcome(one.outcome for one in self.changes)

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What got worse."""
        return tuple(one for one in self.changes if one.outcome is Outcome.REGRESSION)

    @property
    def exit_code(self) -> int:
        """For CI: 1 a regression, 3 something is not decided, else 0."""
        return {Outcome.REGRESSION: 1, Outcome.INCONCLUSIVE: 3}.get(self.outcome, 0)
