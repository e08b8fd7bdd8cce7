"""Writes a history: each note is one unbuffered append, so what was noted survives a kill of the client."""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e_ansible.errors import HarnessError
from e2e_ansible.oracle.history import Event, Record, parse
from e2e_ansible.oracle.measure import Sample, boot

__all__ = ["HistoryFile", "Operation", "in_use"]

#: A machine that lost its power may have lost notes that were not on its disk; their numbers are not used again.
_LOST_NOTES = 1_000_000

Operation = tuple[str, Any]
"""What is done, and with what."""


class HistoryFile:
    """The history, open for appending and locked, with the numbers it has reached; a torn end is cut off.

    The numbers of a new one begin after `first`.

    Raises:
        HarnessError: another client has it open, or the last of its records cannot be read.
    """

    def __init__(self, path: Path, first: int = 0) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HarnessError(f"another client has {path} open") from error
        self._lock = threading.Lock()
        self.last, self.mark = first, 0
        self.cost = Sample()
        if os.fstat(self._descriptor).st_size:
            self._continue()

    def _continue(self) -> None:
        with mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ) as data:
            whole = data.rfind(b"\n") + 1
            self.last = _latest(data, whole, Event.INVOKED).id or self.last
            self.mark = _latest(data, whole, Event.PAUSE).mark or 0
            begun = _latest(data, whole, Event.START)
        os.ftruncate(self._descriptor, whole)
        if begun.boot and begun.boot != boot():
            self.last += _LOST_NOTES

    def note(self, event: Event, **facts: Any) -> None:
        """Append one record, at once. A full disk raises OSError: what is not noted does not count."""
        with self._lock:
            self._note(event, facts)

    def invoke(self, make: Callable[[int], Operation], **facts: Any) -> tuple[int, Operation]:
        """Number the next operation and note that it is about to be sent. Numbers rise from line to line.

        Raises:
            OSError: it could not be noted, so it must not be sent.
        """
        with self._lock:
            number = self.last + 1
            operation = make(number)
            self.last = number
            self._note(Event.INVOKED, {"id": number, **facts, "op": operation[0], "value": operation[1]})
            return number, operation

    @property
    def size(self) -> int:
        """Bytes that it has now."""
        return os.fstat(self._descriptor).st_size

    def _note(self, event: Event, facts: dict[str, Any]) -> None:
        begin = time.monotonic_ns()
        said = {"event": event, "wall": time.time_ns(), "mono": begin}
        said.update((name, fact) for name, fact in facts.items() if fact is not None and fact != "")
        line = json.dumps(said, separators=(",", ":")).encode() + b"\n"
        while line:  # one write, unless the disk takes less
            line = line[os.write(self._descriptor, line) :]
        self.cost.add(time.monotonic_ns() - begin)


def in_use(path: Path) -> bool:
    """Whether a client has this history open."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _latest(data: mmap.mmap, end: int, event: Event) -> Record:
    """The last record of a kind before `end`, without reading the days of records before it."""
    at = data.rfind(f'{{"event":"{event}",'.encode(), 0, end)
    if at < 0:
        return Record(event=event, wall=0, mono=0)
    return next(parse(data[at : data.find(b"\n", at) + 1]))
