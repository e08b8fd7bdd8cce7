"""Stale reads: a read that was asked after a write was acknowledged, and does not show it.

Rows: a read counts fewer rows than had been acknowledged before it was asked. Registers: it shows a value that had been
overwritten, of keys whose values are each written once. Lists: it lacks an element acknowledged before. A write that
is lost for good is shown by no read either; durability tells the two apart. `after a failover` is said when the
write and the read were answered on different timelines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from e2e_ansible.judge.finding import Finding, Inquiry, Notes
from e2e_ansible.judge.operations import History, Operation, clock, seconds

__all__ = ["staleness"]


def staleness(history: History) -> Inquiry:
    """Judge the reads of a history of whatever workload."""
    notes = Notes()
    reads = [one for one in history.operations if one.ok and one.reads and one.ended is not None]
    for judge in (_rows, _registers, _lists):
        notes.extend(list(judge(history, reads)))
    return notes.inquiry("staleness", len(reads), "reads")


def _sorted_acks(operations: Sequence[Operation]) -> tuple[list[Operation], list[int]]:
    acked = sorted(
        (one for one in operations if one.ok and one.ended is not None), key=lambda one: one.ended or 0
    )
    return acked, [one.ended or 0 for one in acked]


def _stale(read: Operation, write: Operation, what: str) -> Finding:
    moved = write.timeline and read.timeline and write.timeline != read.timeline
    failover = f" after a failover from timeline {write.timeline} to {read.timeline}" if moved else ""
    where = f" on {read.node}" if read.node else ""
    text = f"{read.title} at {clock(read.began)}{where}{failover} {what}; {write.title} had been acknowledged at "
    text += f"{clock(write.ended or 0)}{f' by {write.node}' if write.node else ''}"
    return Finding(kind="stale", message=text, at=seconds(read.began), operations=(read.id, write.id))


# ---- rows


def _rows(history: History, reads: Sequence[Operation]) -> Iterator[Finding]:
    acked, acks = _sorted_acks(list(history.of("append")))
    highest, top = [], None
    for one in acked:
        top = one if top is None or one.id > top.id else top
        highest.append(top)
    for read in reads:
        known = bisect_left(acks, read.began)
        shown = _numbers(read)
        if not known or shown is None:
            continue
        last = highest[known - 1]
        if shown[1] < known:
            yield _stale(read, acked[known - 1], f"counted {shown[1]} rows of {known} acknowledged")
        elif shown[0] < last.id:
            yield _stale(read, last, f"found no row above {shown[0]}")


def _numbers(read: Operation) -> tuple[int, int] | None:
    """Highest number and count of a read of rows; an empty table has no highest."""
    result = read.result
    if read.op != "read" or not isinstance(result, list | tuple) or len(result) < 2 or result[1] is None:
        return None
    return int(result[0] or 0), int(result[1])


# ---- registers


def _registers(history: History, reads: Sequence[Operation]) -> Iterator[Finding]:
    """A read of `old` although `new` was written after `old` was acknowledged, and acknowledged before the read."""
    if not any(True for _ in history.of("write", "cas")):
        return
    keys: dict[Any, list[Operation]] = {}
    for one in history.of("write", "cas"):
        if isinstance(one.asked, list | tuple) and one.asked:
            keys.setdefault(repr(one.asked[0]), []).append(one)
    writers = {key: _Values(changes) for key, changes in keys.items()}
    for read in reads:
        pair = read.result
        if (
            read.op == "read"
            and isinstance(pair, list | tuple)
            and len(pair) == 2
            and repr(pair[0]) in writers
        ):
            newer = writers[repr(pair[0])].newer(pair[1], read)
            if newer is not None:
                yield _stale(read, newer, f"read {pair[1]!r} from key {pair[0]}, not {newer.asked[-1]!r}")


class _Values:
    """The writes of one key, if each of its values is written once."""

    def __init__(self, changes: Sequence[Operation]) -> None:
        self._by_value: dict[str, Operation | None] = {}
        for one in changes:
            if one.outcome != "fail":
                value = repr(one.asked[-1])
                self._by_value[value] = None if value in self._by_value else one
        self._acked, self._acks = _sorted_acks(changes)
        # Of the first n acknowledged writes the one that was invoked last: it is after most others.
        self._latest: list[Operation] = []
        for one in self._acked:
            newest = self._latest[-1] if self._latest else one
            self._latest.append(one if one.began >= newest.began else newest)

    def newer(self, value: Any, read: Operation) -> Operation | None:
        """A write after that of `value` that the read should have shown."""
        known = bisect_left(self._acks, read.began)
        if not known:
            return None
        latest = self._latest[known - 1]
        if value is None:
            return latest
        source = self._by_value.get(repr(value))
        over = source is not None and source.ok and source.ended is not None and source.ended < latest.began
        return latest if over else None


# ---- lists


def _lists(history: History, reads: Sequence[Operation]) -> Iterator[Finding]:
    appended: dict[str, list[tuple[Operation, Any]]] = {}
    for one in history.of("txn"):
        if one.ok and one.ended is not None:
            for kind, key, value in one.result or one.asked or ():
                if kind == "append":
                    appended.setdefault(repr(key), []).append((one, value))
    ordered = {key: sorted(pairs, key=lambda pair: pair[0].ended or 0) for key, pairs in appended.items()}
    acks = {key: [pair[0].ended or 0 for pair in pairs] for key, pairs in ordered.items()}
    values = {key: [pair[1] for pair in pairs] for key, pairs in ordered.items()}
    for read in reads:
        if read.op == "txn":
            yield from _lacking(read, ordered, acks, values)


def _lacking(
    read: Operation,
    ordered: dict[str, list[tuple[Operation, Any]]],
    acks: dict[str, list[int]],
    values: dict[str, list[Any]],
) -> Iterator[Finding]:
    for kind, key, shown in read.result or ():
        pairs = ordered.get(repr(key))
        if kind != "r" or pairs is None:
            continue
        known = bisect_left(acks[repr(key)], read.began)
        there = set(shown or ())
        if there.issuperset(values[repr(key)][:known]):
            continue
        # What was acknowledged last is what a stale read lacks first.
        write, value = next(pair for pair in reversed(pairs[:known]) if pair[1] not in there)
        yield _stale(read, write, f"lacks {value!r} in the list {key}")
