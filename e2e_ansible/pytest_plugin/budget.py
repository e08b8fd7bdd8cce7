"""The budget of nodes that all workers share: one file for each of them, locked as long as it lives.

Who dies loses its lock, whatever became of it, and its nodes count no more. Those who wait get their turn in order, so
that a large test is not starved by small ones; but who has nodes already goes first, as those cannot come back before.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import UsageError
from e2e_ansible.run.folder import make_private

__all__ = ["Budget"]

_INTERVAL = 0.1
_HINT = "raise --e2e-max-nodes, or begin fewer workers"


@dataclass(frozen=True)
class _Share:
    """What one process has and waits for, in nodes; `since` orders those who wait."""

    held: int = 0
    wanted: int = 0
    since: int = 0


class Budget:
    """At most `most` nodes at once over all processes that use the same folder; None is no bound."""

    def __init__(self, folder: Path, most: int | None) -> None:
        self._folder = folder
        self._most = most
        self._mine = _Share()
        self._file = -1

    @contextmanager
    def nodes(self, count: int) -> Iterator[None]:
        """Wait until so many nodes may be made; give them back at the end.

        Raises:
            UsageError: they never can be: more than the budget, or those who have the rest wait as well.
        """
        if self._most is None:
            yield
            return
        if count > self._most:
            raise UsageError(f"{count} nodes are more than the budget of {self._most}", hint=_HINT)
        try:
            Deadline(float("inf")).wait_for(lambda: self._taken(count, self._most or 0), _INTERVAL)
        finally:
            self._save(replace(self._mine, wanted=0))
        try:
            yield
        finally:
            self._save(replace(self._mine, held=self._mine.held - count))

    def close(self) -> None:
        """Give everything back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _taken(self, count: int, most: int) -> bool:
        with self._alone():
            others = self._others()
            free = most - self._mine.held - sum(other.held for other in others)
            first = bool(self._mine.held) or not any(self._is_before(other) for other in others)
            if count <= free and first:
                self._write(replace(self._mine, held=self._mine.held + count))
                return True
            since = self._mine.since if self._mine.wanted else time.monotonic_ns()
            self._write(replace(self._mine, wanted=count, since=since))
            self._refuse_for_ever(free, others, most)
        return False

    def _is_before(self, other: _Share) -> bool:
        """Whether another one waits for longer, and is not among those who will be told that it is in vain."""
        return (
            bool(other.wanted)
            and not other.held
            and (not self._mine.wanted or other.since < self._mine.since)
        )

    def _refuse_for_ever(self, free: int, others: Sequence[_Share], most: int) -> None:
        """Whoever has nodes gives them back only after it got those that it waits for."""
        holders = [share for share in (self._mine, *others) if share.held]
        if self._mine.held and all(share.wanted > free for share in holders):
            held = sum(share.held for share in holders)
            text = f"{self._mine.wanted} more nodes are wanted, {held} of {most} exist, and nobody can give any back"
            raise UsageError(text, hint=_HINT)

    # ---- files

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_private(self._folder)
        descriptor = os.open(self._folder / "turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _save(self, share: _Share) -> None:
        with self._alone():
            self._write(share)

    def _write(self, share: _Share) -> None:
        self._mine = share
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(asdict(share)).encode(), 0)

    @property
    def _path(self) -> Path:
        return self._folder / f"{os.getpid()}-{id(self):x}.share"

    def _others(self) -> list[_Share]:
        """What the living have; the files of the dead are removed."""
        paths = [path for path in self._folder.glob("*.share") if path != self._path]
        return [share for path in paths if (share := _read(path)) is not None]


def _read(path: Path) -> _Share | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _Share(**json.loads(os.pread(descriptor, 4096, 0)))
    else:
        path.unlink()
        return None
    finally:
        os.close(descriptor)
