"""One line of steps that run after each other: of a test, of a branch, of a step in the background.

Each has its own ssh masters, so that one line can drop its masters to nodes that are gone while the others go on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from e2e_ansible.engine.processes import end_all

__all__ = ["Borrowed", "Lane", "Lanes"]

_SOCKETS = "ANSIBLE_SSH_CONTROL_PATH_DIR"


@dataclass
class Lane:
    """One line. `token` marks its processes, `environment` is for its playbooks."""

    token: str
    environment: Mapping[str, str]
    lanes: Lanes
    _known: int = 0

    def begin_play(self) -> None:
        """Drop the masters if a node has gone since the last play: one to such a node would hang this play."""
        gone = self.lanes.gone
        if gone != self._known:
            self._known = gone
            end_all(self.token)

    def end(self) -> None:
        """Nothing more is run in this line."""
        end_all(self.token)


@dataclass
class Lanes:
    """All lines of one test. `gone` counts the moments at which nodes may have gone."""

    token: str
    environment: Mapping[str, str]
    gone: int = 0
    _made: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lane(self) -> Lane:
        """A new line. Sockets have short names, so its folder has one as well."""
        with self._lock:
            number = self._made
            self._made += 1
        environment = dict(self.environment)
        if number and _SOCKETS in environment:
            environment[_SOCKETS] += f"/{number}"
        return Lane(f"{self.token}/{number}", environment, self, self.gone)

    @contextmanager
    def one(self) -> Iterator[Lane]:
        """A new line, which ends with the block."""
        lane = self.lane()
        try:
            yield lane
        finally:
            lane.end()

    @contextmanager
    def borrowed(self, own: Lane) -> Iterator[Borrowed]:
        """Lines for items that run at once: `own` and as many more as it takes, which end with the last item."""
        borrowed = Borrowed(self, [own])
        try:
            yield borrowed
        finally:
            borrowed.end(own)

    def nodes_went(self) -> None:
        """A step took nodes away."""
        with self._lock:
            self.gone += 1


@dataclass
class Borrowed:
    """Lines that are used in turns: what runs after another finds its masters open."""

    lanes: Lanes
    idle: list[Lane]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def one(self) -> Iterator[Lane]:
        """A line that nobody else uses meanwhile: the one that was given back last, else a new one."""
        with self._lock:
            lane = self.idle.pop() if self.idle else None
        lane = lane or self.lanes.lane()
        try:
            yield lane
        finally:
            with self._lock:
                self.idle.append(lane)

    def end(self, own: Lane) -> None:
        """End all but `own`."""
        for lane in self.idle:
            if lane is not own:
                lane.end()
