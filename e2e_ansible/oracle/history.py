"""Reads what a client noted: one JSON object a line, in the order in which it happened. Pure, standard library only."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, cast

from e2e_ansible.errors import HarnessError
from e2e_ansible.oracle.ranges import Ranges, to_ranges

__all__ = ["Event", "Record", "acknowledged", "marks", "no_collector", "parse", "tell_time", "unknown_ids"]

_CHUNK = 20_000  # lines that are read in one go; one by one costs twice the time


class Event(StrEnum):
    """What happened. `FAIL`: surely not committed. `UNKNOWN`: sent, and nobody heard what became of it.

    `CLOCK`: a client on a node was told the time of the controller.
    """

    START = "start"
    INVOKED = "invoked"
    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    CLOCK = "clock"


@dataclass(slots=True)
class Record:
    """One line; what it does not say has its default. Nothing changes a record that was read.

    Every line: `event`, `wall` (nanoseconds since the epoch, clock of the client's machine) and `mono` (nanoseconds of
    its monotonic clock).

    Operations: `id` counts the operations, `worker` ran it, `op` and `value` are those of the workload. `late` is how
    many nanoseconds after its time on the schedule it was invoked, `skipped` how many operations were left out before
    it because they would have been later than that is allowed. `node` is the address that answered, `timeline` that of
    its server, `error` why it did not work.

    Pauses: `mark` is the number of the pause and `last` the highest id that was invoked before it.

    Beginnings: `pid`, `workload`, `rate` per second, `concurrency`, `resolution` of the clock in nanoseconds, `hosts`,
    `settings` of the workload, `boot` of the machine; `controller_wall` is the controller's clock at `wall`, give or
    take `uncertainty` nanoseconds. Ends: `overhead` of the client itself.
    """

    event: Event
    wall: int
    mono: int
    id: int | None = None
    worker: int | None = None
    op: str = ""
    value: Any = None
    late: int = 0
    skipped: int = 0
    node: str = ""
    timeline: int | None = None
    error: str = ""
    mark: int | None = None
    last: int | None = None
    pid: int | None = None
    workload: str = ""
    rate: float | None = None
    concurrency: int | None = None
    resolution: int | None = None
    hosts: Sequence[str] = ()
    settings: Mapping[str, Any] | None = None
    boot: str = ""
    controller_wall: int | None = None
    uncertainty: int | None = None
    overhead: Mapping[str, Any] | None = None

    def line(self) -> bytes:
        """The line that holds it, with its end; fields at their default are left out."""
        said = {name: getattr(self, name) for name in _NAMES}
        kept = {name: value for name, value in said.items() if name in _ALWAYS or value not in _EMPTY}
        return json.dumps(kept, separators=(",", ":")).encode() + b"\n"


_NAMES = tuple(each.name for each in fields(Record))
_KNOWN = frozenset(_NAMES)
_ALWAYS = ("event", "wall", "mono")
_NUMBERS = ("wall", "mono", "id", "mark", "last", "timeline", "controller_wall")
_EVENTS = {str(event): event for event in Event}


class _Empty:
    """What a field has that says nothing: 0 of a counted thing is no `late`, but the id 0 is one."""

    def __contains__(self, value: object) -> bool:
        return value is None or value in ("", (), {}) or (value == 0 and value is not False)


_EMPTY = _Empty()


def parse(data: bytes) -> Iterator[Record]:
    """The records of a history. A last line without its end was torn by a kill and is left out.

    The `controller_wall` of a beginning is filled in from the next line that tells the controller's time.

    Raises:
        HarnessError: a whole line is no record; with its number.
    """
    *whole, _torn = data.split(b"\n")
    records: list[Record] = []
    with no_collector():
        for start in range(0, len(whole), _CHUNK):
            records += _chunk(whole[start : start + _CHUNK], start + 1)
    tell_time(records)
    return iter(records)


def tell_time(records: Iterable[Record], beginning: Record | None = None) -> Record | None:
    """Give each beginning the controller's time from the next line that tells it; returns the last beginning.

    `beginning` is the last one before these records.
    """
    for record in records:
        if record.event is Event.START:
            beginning = record
        elif record.event is Event.CLOCK and beginning and beginning.controller_wall is None:
            ahead = (record.controller_wall or record.wall) - record.wall
            beginning.controller_wall, beginning.uncertainty = beginning.wall + ahead, record.uncertainty
    return beginning


@contextmanager
def no_collector() -> Iterator[None]:
    """Records have no cycles; to look for some among a million takes longer than to read or judge them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _chunk(lines: Sequence[bytes], first: int) -> list[Record]:
    try:
        return [_record(said) for said in json.loads(b"[" + b",".join(lines) + b"]")]
    except (ValueError, TypeError, KeyError, RecursionError):
        return [_one(line, number) for number, line in enumerate(lines, start=first)]


def _one(line: bytes, number: int) -> Record:
    try:
        return _record(json.loads(line))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HarnessError(f"line {number} of the history is no record") from error


def _record(said: dict[str, Any]) -> Record:
    """A record from the object of its line; what is not known is left out.

    Raises:
        KeyError, TypeError: it is none.
    """
    said["event"] = _EVENTS[said["event"]]
    if type(said["wall"]) is not int or type(said["mono"]) is not int or type(said.get("id", 0)) is not int:
        raise TypeError("a number was expected")
    try:
        return Record(**said)
    except TypeError:
        return Record(**cast("Any", {name: value for name, value in said.items() if name in _KNOWN}))


def acknowledged(records: Iterable[Record], upto: int | None = None) -> Ranges:
    """The rows that were seen committed, as inclusive ranges; with `upto`, those up to that row number."""
    rows = (
        record.id
        for record in records
        if record.event is Event.OK and record.id is not None and record.op in ("", "append")
    )
    return to_ranges(row for row in rows if upto is None or row <= upto)


def unknown_ids(records: Iterable[Record]) -> tuple[int, ...]:
    """Operations that may or may not be done: sent without an answer, or under way when the client was killed."""
    open_rows: dict[int, None] = {}
    for record in records:
        if record.id is not None and record.event in (Event.INVOKED, Event.UNKNOWN):
            open_rows[record.id] = None
        elif record.id is not None and record.event in (Event.OK, Event.FAIL):
            open_rows.pop(record.id, None)
    return tuple(sorted(open_rows))


def marks(records: Iterable[Record]) -> dict[int, int]:
    """Number of each pause to the highest row number tried before it: the `upto` of a look made then."""
    return {
        record.mark: record.last
        for record in records
        if record.event is Event.PAUSE and record.mark is not None and record.last is not None
    }
