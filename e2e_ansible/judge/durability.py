"""What became of rows: acknowledged and lost, or come back from the dead. Rows are the numbers of append operations.

A row is *lost* when its success was acknowledged before somebody looked and it was not there, on a node that takes
writes. It is *resurrected* when it surely failed and is there, or when a node that takes writes lacked it after its
success was acknowledged and another such look found it again. A row whose fate is unknown is neither, ever: how many
of them are there, and how many not, is told apart.

In a cycle of a soak a client may tell how many rows of earlier cycles it found; too few of them are a loss of this one.

Reads of the client itself (`[highest number, how many]`) are looks too, though of counts: too few rows after the last
acknowledgement are a loss, unless a later read or look finds them, and more rows than were ever tried are a
resurrection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from e2e_ansible.judge.finding import Finding, Notes
from e2e_ansible.judge.operations import SECOND, History, Operation, clock, seconds
from e2e_ansible.oracle.ranges import Ranges, count, describe, difference, merge, to_ranges

__all__ = ["Durability", "Look", "durability"]


@dataclass(frozen=True)
class Look:
    """The rows that one node held. `at` is nanoseconds since the epoch; `writer`: the node took writes then."""

    at: int
    node: str
    rows: Ranges
    writer: bool = True


class Durability(BaseModel):
    """The fates of all rows. Ranges are inclusive; `lacking` are acknowledged rows by node at its last look.

    `unknown_present` and `unknown_absent` are of the last look at a node that takes writes, None without one.
    `examined` says by how many looks and reads this was shown; 0: nothing was.
    """

    model_config = ConfigDict(frozen=True)

    acknowledged: int
    unknown: int
    examined: int = 0
    lost: tuple[tuple[int, int], ...] = ()
    lost_count: int = 0
    resurrected: tuple[tuple[int, int], ...] = ()
    resurrected_count: int = 0
    lacking: dict[str, tuple[tuple[int, int], ...]] = {}
    unknown_present: int | None = None
    unknown_absent: int | None = None
    findings: tuple[Finding, ...] = ()


def durability(history: History, looks: Sequence[Look] = ()) -> Durability:
    """Judge a history of appends by looks at nodes and by its own reads."""
    appends = list(history.of("append"))
    judge = _Judge(appends, [one for one in history.of("read") if one.ok])
    for look in sorted(looks, key=lambda each: each.at):
        judge.look(look)
    judge.read(exact=not history.torn)
    judge.recount(history.settings.get("earlier"))
    return judge.verdict()


class _Judge:
    def __init__(self, appends: Sequence[Operation], reads: Sequence[Operation]) -> None:
        self._acked = sorted((one for one in appends if one.ok), key=lambda one: one.ended or 0)
        self._acks = [one.ended or 0 for one in self._acked]
        self._failed = [one for one in appends if one.outcome == "fail"]
        self._unknown = to_ranges(one.id for one in appends if one.outcome == "unknown")
        self._possible = sorted(one.began for one in appends if one.outcome != "fail")
        self._reads = reads
        self._missed: Ranges = ()
        self._lost: Ranges = ()
        self._risen: Ranges = ()
        self._short = self._extra = self._examined = self._earlier = 0
        self._lacking: dict[str, tuple[tuple[int, int], ...]] = {}
        self._last_writer: Look | None = None
        self._notes = Notes()

    def look(self, look: Look) -> None:
        """Hold the rows of one node against what was acknowledged before."""
        self._examined += 1
        acked = to_ranges(one.id for one in self._acked[: bisect_left(self._acks, look.at)])
        missing = difference(acked, look.rows)
        self._lacking[look.node] = missing
        self._rise(
            look, _common(to_ranges(one.id for one in self._failed), look.rows), "surely failed and is there"
        )
        if not look.writer:
            return
        self._rise(look, _common(self._missed, look.rows), "was missing before and is there again")
        self._missed = merge(self._missed, missing)
        self._lost = missing
        self._last_writer = look
        if missing:
            self._note_loss(look, missing, count(acked))

    def _note_loss(self, look: Look, missing: Ranges, acknowledged: int) -> None:
        text = f"{look.node} lacks {count(missing)} of {acknowledged} acknowledged rows at {clock(look.at)}: "
        first = next(one for one in self._acked if one.id == missing[0][0])
        tail = f"; row {first.id} was acknowledged at {clock(first.ended or 0)}{_by(first)}"
        self._notes.add(
            Finding(
                kind="lost",
                message=text + describe(missing) + tail,
                at=seconds(look.at),
                operations=_few(missing),
            )
        )

    def _rise(self, look: Look, rows: Ranges, why: str) -> None:
        fresh = difference(rows, self._risen)
        if fresh:
            self._risen = merge(self._risen, fresh)
            text = f"{count(fresh)} rows on {look.node} at {clock(look.at)}: each {why}: {describe(fresh)}"
            self._notes.add(
                Finding(kind="resurrected", message=text, at=seconds(look.at), operations=_few(fresh))
            )

    def read(self, *, exact: bool) -> None:
        """Hold the counts that the client read against what must and, if all was noted, what can be there."""
        usable = [one for one in self._reads if _counted(one) is not None and one.ended is not None]
        self._examined += len(usable)
        most = max(usable, key=lambda one: (_counted(one) or 0) - self._possible_before(one), default=None)
        if most is not None and exact:
            self._too_many(most)
        last = max(usable, key=lambda one: one.began, default=None)
        if last is not None and (self._last_writer is None or last.began > self._last_writer.at):
            self._too_few(last)

    def _possible_before(self, one: Operation) -> int:
        return bisect_left(self._possible, one.ended or 0)

    def _too_many(self, one: Operation) -> None:
        there, possible = _counted(one) or 0, self._possible_before(one)
        self._extra = max(0, there - possible)
        if self._extra:
            text = f"{one.title} counted {there} rows at {clock(one.began)}{_by(one)}, but only {possible} can be there"
            self._notes.add(
                Finding(kind="resurrected", message=text, at=seconds(one.began), operations=(one.id,))
            )

    def _too_few(self, one: Operation) -> None:
        there, acked = _counted(one) or 0, bisect_left(self._acks, one.began)
        self._short = max(0, acked - there)
        if self._short:
            text = f"the last read, {one.title}, counted {there} rows at {clock(one.began)}{_by(one)}, "
            text += f"but {acked} had been acknowledged: at least {self._short} are lost"
            self._notes.add(Finding(kind="lost", message=text, at=seconds(one.began), operations=(one.id,)))

    def recount(self, earlier: object) -> None:
        """Hold the last count of the rows of earlier cycles against what had been acknowledged in them."""
        counted = [one for one in self._reads if _number(one, 2) is not None]
        last = max(counted, key=lambda one: one.began, default=None)
        if last is None or not isinstance(earlier, int):
            return
        there = _number(last, 2) or 0
        self._earlier = max(0, earlier - there)
        if self._earlier:
            text = f"{last.title} counted {there} rows of earlier cycles at {clock(last.began)}{_by(last)}, "
            text += f"but {earlier} had been acknowledged in them: at least {self._earlier} are lost"
            self._notes.add(Finding(kind="lost", message=text, at=seconds(last.began), operations=(last.id,)))

    def verdict(self) -> Durability:
        """All fates."""
        rows = self._last_writer.rows if self._last_writer else None
        present = None if rows is None else count(_common(self._unknown, rows))
        unknown = count(self._unknown)
        return Durability(
            acknowledged=len(self._acked),
            unknown=unknown,
            examined=self._examined,
            lost=tuple(self._lost),
            lost_count=max(count(self._lost), self._short) + self._earlier,
            resurrected=tuple(self._risen),
            resurrected_count=max(count(self._risen), self._extra),
            lacking={node: rows for node, rows in self._lacking.items() if rows},
            unknown_present=present,
            unknown_absent=None if present is None else unknown - present,
            findings=self._notes.findings,
        )


def _counted(one: Operation) -> int | None:
    """How many rows a read found: the second of `[highest number, how many]`."""
    return _number(one, 1)


def _number(one: Operation, place: int) -> int | None:
    result = one.result
    if not isinstance(result, list | tuple) or len(result) <= place:
        return None
    found: object = result[place]
    return found if isinstance(found, int) else None


def _common(some: Ranges, others: Ranges) -> Ranges:
    return difference(some, difference(some, others))


def _few(rows: Ranges, limit: int = 5) -> tuple[int, ...]:
    few: list[int] = []
    for low, high in rows:
        few.extend(range(low, min(high, low + limit) + 1))
    return tuple(few[:limit])


def _by(one: Operation) -> str:
    timeline = f", timeline {one.timeline}" if one.timeline else ""
    return f" by {one.node}{timeline}" if one.node else ""


def look_at(at: float, node: str, rows: Iterable[tuple[int, int]], *, writer: bool) -> Look:
    """A look from epoch seconds."""
    return Look(int(at * SECOND), node, tuple(rows), writer)
