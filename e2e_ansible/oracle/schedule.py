"""When operations are due: an open loop, so a server that is slow makes operations late and never fewer unseen."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

__all__ = ["Schedule", "Turn"]

#: An operation that would be later than this is left out and counted: a burst after an outage measures the burst.
LATEST_SECONDS = 1.0
_NANO = 1_000_000_000


@dataclass(frozen=True)
class Turn:
    """It is time for one operation, `late` nanoseconds after its moment; `skipped` before it were left out."""

    late: int
    skipped: int


class Schedule:
    """Gives turns to workers at a rate per second, none while it is paused or after it was stopped."""

    def __init__(self, rate: float) -> None:
        self._period = max(1, round(_NANO / rate))
        self._changed = threading.Condition()
        self._due = time.monotonic_ns()
        self._busy = 0
        self._paused = False
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether no more turns will come."""
        return self._stopped

    @property
    def paused(self) -> bool:
        """Whether no turns come until `resume`."""
        return self._paused

    def take(self) -> Turn | None:
        """Wait for a turn, and be busy until `done`; None when there are no more."""
        with self._changed:
            while not self._stopped:
                now = time.monotonic_ns()
                if not self._paused and now >= self._due:
                    return self._turn(now)
                self._changed.wait(None if self._paused else (self._due - now) / _NANO)
        return None

    def _turn(self, now: int) -> Turn:
        missed = max(0, (now - self._due - int(LATEST_SECONDS * _NANO)) // self._period)
        self._due += missed * self._period
        turn = Turn(late=now - self._due, skipped=missed)
        self._due += self._period
        self._busy += 1
        return turn

    def done(self) -> None:
        """The operation of a turn has ended."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def pause(self, seconds: float) -> bool:
        """Give no more turns and wait until nobody is busy; whether that was so within the time."""
        with self._changed:
            self._paused = True
            return self._changed.wait_for(lambda: self._busy == 0, seconds)

    def resume(self) -> None:
        """Give turns again; what was due in the pause was never asked for."""
        with self._changed:
            self._paused = False
            self._due = time.monotonic_ns()
            self._changed.notify_all()

    def stop(self) -> None:
        """Give no more turns. Safe to call again."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
