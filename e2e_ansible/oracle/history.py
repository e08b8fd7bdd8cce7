"""Reads what the integrity writer noted: one JSON object a line, in the order in which it happened. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.errors import HarnessError
from e2e_ansible.oracle.ranges import Ranges, to_ranges

__all__ = ["Event", "Record", "acknowledged", "marks", "parse", "unknown_ids"]


class Event(StrEnum):
    """What happened. `FAIL`: surely not committed. `UNKNOWN`: sent, and nobody heard what became of it."""

    START = "start"
    INVOKED = "invoked"
    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


class Record(BaseModel):
    """One line. `wall` is nanoseconds since the epoch, `mono` nanoseconds of the monotonic clock.

    `id` is the row's number; `node` the address that committed it; `error` why not; `mark` and `last` belong
    to a pause: its number, and the highest row number that was tried before it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event: Event
    wall: int
    mono: int
    id: int | None = None
    node: str = ""
    error: str = ""
    mark: int | None = None
    last: int | None = None
    pid: int | None = None

    def line(self) -> bytes:
        """The line that holds it, with its end."""
        return self.model_dump_json(exclude_defaults=True).encode() + b"\n"


def parse(data: bytes) -> Iterator[Record]:
    """The records of a history. A last line without its end was torn by a kill and is left out.

    Raises:
        HarnessError: a whole line is no record; with its number.
    """
    *whole, _torn = data.split(b"\n")
    for number, line in enumerate(whole, start=1):
        try:
            yield Record.model_validate_json(line)
        except ValidationError as error:
            raise HarnessError(f"line {number} of the integrity history is no record") from error


def acknowledged(records: Iterable[Record], upto: int | None = None) -> Ranges:
    """The rows that were seen committed, as inclusive ranges; with `upto`, those up to that row number."""
    rows = (record.id for record in records if record.event is Event.OK and record.id is not None)
    return to_ranges(row for row in rows if upto is None or row <= upto)


def unknown_ids(records: Iterable[Record]) -> tuple[int, ...]:
    """Rows that may or may not be there: sent without an answer, or tried when the writer was killed."""
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
