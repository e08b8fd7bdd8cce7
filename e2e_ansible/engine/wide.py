"""What one task on many hosts writes down about each of them, and the events that come of it.

`wide_command` runs once for all hosts, so Ansible has one event for it. It writes what it does into a file of its
task, as it happens; from this come the events that each host would have had by itself. A file and not the result:
ansible-runner drops results that are long, and a task that is cut off has none.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from e2e_ansible.engine.event import Kind

__all__ = ["ACTION", "FOLDER_VARIABLE", "Expansion", "Log", "expanded", "interrupted"]

ACTION = "wide_command"
FOLDER_VARIABLE = "E2E_WIDE_FOLDER"  # of the environment: where the files are
_ENDS = (Kind.OK, Kind.FAILED)
Raw = Mapping[str, Any]


class Log:
    """The file of one task, written by it; lines may come from several threads. Without a folder there is none."""

    def __init__(self, folder: str, task: str) -> None:
        self._lock = threading.Lock()
        self._file = _new(_path(Path(folder), task)) if folder else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def begun(self, host: str) -> None:
        """The host's turn has come."""
        self._write({"host": host})

    def ended(self, host: str, result: Mapping[str, Any], begun: float) -> None:
        """What came of it; `begun` is in seconds since the epoch."""
        times = {"begun": begun, "ended": time.time()}
        self._write({"host": host, "result": result, **times})

    def _write(self, record: Mapping[str, Any]) -> None:
        if self._file:
            line = json.dumps(record) + "\n"
            with self._lock:
                self._file.write(line)
                self._file.flush()


class Expansion:
    """Turns the events of one playbook run into those of its hosts; counters stay in order and without gaps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begun: Raw | None = None
        self._added = 0
        self._counter = 0

    def events(self, raw: Raw) -> Iterator[Raw]:
        """The event itself, or those of the hosts in its place.

        Raises:
            ValueError: what the task has written down is gone.
        """
        made = [raw]
        if raw.get("event_data", {}).get("task_action") == ACTION:
            if raw["event"] == Kind.HOST_START:
                self._begun = raw
            elif raw["event"] in _ENDS:
                self._begun = None
                made = expanded(raw, self._records(raw))
        yield from self._counted(int(raw["counter"]) + self._added, made)
        self._added += len(made) - 1

    def left(self) -> Iterator[Raw]:
        """What is known of a task that was cut off; for after the last event."""
        if self._begun:
            made = interrupted(self._begun, self._records(self._begun))
            yield from self._counted(self._counter + 1, made)

    def _counted(self, first: int, made: Iterable[Raw]) -> Iterator[Raw]:
        for self._counter, event in enumerate(made, start=first):
            yield {**event, "counter": self._counter}

    def _records(self, raw: Raw) -> list[Raw]:
        """What the file of the task has. A last line that is not whole was being written when all was ended."""
        path = _path(self._folder, str(raw["event_data"]["task_uuid"]))
        records: list[Raw] = []
        with suppress(FileNotFoundError, json.JSONDecodeError), path.open(encoding="ascii") as lines:
            records.extend(map(json.loads, lines))
        path.unlink(missing_ok=True)
        return records


def expanded(raw: Raw, records: Iterable[Raw]) -> list[Raw]:
    """The events of the hosts in place of the one of their task, which stays if it was not done.

    Raises:
        ValueError: it was done and nothing was written down.
    """
    made = _results(raw, records)
    if not raw["event_data"].get("res", {}).get("done"):
        return [*made, raw]
    if not made:
        raise ValueError("the results of the hosts are gone")
    return made


def interrupted(raw: Raw, records: Iterable[Raw]) -> list[Raw]:
    """The events of hosts that have ended, and the begin of the others; `raw` is the begin of the task."""
    known = list(records)
    ended = _results(raw, known)
    hosts = {event["event_data"]["host"] for event in ended}
    return [
        *ended,
        *(_event(raw, Kind.HOST_START, record) for record in known if record["host"] not in hosts),
    ]


def _results(raw: Raw, records: Iterable[Raw]) -> list[Raw]:
    return [_result(raw, record) for record in records if "result" in record]


def _result(raw: Raw, record: Raw) -> Raw:
    result = record["result"]
    begun, ended = (datetime.fromtimestamp(record[key], UTC) for key in ("begun", "ended"))
    more = {
        "start": begun.isoformat(),
        "end": ended.isoformat(),
        "duration": (ended - begun).total_seconds(),
        "res": result,
    }
    if result.get("unreachable"):
        said = f"fatal: [{record['host']}]: UNREACHABLE! => {json.dumps(result)}"
        return _event(raw, Kind.UNREACHABLE, record, said, **more)
    if result.get("failed"):
        said = f"fatal: [{record['host']}]: FAILED! => {json.dumps(result)}"
        return _event(raw, Kind.FAILED, record, said, **more)
    return _event(raw, Kind.OK, record, f"changed: [{record['host']}]", **more)


def _event(raw: Raw, kind: Kind, record: Raw, said: str = "", **more: object) -> Raw:
    host = record["host"]
    data = {**raw["event_data"], "host": host, "remote_addr": host, **more}
    return {**raw, "event": kind.value, "stdout": said, "event_data": data}


def _new(path: Path) -> TextIO:
    path.touch(mode=0o600, exist_ok=False)
    return path.open("a", encoding="ascii")


def _path(folder: Path, task: str) -> Path:
    return folder / f"wide-{task}.jsonl"
