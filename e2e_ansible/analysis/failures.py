"""The cycles of a soak that did not pass, as many of them as can be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from e2e_ansible.analysis.standing import Standing
from e2e_ansible.soak.records import CycleEnd
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["MOST", "FailedCycle", "FailedCycles"]

#: So many are told; the others are counted.
MOST = 200
_MOST_CHARACTERS = 600


class FailedCycle(BaseModel):
    """One cycle that did not pass, and the first of its steps that did not."""

    model_config = ConfigDict(frozen=True)

    cycle: int
    standing: Standing
    verdict: Verdict | None
    cause: Cause | None
    step: str = ""
    error: str = ""


@dataclass
class FailedCycles:
    """The first of them, and how many more there were."""

    found: list[FailedCycle] = field(default_factory=list)
    left_off: int = 0

    def add(self, end: CycleEnd, stands: Standing) -> None:
        """One more."""
        if len(self.found) >= MOST:
            self.left_off += 1
            return
        steps = (name for name, one in end.steps.items() if one.verdict in (Verdict.FAIL, Verdict.UNKNOWN))
        one = FailedCycle(
            cycle=end.cycle_num,
            standing=stands,
            verdict=end.verdict,
            cause=end.cause,
            step=next(steps, ""),
            error=_shortened(end.error),
        )
        self.found.append(one)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} …"
