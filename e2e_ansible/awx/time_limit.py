"""The time of a test's class on AWX. Its jobs keep to it; here it is told from their times what that means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from e2e_ansible.compile.bounds import in_time
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.entry import Entry, TimeUp
from e2e_ansible.suite.times import LIMITS

__all__ = ["TimeLimit"]


@dataclass
class TimeLimit:
    """`begun` is when the first job said that it began, in seconds since 1970. `up` is true once the time was over."""

    plan: Plan
    write: Callable[[Entry], None]
    begun: float | None = None
    up: bool = False

    def begin(self, begun: float | None) -> None:
        """Take the word of a job. Branches that begin at once may each say when; the earliest is meant."""
        if begun is not None:
            self.begun = begun if self.begun is None else min(begun, self.begun)

    def over(self, step: PlannedStep, at: float) -> bool:
        """Whether a step that ended then has ended after the time was over."""
        return self._limit(step) is not None and self._used(at) >= (self._limit(step) or 0.0)

    def outcome(self, outcome: Outcome, step: PlannedStep, at: float, cut: Mapping[str, str]) -> Outcome:
        """In the words of a run, if the time ended the job, or a task of it on the hosts in `cut`."""
        failed = bool(cut) and outcome.ended is Ended.COMPLETED and outcome.rc != 0
        if not (failed or outcome.ended is Ended.TIMEOUT) or not self.over(step, at):
            return outcome
        text = f"not done when the time of class {self.plan.time_class}, {self._limit(step):g} s, was over"
        text += "".join(f"; {host}: {task!r} was under way" for host, task in cut.items())
        return outcome.model_copy(update={"ended": Ended.TIMEOUT, "rc": None, "message": text})

    def tell(self, at: float, step: str = "", used: float | None = None) -> str:
        """Write down, once, that the time was over: in a `step`, or '' between two. What is to be said of it."""
        if self.up:
            return ""
        self.up = True
        used = round(self._used(at) if used is None else used, 3)
        limit, name = LIMITS[self.plan.time_class], self.plan.time_class
        self.write(TimeUp(at=at, time_class=name, limit=limit, used=used, step=step))
        return f"the time of class {name} is over after {used:.0f} s: no other step begins"

    def _limit(self, step: PlannedStep) -> float | None:
        return LIMITS[self.plan.time_class] if step.id in in_time(self.plan) else None

    def _used(self, at: float) -> float:
        return at - self.begun if self.begun is not None else 0.0
