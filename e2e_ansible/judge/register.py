"""Whether registers are linearizable: each key behaves as if one operation happened after the other.

The search is that of Wing and Gong as Lowe made it lazy: walk along the answers, keep every state in which the key can
be, and place an open operation only when an answer demands it; states that were met before are not searched again.
Reads that fit are placed at once, since they change nothing. An operation whose fate is unknown may take effect at any
later time, or never; one whose value nobody saw is left out, because leaving it out is always as good. In a torn
history, a value that was seen and that nobody wrote counts as one whose note is missing.

The search is bounded by steps and not by the clock, so a judge says the same today and tomorrow. Beyond the bound the
answer is `undecided`, never a pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from e2e_ansible.judge.finding import Finding, Inquiry, Notes
from e2e_ansible.judge.operations import History, Operation, clock, seconds

__all__ = ["MAX_STEPS", "register"]

MAX_STEPS = 2_000_000

_State = Any
_Config = tuple[_State, frozenset[int]]
_RESULTS = {"read": 2, "write": 2, "cas": 3}


class _Move(NamedTuple):
    """One operation on one key: `old` is what it needs to find, `new` what it leaves."""

    number: int
    operation: Operation
    kind: str
    old: _State
    new: _State


class _TooMany(Exception):
    """The bound was reached."""


def register(history: History, max_steps: int = MAX_STEPS) -> Inquiry:
    """Judge a history of `read`, `write` and `cas` on registers that begin as null (or the setting `initial`)."""
    initial = history.settings.get("initial")
    notes, undecided = Notes(), ""
    budget = _Budget(max_steps)
    keys = _by_key(history, _hashable(initial))
    for key, moves in keys.items():
        try:
            finding = _Search(key, moves, _hashable(initial), budget).run()
        except _TooMany:
            undecided = f"key {key}: the search was given up after {max_steps} steps"
            break
        if finding is not None:
            notes.add(finding)
    read = sum(1 for moves in keys.values() for move in moves if move.operation.ok)
    return notes.inquiry("register", read, "answers", undecided)


class _Budget:
    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _TooMany


def _hashable(value: Any) -> _State:
    return json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value


def _by_key(history: History, initial: _State) -> dict[_State, list[_Move]]:
    keys: dict[_State, list[_Move]] = {}
    for number, one in enumerate(history.operations):
        move = _move(number, one)
        if move is not None:
            keys.setdefault(_hashable(_value(one)[0]), []).append(move)
    if history.torn:
        for moves in keys.values():
            moves += list(_not_noted(history, moves, initial))
    return {key: list(_useful(moves)) for key, moves in keys.items()}


def _not_noted(history: History, moves: Sequence[_Move], initial: _State) -> Iterator[_Move]:
    """A write of unknown fate for each value that somebody found and nobody wrote."""
    found = dict.fromkeys(move.old for move in moves if move.operation.ok and move.kind != "write")
    written = {initial, *(move.new for move in moves if move.kind != "read")}
    for number, value in enumerate(found.keys() - written, start=1):
        yield _Move(-number, Operation(0, 0, "write", None, history.began or 0), "write", value, value)


def _value(one: Operation) -> Sequence[Any]:
    """What was read, or what was to be written."""
    value = one.result if one.op == "read" and one.ok else one.asked
    return value if isinstance(value, list | tuple) else ()


def _move(number: int, one: Operation) -> _Move | None:
    """None for what proves nothing: it surely failed, or is a read without an answer."""
    value = _value(one)
    if one.outcome == "fail" or len(value) != _RESULTS.get(one.op) or (one.op == "read" and not one.ok):
        return None
    old = _hashable(value[1])
    return _Move(number, one, one.op, old, _hashable(value[-1]))


def _useful(moves: Sequence[_Move]) -> Iterator[_Move]:
    """Without the operations of unknown fate whose value nobody saw."""
    seen = {move.old for move in moves if move.operation.ok and move.kind in ("read", "cas")}
    doubtful = [move for move in moves if not move.operation.ok]
    kept: set[int] = set()
    while True:
        fresh = [move for move in doubtful if move.number not in kept and move.new in seen]
        if not fresh:
            break
        kept.update(move.number for move in fresh)
        seen.update(move.old for move in fresh if move.kind == "cas")
    return (move for move in moves if move.operation.ok or move.number in kept)


def _events(moves: Iterable[_Move]) -> list[tuple[int, int, _Move]]:
    """Questions (0) and answers (1) in order; at the same moment questions go first, so they may overlap."""
    events: list[tuple[int, int, int, _Move]] = []
    for move in moves:
        events.append((move.operation.began, 0, move.number, move))
        if move.operation.ok and move.operation.ended is not None:
            events.append((move.operation.ended, 1, move.number, move))
    events.sort(key=lambda event: event[:3])
    return [(at, which, move) for at, which, _, move in events]


class _Search:
    """One key. A configuration is a state and the open operations that already took effect in it."""

    def __init__(self, key: _State, moves: Sequence[_Move], initial: _State, budget: _Budget) -> None:
        self._key, self._moves, self._budget = key, moves, budget
        self._configs: set[_Config] = {(initial, frozenset())}
        self._open: dict[int, _Move] = {}
        self._reads: dict[_State, set[int]] = {}

    def run(self) -> Finding | None:
        """The first answer that no order explains, or None."""
        for _, which, move in _events(self._moves):
            if which == 0:
                self._ask(move)
                continue
            before = self._configs
            self._configs = self._after(move)
            if not self._configs:
                return self._counter_example(move, before)
            self._close(move)
        return None

    def _ask(self, move: _Move) -> None:
        self._open[move.number] = move
        if move.kind == "read":
            self._reads.setdefault(move.old, set()).add(move.number)
            self._configs = {self._settled(state, placed) for state, placed in self._configs}

    def _settled(self, state: _State, placed: frozenset[int]) -> _Config:
        """With all open reads placed that fit."""
        reads = self._reads.get(state)
        return state, placed | reads if reads else placed

    def _after(self, move: _Move) -> set[_Config]:
        """All configurations in which the answered operation took effect."""
        number = move.number
        done = {(state, placed - {number}) for state, placed in self._configs if number in placed}
        stack = [config for config in self._configs if number not in config[1]]
        known = set(stack)
        while stack:
            state, placed = stack.pop()
            for other in self._open.values():
                if (
                    other.number in placed
                    or other.kind == "read"
                    or (other.kind == "cas" and other.old != state)
                ):
                    continue
                self._budget.spend()
                config = self._settled(other.new, placed | {other.number})
                if number in config[1]:
                    done.add((config[0], config[1] - {number}))
                elif config not in known:
                    known.add(config)
                    stack.append(config)
        self._budget.spend()
        return done

    def _close(self, move: _Move) -> None:
        """Forget the answered operation, and those of unknown fate that took effect in every configuration."""
        del self._open[move.number]
        if move.kind == "read":
            self._reads[move.old].discard(move.number)
        doubtful = [number for number, other in self._open.items() if not other.operation.ok]
        for number in doubtful:
            if all(number in placed for _, placed in self._configs):
                del self._open[number]
                self._configs = {(state, placed - {number}) for state, placed in self._configs}

    def _counter_example(self, move: _Move, before: Iterable[_Config]) -> Finding:
        one = move.operation
        states = sorted({json.dumps(state) for state, _ in before})
        possible = " or ".join(states[:4]) + (f" or {len(states) - 4} others" if len(states) > 4 else "")
        last = self._last_change(one)
        text = f"key {self._key}: {one.title} (worker {one.worker}, {clock(one.began)} to {clock(one.ended or 0)}"
        text += f"{f', {one.node}' if one.node else ''}) {_did(move)}, but before it the key held {possible}"
        if last is not None:
            text += f"; {last.operation.title} had set it to {json.dumps(last.new)} and was acknowledged at "
            text += clock(last.operation.ended or 0)
        numbers = (one.id, last.operation.id) if last else (one.id,)
        return Finding(kind="not linearizable", message=text, at=seconds(one.began), operations=numbers)

    def _last_change(self, one: Operation) -> _Move | None:
        changes = [
            move
            for move in self._moves
            if move.kind != "read" and move.operation.ended is not None and move.operation.ended < one.began
        ]
        return max(changes, key=lambda move: move.operation.ended or 0, default=None)


def _did(move: _Move) -> str:
    old, new = json.dumps(move.old), json.dumps(move.new)
    if move.kind == "read":
        return f"read {old}"
    return f"changed {old} to {new}" if move.kind == "cas" else f"wrote {new}"
