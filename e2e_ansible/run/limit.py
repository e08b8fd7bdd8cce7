"""The time of a test's class: a cancel that comes by itself when all steps together have taken too long."""

from __future__ import annotations

from collections.abc import Callable

from e2e_ansible.engine.protocol import Cancel, Ended, Outcome
from e2e_ansible.suite.times import LIMITS

__all__ = ["TimeLimit", "in_time"]


class TimeLimit(Cancel):
    """Asks to stop when `cancel` does, or when the time of the class is over; without a class only when `cancel` does.

    Args:
        cancel: What stops the whole run.
        time_class: Its name, '' for none.
        used: Seconds that were used before the run died.
        clock: Seconds that never go back.
    """

    def __init__(
        self, cancel: Cancel, time_class: str, *, used: float = 0.0, clock: Callable[[], float]
    ) -> None:
        super().__init__()
        self._cancel = cancel
        self._clock = clock
        self._begin = clock() - used
        self.time_class = time_class
        self.seconds = LIMITS.get(time_class)
        self._over = False

    def set(self) -> None:
        """Stop the whole run."""
        self._cancel.set()

    @property
    def used(self) -> float:
        """Seconds that the test has taken so far, without those in which its run was dead."""
        return self._clock() - self._begin

    @property
    def over(self) -> bool:
        """Whether the time is over; once it is, it stays so. What an interrupt has ended was in time."""
        if not self._over and self.seconds is not None and not self._cancel.is_set:
            self._over = self.used >= self.seconds
        return self._over

    @property
    def is_set(self) -> bool:
        """Whether to stop, for either reason."""
        return self._cancel.is_set or self.over

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; True as soon as there is a reason to stop."""
        left = seconds if self.seconds is None else min(seconds, max(0.0, self.seconds - self.used))
        self._cancel.wait(left)
        return self.is_set


def in_time(outcome: Outcome, cancel: Cancel) -> Outcome:
    """What an engine tells of a playbook that was ended because the time of the class was over is no interrupt."""
    if outcome.ended is not Ended.CANCELED or not isinstance(cancel, TimeLimit) or not cancel.over:
        return outcome
    text = f"not done when the time of class {cancel.time_class}, {cancel.seconds:g} s, was over"
    return outcome.model_copy(update={"ended": Ended.TIMEOUT, "message": text})
