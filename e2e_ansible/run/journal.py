"""What a test wrote down as it happened: intent before an act, outcome after it, synced line by line."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from e2e_ansible.engine.event import Event
from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.entry import Entry
from e2e_ansible.judge.step import Events
from e2e_ansible.run.unreadable import unreadable

__all__ = ["EventLog", "Journal", "mend", "read_events", "read_journal", "write_line"]

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_PIECE = 1 << 16


class Journal:
    """An append-only file; an entry is on the disk when `append` returns, whichever thread calls it."""

    def __init__(self, path: Path) -> None:
        mend(path)
        self._descriptor = os.open(path, _FLAGS, 0o600)
        self._lock = threading.Lock()

    def append(self, entry: Entry) -> None:
        """Write one entry and sync it.

        Raises:
            OSError: it could not be written.
        """
        with self._lock:
            write_line(self._descriptor, entry.model_dump_json() + "\n")
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class EventLog:
    """All events of a test, one line each, written as they come, from whichever step."""

    def __init__(self, path: Path) -> None:
        mend(path)
        self._descriptor = os.open(path, _FLAGS, 0o600)
        self._lock = threading.Lock()

    def append(self, step: str, attempt: int, event: Event) -> None:
        """Write one event.

        Raises:
            OSError: it could not be written.
        """
        head = f'{{"step":{json.dumps(step)},"attempt":{attempt},"event":'
        with self._lock:
            write_line(self._descriptor, f"{head}{event.line()}}}\n")

    def sync(self) -> None:
        """See that all of it is on the disk, before a journal tells of an end that rests on it.

        Raises:
            OSError: it is not.
        """
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_journal(path: Path) -> list[Entry]:
    """All entries of a journal; a last line that a kill has torn is left out.

    Raises:
        HarnessError: the file, or a line in the middle of it, cannot be read.
    """
    entries: list[Entry] = []
    for number, line in _lines(path):
        try:
            entries.append(_ENTRY.validate_json(line))
        except ValidationError as error:
            raise HarnessError(f"{path}:{number}: this is no journal entry") from error
    return entries


def read_events(path: Path) -> Events:
    """All events by step and attempt; empty when the file is not there.

    Raises:
        HarnessError: the file, or a line in the middle of it, cannot be read.
    """
    events: dict[tuple[str, int], list[Event]] = {}
    for number, line in _lines(path):
        try:
            record = json.loads(line)
            key = (str(record["step"]), int(record["attempt"]))
            events.setdefault(key, []).append(Event.model_validate(record["event"]))
        except (ValueError, KeyError, TypeError) as error:
            raise HarnessError(f"{path}:{number}: this is no event") from error
    return events


def mend(path: Path) -> None:
    """Cut off a last line that a kill has torn, so that the next one is whole.

    Raises:
        OSError: it could not be written.
    """
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - _PIECE)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            end = begin + found + 1 if found >= 0 else begin
            if found >= 0:
                break
        file.truncate(end)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    if not path.exists():
        return
    try:
        *whole, _torn = path.read_bytes().split(b"\n")
    except OSError as error:
        raise unreadable(path, error) from error
    yield from enumerate(whole, start=1)


def write_line(descriptor: int, text: str) -> None:
    """All of it or nothing: half a line, as a full disk leaves it, would spoil the line after it.

    Raises:
        OSError: nothing of it was written.
    """
    begin = os.fstat(descriptor).st_size
    data = text.encode("utf-8", errors="surrogatepass")
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, begin)
        raise
