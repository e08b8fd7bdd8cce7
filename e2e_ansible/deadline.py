"""The one place that sleeps: a wait is a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Deadline"]

T = TypeVar("T")


class Deadline:
    """A moment `seconds` from now. `clock` counts seconds and never goes back; `sleep` takes seconds.

    >>> Deadline(5).wait_for(lambda: "ready")
    'ready'
    """

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._end = clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._end - self._clock())

    @property
    def expired(self) -> bool:
        """Whether the moment has passed."""
        return self.remaining <= 0

    def pause(self, seconds: float) -> None:
        """Sleep, but never past the moment."""
        self._sleep(min(seconds, self.remaining))

    def wait_for(self, predicate: Callable[[], T], interval: float = 0.05) -> T:
        """Ask `predicate` every `interval` seconds; its first true value, or its last value at the deadline.

        It is asked at least once, and once more after the last pause.
        """
        while True:
            last_chance = self.expired
            value = predicate()
            if value or last_chance:
                return value
            self.pause(interval)
