"""Records of a client to operations on one time axis: what was asked, what came of it, and when nobody asked.

Times are nanoseconds since the epoch by the clock of the controller. Within one life of a client they follow its
monotonic clock, so a step of its wall clock moves nothing; a client that was started again is never put before
what it noted earlier, because the order of the lines is the order of events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from e2e_ansible.oracle.history import Event, Record

__all__ = ["CONTENTION", "SECOND", "History", "Operation", "Span", "clock", "history", "seconds"]

SECOND = 1_000_000_000
#: SQLSTATEs of transactions that lost against another one: the server worked, so they prove no outage.
CONTENTION = ("40001", "40P01")

_LATE_PACES = 3
_LATE_FLOOR = SECOND // 10
_DONE = {Event.OK: "ok", Event.FAIL: "fail", Event.UNKNOWN: "unknown"}
_SET_BUT_NOT_MATCHED = "held another value"  # what `oracle.workloads.Register` says of it

Span = tuple[int, int]


class Operation(NamedTuple):
    """One operation. `asked` is the value of its invocation, `result` that of its answer.

    `outcome` is ok, fail (surely not done) or unknown; `ended` is None when no answer was noted.
    """

    id: int
    worker: int
    op: str
    asked: Any
    began: int
    outcome: str = "unknown"
    ended: int | None = None
    result: Any = None
    node: str = ""
    timeline: int = 0
    error: str = ""

    @property
    def ok(self) -> bool:
        """The answer came."""
        return self.outcome == "ok"

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.op == "read" or (
            self.op == "txn" and not any(part[0] != "r" for part in self.asked or ())
        )

    @property
    def served(self) -> bool:
        """Answered as it should: done, or refused by its own condition (a compare-and-set that did not match)."""
        return self.outcome == "ok" or (self.op == "cas" and self.error.endswith(_SET_BUT_NOT_MATCHED))

    @property
    def contended(self) -> bool:
        """Rolled back because of another transaction."""
        return self.outcome == "fail" and self.error.startswith(CONTENTION)

    @property
    def title(self) -> str:
        """Operation and number, for sentences."""
        return f"{self.op} {self.id}"


@dataclass(frozen=True)
class History:
    """A client's operations in the order of their invocation, and what it said about itself.

    `blind` are the spans in which it asked nothing because it was paused, late or not running; `pace` is the usual
    time between two invocations; `start` its first line; `boots` the boots of its machine. Times in nanoseconds.
    """

    operations: Sequence[Operation] = ()
    blind: Sequence[Span] = ()
    began: int | None = None
    ended: int | None = None
    pace: int = 0
    start: Record | None = None
    overhead: Mapping[str, Any] = field(default_factory=dict)
    boots: frozenset[str] = frozenset()

    @property
    def workload(self) -> str:
        """The named workload; that of a client that names none is `append`."""
        return (self.start.workload if self.start else "") or "append"

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the workload told about itself."""
        return (self.start.settings if self.start else None) or {}

    @property
    def torn(self) -> bool:
        """The client's machine was restarted, so notes may be missing: a row that nobody noted proves nothing."""
        return len(self.boots) > 1

    def of(self, *ops: str) -> Iterator[Operation]:
        """The operations of some kinds."""
        return (operation for operation in self.operations if operation.op in ops)


def clock(at: int) -> str:
    """A time for sentences, UTC with milliseconds: `14:02:11.031`."""
    whole, rest = divmod(at, SECOND)
    return f"{datetime.fromtimestamp(whole, UTC):%H:%M:%S}.{rest // 1_000_000:03d}"


def seconds(at: int) -> float:
    """Nanoseconds to seconds, kept to the microsecond."""
    return round(at / SECOND, 6)


def history(records: Iterable[Record]) -> History:
    """Fold the records of one client. Pure; an answer whose question is missing counts from its own time."""
    reader = _Reader()
    for record in records:
        reader.take(record)
    return reader.whole()


class _Reader:
    """Pairs lines as they come. Idle times are judged at the end, when the pace is known."""

    def __init__(self) -> None:
        self._open: dict[int | None, Operation] = {}
        self._done: list[Operation] = []
        self._offset: int | None = None
        self._first: int | None = None
        self._last: int | None = None
        self._paused: int | None = None
        self._blind: list[Span] = []
        self._idle_since: int | None = None
        self._idle: list[Span] = []
        self._start: Record | None = None
        self._boots: set[str] = set()
        self._overhead: dict[str, Any] = {}

    def take(self, record: Record) -> None:
        """Take the next line."""
        event = record.event
        if event is Event.START:
            self._begin(record)
            return
        at = self._time(record)
        if event is Event.INVOKED:
            self._invoked(record, at)
        elif event in _DONE:
            self._answered(record, at)
        elif event is Event.PAUSE:
            self._paused = at
        elif event is Event.RESUME:
            self._resume(at)
        elif event is Event.STOP:
            self._overhead = dict(record.overhead or {})
        self._last = at

    def _time(self, record: Record) -> int:
        if self._offset is None:
            self._offset = record.wall - record.mono
        at = record.mono + self._offset
        if self._first is None:
            self._first = at
        return at

    def _begin(self, record: Record) -> None:
        """A client begins, or begins again: what was under way will never be answered."""
        self._done.extend(self._open.values())
        self._open.clear()
        wall = record.controller_wall or record.wall
        before = self._last
        self._offset = max(wall, before or 0) - record.mono
        at = self._time(record)
        if before is not None and at > before:
            self._blind.append((self._paused or before, at))
        self._paused, self._idle_since, self._last = None, at, at
        self._start = self._start or record
        self._boots.add(record.boot)

    def _invoked(self, record: Record, at: int) -> None:
        if not self._open and self._idle_since is not None:
            self._idle.append((self._idle_since, at))
        op = record.op or "append"
        self._open[record.id] = Operation(record.id or 0, record.worker or 0, op, record.value, at)

    def _answered(self, record: Record, at: int) -> None:
        asked = self._open.pop(record.id, None)
        if asked is None:
            op = record.op or "append"
            asked = Operation(record.id or 0, record.worker or 0, op, record.value, at)
        number, worker, op, value, began = asked[:5]
        outcome, timeline = _DONE[record.event], record.timeline or 0
        self._done.append(
            Operation(
                number,
                worker,
                op,
                value,
                began,
                outcome,
                at,
                record.value,
                record.node,
                timeline,
                record.error,
            )
        )
        if not self._open:
            self._idle_since = at

    def _resume(self, at: int) -> None:
        if self._paused is not None:
            self._blind.append((self._paused, at))
        self._paused, self._idle_since = None, at

    def whole(self) -> History:
        """The history, when no more lines come."""
        if self._paused is not None and self._last is not None:
            self._blind.append((self._paused, self._last))
        operations = sorted([*self._done, *self._open.values()], key=lambda operation: operation.began)
        pace = _pace(operations, self._start)
        late = max(_LATE_PACES * pace, pace + _LATE_FLOOR)
        idle = [(since + pace, until) for since, until in self._idle if until - since > late]
        return History(
            operations=operations,
            blind=_joined([*self._blind, *idle]),
            began=self._first,
            ended=self._last,
            pace=pace,
            start=self._start,
            overhead=self._overhead,
            boots=frozenset(self._boots - {""}),
        )


def _pace(operations: Sequence[Operation], start: Record | None) -> int:
    if start is not None and start.rate:
        return int(SECOND / start.rate)
    gaps = [after.began - before.began for before, after in pairwise(operations)]
    return int(median(gaps)) if gaps else 0


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for low, high in sorted(span for span in spans if span[0] < span[1]):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)
