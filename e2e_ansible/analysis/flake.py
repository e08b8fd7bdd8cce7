"""How often each step fails without anything having changed, with the rates that fit what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from e2e_ansible.analysis.proportion import LEVEL, Proportion, Tally, proportion

__all__ = ["Flake", "Steadiness", "flakes", "tally"]


class Steadiness(StrEnum):
    """What repetitions of one step showed."""

    STEADY = "steady"
    FLAKY = "flaky"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class Flake(BaseModel):
    """One step over all repetitions; `failing` is the rate of failures, of those trials that were decided.

    A steady step has not failed yet: `failing.at_most` tells how often it may fail all the same.
    """

    model_config = ConfigDict(frozen=True)

    step: str
    steadiness: Steadiness
    failing: Proportion
    undecided: int = 0


def tally(passes: Iterable[bool | None]) -> Tally:
    """How often it worked, failed, and was not known (None)."""
    found = list(passes)
    return Tally(passed=found.count(True), failed=found.count(False), unknown=found.count(None))


def flakes(steps: Mapping[str, Tally], level: float = LEVEL) -> tuple[Flake, ...]:
    """The flake rate of each step, the most often failing first, then by name."""
    found = [_flake(step, counts, level) for step, counts in steps.items()]
    return tuple(sorted(found, key=lambda one: (-(one.failing.rate or 0), one.step)))


def _flake(step: str, counts: Tally, level: float) -> Flake:
    failing = proportion(Tally(passed=counts.failed, failed=counts.passed), level)
    if not counts.failed and not counts.passed:
        steadiness = Steadiness.UNKNOWN
    elif counts.failed and counts.passed:
        steadiness = Steadiness.FLAKY
    else:
        steadiness = Steadiness.BROKEN if counts.failed else Steadiness.STEADY
    return Flake(step=step, steadiness=steadiness, failing=failing, undecided=counts.unknown)
