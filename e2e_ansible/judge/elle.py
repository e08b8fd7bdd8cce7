"""Transactions on lists: a check of our own for anomalies, and the history in the notation that Elle reads.

Every value is appended once, so a list that was read tells in which order its transactions committed. From that:
reads of what was rolled back (G1a) or of the middle of a transaction (G1b), values nobody appended, values that are
there twice, orders that contradict each other, acknowledged appends that the last read lacks, and cycles of
dependencies: of writes alone (G0), of writes and what was read of them (G1c), with one read that missed a write
(G-single), with several (G2). What the isolation level of the client allows is no finding: `read committed` allows
G-single and G2, `repeatable read`, which in PostgreSQL is snapshot isolation, allows G2.

Real time is not looked at here (see `judge.staleness`). For a second opinion give `edn` to Elle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from e2e_ansible.judge.finding import Finding, Inquiry, Notes
from e2e_ansible.judge.graph import components, cycle_through, path
from e2e_ansible.judge.operations import History, Operation, clock, seconds

__all__ = ["edn", "elle"]

_ALLOWED = {"read committed": ("G-single", "G2"), "repeatable read": ("G2",)}
_EDN_TYPES = {"ok": ":ok", "fail": ":fail", "unknown": ":info"}

_Edges = dict[int, set[int]]


class _Read(NamedTuple):
    operation: Operation
    shown: tuple[Any, ...]


def elle(history: History) -> Inquiry:
    """Judge a history of `txn` operations."""
    transactions = _Transactions(history)
    notes = Notes()
    for key, reads in transactions.reads.items():
        longest = max(reads, key=lambda read: len(read.shown))
        for read in reads:
            notes.extend(list(transactions.odd(key, read, longest)))
        notes.extend(list(transactions.lost(key, max(reads, key=lambda read: read.operation.began))))
        transactions.order(key, longest.shown, reads)
    isolation = str(history.settings.get("isolation") or "serializable")
    allowed = _ALLOWED.get(isolation, ())
    notes.extend([each for each in transactions.cycles(isolation) if each.kind not in allowed])
    return notes.inquiry("elle", sum(map(len, transactions.reads.values())), "reads of lists")


class _Transactions:
    def __init__(self, history: History) -> None:
        self._torn = history.torn
        self._by_id: dict[int, Operation] = {}
        self._author: dict[tuple[Any, Any], Operation] = {}
        self._last_of: dict[tuple[int, Any], Any] = {}
        self._acked: dict[Any, list[tuple[Any, Operation]]] = {}
        self.reads: dict[Any, list[_Read]] = {}
        self._ww: _Edges = {}
        self._wr: _Edges = {}
        self._rw: _Edges = {}
        for one in history.of("txn"):
            self._take(one)

    def _take(self, one: Operation) -> None:
        self._by_id[one.id] = one
        for act, key, value in (one.result if one.ok else one.asked) or ():
            if act == "append":
                self._author[key, value] = one
                self._last_of[one.id, key] = value
                if one.ok:
                    self._acked.setdefault(key, []).append((value, one))
            elif one.ok:
                self.reads.setdefault(key, []).append(_Read(one, tuple(value or ())))

    # ---- one read

    def odd(self, key: Any, read: _Read, longest: _Read) -> Iterator[Finding]:
        """What is wrong with one read of a list. Values are looked up once where a read is the beginning of another."""
        shown = read.shown
        if len(set(shown)) < len(shown):
            twice = next(value for place, value in enumerate(shown) if value in shown[:place])
            yield _finding("duplicate", read.operation, f"found {twice} twice in the list {key}")
        whole = longest.shown
        if read is longest or shown != whole[: len(shown)]:
            yield from self._foreign(key, read)
        if shown != whole[: len(shown)]:
            place = next(place for place, value in enumerate(shown) if value != whole[place])
            text = f"found {shown[place]} at place {place} of the list {key}, where another read found {whole[place]}"
            yield _finding("incompatible order", read.operation, text)
        if shown:
            yield from self._intermediate(key, read)

    def _foreign(self, key: Any, read: _Read) -> Iterator[Finding]:
        """Values in a list that should not be there."""
        for value in read.shown:
            author = self._author.get((key, value))
            if author is None and not self._torn:
                yield _finding(
                    "unexpected", read.operation, f"found {value} in the list {key}, which nobody appended"
                )
            elif author is not None and author.outcome == "fail":
                yield _finding(
                    "G1a",
                    read.operation,
                    f"found {value} in the list {key}, but {author.title} was rolled back",
                )

    def _intermediate(self, key: Any, read: _Read) -> Iterator[Finding]:
        value = read.shown[-1]
        author = self._author.get((key, value))
        if author is None or author.id == read.operation.id:
            return
        final = self._last_of[author.id, key]
        if final != value:
            text = f"ended with {value} in the list {key}, but {author.title} appended {final} after it"
            yield _finding("G1b", read.operation, text)

    def lost(self, key: Any, last: _Read) -> Iterator[Finding]:
        """Appends acknowledged before the last read of a list began, and not in it."""
        there = set(last.shown)
        for value, author in self._acked.get(key, ()):
            if value not in there and author.ended is not None and author.ended < last.operation.began:
                text = f"is the last read of the list {key} and lacks {value}, "
                text += f"which {author.title} had appended, acknowledged at {clock(author.ended)}"
                yield _finding("lost", last.operation, text)

    # ---- dependencies

    def order(self, key: Any, longest: Sequence[Any], reads: Sequence[_Read]) -> None:
        """Note who depends on whom by one list."""
        authors = [self._author.get((key, value)) for value in longest]
        for before, after in pairwise(authors):
            _edge(self._ww, before, after)
        for read in reads:
            length = len(read.shown)
            if read.shown != longest[:length]:
                continue
            if length:
                _edge(self._wr, authors[length - 1], read.operation)
            if length < len(authors):
                _edge(self._rw, read.operation, authors[length])

    def cycles(self, isolation: str) -> Iterator[Finding]:
        """The worst kind of cycle in each knot of dependencies."""
        writes = _union(self._ww)
        told: set[int] = set()
        for kind, edges in (("G0", writes), ("G1c", _union(self._ww, self._wr))):
            for members in components(edges):
                if not told & members:
                    told |= members
                    yield self._cycle(kind, cycle_through(edges, members), isolation)
        whole = _union(self._ww, self._wr, self._rw)
        for members in components(whole):
            if not told & members:
                yield self._anti(members, whole, isolation)

    def _anti(self, members: frozenset[int], whole: _Edges, isolation: str) -> Finding:
        """G-single if some read that missed a write leads back without a second one."""

        def follow(node: int) -> Iterator[int]:
            for edges in (self._ww, self._wr):
                yield from (child for child in edges.get(node, ()) if child in members)

        for reader in sorted(members):
            for writer in sorted(self._rw.get(reader, set()) & members):
                way = path(follow, writer, reader)
                if way:
                    return self._cycle("G-single", way, isolation)
        return self._cycle("G2", cycle_through(whole, members), isolation)

    def _cycle(self, kind: str, members: Sequence[int], isolation: str) -> Finding:
        steps = [*members, members[0]]
        sentence = self._by_id[steps[0]].title
        for before, after in pairwise(steps):
            sentence += f" {self._relation(before, after)} {self._by_id[after].title}"
        text = f"{kind} under {isolation}: {sentence}"
        at = min(self._by_id[each].began for each in members)
        return Finding(kind=kind, message=text, at=seconds(at), operations=tuple(members))

    def _relation(self, before: int, after: int) -> str:
        if after in self._ww.get(before, ()):
            return "was overwritten by"
        return "was read by" if after in self._wr.get(before, ()) else "did not see"


def _edge(edges: _Edges, before: Operation | None, after: Operation | None) -> None:
    if before is not None and after is not None and before.id != after.id:
        edges.setdefault(before.id, set()).add(after.id)


def _union(*parts: _Edges) -> _Edges:
    union: _Edges = {}
    for part in parts:
        for node, children in part.items():
            union.setdefault(node, set()).update(children)
    return union


def _finding(kind: str, one: Operation, text: str) -> Finding:
    message = f"{one.title} at {clock(one.began)}{f' on {one.node}' if one.node else ''} {text}"
    return Finding(kind=kind, message=message, at=seconds(one.began), operations=(one.id,))


# ---- Elle's notation


def edn(history: History) -> Iterator[str]:
    """The history as lines of EDN, as Jepsen writes them.

    A worker whose operation has an unknown fate goes on under a new process number, as Elle demands.
    """
    step = 1 + max((one.worker for one in history.operations), default=0)
    process: dict[int, int] = {}
    notes: list[tuple[int, int, str, str, Any]] = []
    for place, one in enumerate(history.of("txn")):
        number = process.setdefault(one.worker, one.worker)
        notes.append((one.began, 2 * place, ":invoke", str(number), one.asked))
        if one.ended is not None:
            value = one.result if one.ok else one.asked
            notes.append((one.ended, 2 * place + 1, _EDN_TYPES[one.outcome], str(number), value))
        if one.outcome == "unknown":
            process[one.worker] += step
    for index, (at, _, kind, worker, value) in enumerate(sorted(notes, key=lambda note: note[:2])):
        time = at - (history.began or 0)
        yield (
            f"{{:index {index}, :type {kind}, :process {worker}, :time {time}, :f :txn, :value {_edn_value(value)}}}"
        )


def _edn_value(acts: Sequence[Sequence[Any]] | None) -> str:
    return "[" + " ".join(f"[:{act} {_edn(key)} {_edn(value)}]" for act, key, value in acts or ()) + "]"


def _edn(value: Any) -> str:
    if value is None:
        return "nil"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(_edn, value)) + "]"
    return json.dumps(value)
