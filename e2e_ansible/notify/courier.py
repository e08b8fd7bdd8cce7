"""Delivers things one after the other in a thread of its own, so that nobody waits for the one who gets them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from e2e_ansible.deadline import Deadline
from e2e_ansible.notify.undelivered import Undelivered

__all__ = ["Courier", "Outcome", "Patience"]

T = TypeVar("T")
_MOST_ATTEMPTS = 3
_ROOM = 500


@dataclass(frozen=True)
class Patience:
    """Seconds that one delivery may take, with its repetitions, and all that are left when the run is over.

    `pause_seconds` lie between two attempts.
    """

    delivery_seconds: float = 10.0
    flush_seconds: float = 15.0
    pause_seconds: float = 0.5


@dataclass(frozen=True)
class Outcome:
    """What became of one delivery; `error` is empty when it arrived. `routine`: there are very many like it."""

    courier: str
    what: str
    attempts: int
    seconds: float
    error: str = ""
    routine: bool = False


class Courier(Generic[T]):
    """`deliver(thing, seconds)` raises Undelivered; `outcome` is called in this thread after each delivery.

    At most `room` things wait. With `merge` each stands for all before it, so that one of them waits at most.
    Nobody is told of each `routine` delivery, only of its failures.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[T, float], None],
        what: Callable[[T], str],
        outcome: Callable[[Outcome], None],
        *,
        patience: Patience,
        room: int = _ROOM,
        merge: bool = False,
        routine: bool = False,
    ) -> None:
        self.name = name
        self._deliver, self._what, self._outcome = deliver, what, outcome
        self._patience = patience
        self._room, self._merge, self._routine = room, merge, routine
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._under_way: list[T] = []
        self._ending = self._given_up = False
        self._thread: threading.Thread | None = None

    def offer(self, thing: T) -> None:
        """Take it over; returns at once. What it takes the place of is reported as not delivered."""
        with self._changed:
            left = thing if self._ending else self._add(thing)
            over = self._ending
        if left is not None:
            error = "the run is over" if over else f"{self._room} newer ones are waiting"
            self._outcome(self._became(left, 0, 0, error))

    def _add(self, thing: T) -> T | None:
        """What had to make room for it."""
        left: T | None = None
        if self._merge:
            self._waiting.clear()
        elif len(self._waiting) >= self._room:
            left = self._waiting.popleft()
        self._waiting.append(thing)
        self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
            self._thread.start()
        return left

    def end(self) -> None:
        """Nothing more is offered."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def close(self, deadline: Deadline) -> None:
        """Wait for all deliveries, at most until the deadline; what is left then is reported as not delivered."""
        self.end()
        if self._thread is None:
            return
        self._thread.join(deadline.remaining)
        with self._changed:
            if self._thread.is_alive():
                self._given_up = True
            left = [*self._under_way, *self._waiting] if self._given_up else []
            self._waiting.clear()
            self._under_way.clear()
        for thing in left:
            error = f"it was not taken within {deadline.seconds:.0f} s after the run"
            self._outcome(self._became(thing, 0, deadline.seconds, error))

    def _work(self) -> None:
        while self._next():
            outcome = self._carry(self._under_way[0])
            with self._changed:
                if self._given_up:
                    return
                self._under_way.clear()
            self._outcome(outcome)

    def _next(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            if self._given_up or not self._waiting:
                return False
            self._under_way.append(self._waiting.popleft())
            return True

    def _carry(self, thing: T) -> Outcome:
        begin = time.monotonic()
        attempts, error = self._attempts(thing, Deadline(self._patience.delivery_seconds))
        return self._became(thing, attempts, round(time.monotonic() - begin, 3), error)

    def _became(self, thing: T, attempts: int, seconds: float, error: str) -> Outcome:
        return Outcome(self.name, self._what(thing), attempts, seconds, error, self._routine)

    def _attempts(self, thing: T, deadline: Deadline) -> tuple[int, str]:
        attempt, pause = 0, self._patience.pause_seconds
        while True:
            attempt += 1
            try:
                self._deliver(thing, deadline.remaining)
            except Undelivered as error:
                if not error.again or attempt == _MOST_ATTEMPTS or deadline.remaining <= pause:
                    return attempt, str(error)
            except Exception as error:
                return attempt, f"{type(error).__name__}: {error}"
            else:
                return attempt, ""
            deadline.pause(pause)
