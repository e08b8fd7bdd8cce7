"""A small store with clients, on a clock of its own: correct at any interleaving, or with one planted defect."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from e2e_ansible.judge.durability import Look
from e2e_ansible.oracle.history import Event, Record
from e2e_ansible.oracle.ranges import to_ranges

MS = 1_000_000
EPOCH = 1_700_000_000_000 * MS
ACCOUNTS, KEYS, TOTAL = 3, 2, 300
HANG = 1500 * MS
MAX_STEP = 12 * MS

_STATES = {
    "append": set[int],
    "bank": lambda: [TOTAL // ACCOUNTS] * ACCOUNTS,
    "register": lambda: [None] * KEYS,
    "list-append": lambda: [[] for _ in range(KEYS)],
}


@dataclass
class Flight:
    """One operation on its way."""

    number: int
    worker: int
    op: str
    value: Any
    began: int
    node: str
    timeline: int
    result: Any = None
    committed: bool = False
    doomed: bool = False
    done: bool = False


@dataclass
class Store:
    """One run of clients against the store. `planted` says whether the defect came to pass."""

    seed: int
    workload: str
    defect: str = ""
    failovers: int = 1
    operations: int = 60
    records: list[Record] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    downs: list[tuple[int, int]] = field(default_factory=list)
    planted: bool = False

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed} {self.workload}")
        self.now = EPOCH
        self._shift = self.random.randrange(10**15)
        self._events: list[tuple[int, int, str, Any]] = []
        self._log: list[Flight] = []
        self._state: Any = _STATES[self.workload]()
        self._flights: list[Flight] = []
        self._numbers = self._sequence = 0
        self.timeline, self.node = 1, "n1"
        self._down_until = 0
        self._paused = self._dead = False
        self._visible: set[int] = set()
        self._workers = self.random.randint(1, 4)
        self._zombie = False
        self._run()

    # ---- the clock

    def _at(self, moment: int, what: str, about: Any = None) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (moment, self._sequence, what, about))

    def _soon(self, low: int = 1, high: int = 5) -> int:
        return self.now + self.random.randint(low * MS, high * MS)

    def _note(self, event: Event, **facts: Any) -> None:
        mono = self.now - self._shift
        # The wall clock of the client jumps about; only its first value counts.
        wall = self.now if event is Event.START else self.now + self.random.randint(-HANG, HANG)
        self.records.append(Record(event=event, wall=wall, mono=mono, **facts))

    def _run(self) -> None:
        self._start()
        for _ in range(self.failovers):
            self._at(EPOCH + self.random.randint(20, 150) * MS, "crash")
        if self.random.random() < 0.3:
            self._at(EPOCH + self.random.randint(20, 150) * MS, "pause")
        if self.random.random() < 0.3:
            self._at(EPOCH + self.random.randint(20, 150) * MS, "kill")
        for worker in range(self._workers):
            self._at(self._soon(), "invoke", worker)
        while self._events:
            self.now, _, what, about = heapq.heappop(self._events)
            getattr(self, f"_{what}")(*([] if about is None else [about]))
        self._finish()

    def _start(self) -> None:
        self._dead = False
        settings = {"total": TOTAL} if self.workload == "bank" else {}
        self._note(Event.START, workload=self.workload, rate=200.0, concurrency=4, settings=settings)

    # ---- the client

    def _invoke(self, worker: int) -> None:
        if self._paused:
            self._at(self._soon(), "invoke", worker)
            return
        if self._numbers >= self.operations:
            return
        self._numbers += 1
        op, value = self._choose(self._numbers)
        flight = Flight(self._numbers, worker, op, value, self.now, self.node, self.timeline)
        if self._zombie and worker == 0:
            flight.node, flight.timeline = "n1", 1
        self._note(Event.INVOKED, id=flight.number, worker=worker, op=op, value=value)
        self._flights.append(flight)
        if self.now >= self._down_until:
            self._at(self._soon(), "commit", flight)
        elif self.random.random() < 0.8:
            self._at(self._soon(), "refuse", flight)
        else:
            self._at(self.now + HANG, "answer", flight)

    def _choose(self, number: int) -> tuple[str, Any]:
        key, reads = self.random.randrange(KEYS), self.random.random() < 0.4
        if self.workload == "list-append":
            keys = [self.random.randrange(KEYS) for _ in range(self.random.randint(1, 3))]
            acts = [
                ["r", k, None] if self.random.random() < 0.5 else ["append", k, number * 10 + i]
                for i, k in enumerate(keys)
            ]
            return "txn", acts
        if reads:
            return "read", [key, None] if self.workload == "register" else None
        if self.workload == "append":
            return "append", number
        if self.workload == "bank":
            return "transfer", [*self.random.sample(range(ACCOUNTS), 2), self.random.randint(1, 5)]
        if self._state[key] is not None and self.random.random() < 0.4:
            return "cas", [key, self._state[key], number]
        return "write", [key, number]

    def _answer(self, flight: Flight) -> None:
        """The end of an operation as the client sees it."""
        if flight not in self._flights:
            return
        self._flights.remove(flight)
        facts: dict[str, Any] = {"id": flight.number, "worker": flight.worker, "op": flight.op}
        if flight.doomed or not flight.committed:
            self._note(Event.UNKNOWN, error="no answer", **facts)
        elif flight.op == "cas" and flight.result is False:
            self._note(Event.FAIL, error=f"register {flight.value[0]} held another value", **facts)
        else:
            flight.done = True
            self._note(Event.OK, value=flight.result, node=flight.node, timeline=flight.timeline, **facts)
        self._at(self._soon(), "invoke", flight.worker)

    def _refuse(self, flight: Flight) -> None:
        if flight not in self._flights:
            return
        self._flights.remove(flight)
        if (self.defect == "resurrected" and flight.op == "append") or (
            self.defect == "G1a" and _appends(flight)
        ):
            self._apply(flight)
            self._log.append(flight)
            self.planted = True
        self._note(
            Event.FAIL, error="connection refused", id=flight.number, worker=flight.worker, op=flight.op
        )
        self._at(self._soon(), "invoke", flight.worker)

    def _pause(self) -> None:
        if self._dead:
            return
        self._paused = True
        self._note(Event.PAUSE, mark=1, last=self._numbers)
        self._at(self._soon(200, 2000), "resume")

    def _resume(self) -> None:
        self._paused = False
        self._note(Event.RESUME, mark=1)

    def _kill(self) -> None:
        """The client dies and comes back; what was under way may still be done."""
        if self._paused:
            return
        self._dead = True
        for flight in self._flights:
            self._at(self._soon(20, 60), "invoke", flight.worker)
        self._flights.clear()
        self._shift += self.random.randrange(10**12)
        self._at(self._soon(6, 19), "start")
        for place, event in enumerate(self._events):
            if event[2] == "invoke" and event[0] < self.now + 20 * MS:
                self._events[place] = (event[0] + 20 * MS, *event[1:])
        heapq.heapify(self._events)

    # ---- the server

    def _commit(self, flight: Flight) -> None:
        if flight.doomed:
            return
        if flight.node == self.node or flight.op == "read":
            self._apply(flight)
            self._log.append(flight)
        else:
            if self._zombie_proof(flight):
                self._visible.add(flight.number)
            if flight.op == "txn":
                flight.result = flight.value
        flight.committed = True
        self._at(self._soon(), "answer", flight)

    def _zombie_proof(self, flight: Flight) -> bool:
        """Whether a newer primary had acknowledged a write before this one was asked."""
        newer = [one for one in self._log if one.timeline > flight.timeline and one.done and _writes(one)]
        acked = {record.id: record for record in self.records if record.event is Event.OK}
        asked = next(i for i, record in enumerate(self.records) if record.id == flight.number)
        before = {record.id for record in self.records[:asked] if record.event is Event.OK}
        return _writes(flight) and any(one.number in before and one.number in acked for one in newer)

    def _crash(self) -> None:
        if self.now < self._down_until or self._paused:
            return
        for flight in self._flights:
            flight.doomed = True
        if self.defect == "lost":
            self._lose()
        self._down_until = self._soon(30, 120)
        self.downs.append((self.now, self._down_until))
        for flight in list(self._flights):
            self._at(self._soon(), "answer", flight)
        self.timeline += 1
        self.node = f"n{self.timeline}"
        self._zombie = self.defect == "split"

    def _lose(self) -> None:
        """The new primary lacks the last commits, of which at least one had been acknowledged."""
        places = [
            place
            for place, flight in enumerate(self._log)
            if flight.done and _writes(flight) and flight.result is not False
        ]
        if not places or self.planted:
            return
        self._log = self._log[: self.random.choice(places[-3:])]
        self._state = _STATES[self.workload]()
        for flight in self._log:
            self._apply(flight, again=True)
        self.planted = True

    def _apply(self, flight: Flight, again: bool = False) -> None:
        result = self._effect(flight)
        if not again:
            flight.result = result

    def _effect(self, flight: Flight) -> Any:
        state, value = self._state, flight.value
        if flight.op == "append":
            state.add(flight.number)
            return None
        if flight.op == "transfer":
            state[value[0]] -= value[2]
            if self.defect == "half" and not self.planted and flight.number > self.operations // 3:
                self.planted = True
            else:
                state[value[1]] += value[2]
            return None
        if flight.op == "txn":
            return [self._act(*act) for act in value]
        if flight.op in ("write", "cas"):
            if flight.op == "cas" and state[value[0]] != value[1]:
                return False
            state[value[0]] = value[-1]
            return value
        return self._stale(flight) or self._read(flight)

    def _act(self, act: str, key: int, value: Any) -> list[Any]:
        if act == "append":
            twice = self.defect == "twice" and not self.planted and bool(self._state[key])
            self._state[key] += [value, value] if twice else [value]
            self.planted = self.planted or twice
            return [act, key, value]
        return [act, key, list(self._state[key])]

    def _read(self, flight: Flight) -> Any:
        state = self._state
        if self.workload == "append":
            return [max(state, default=0), len(state)]
        return list(state) if self.workload == "bank" else [flight.value[0], state[flight.value[0]]]

    def _stale(self, flight: Flight) -> Any:
        """What was true before the last write that was acknowledged when this read was asked."""
        if self.defect != "stale" or self._visible:
            return None
        asked = next(i for i, record in enumerate(self.records) if record.id == flight.number)
        before = {record.id for record in self.records[:asked] if record.event is Event.OK}
        acked = [one for one in self._log if one.number in before and _writes(one)]
        if self.workload == "append" and acked:
            self._visible.add(flight.number)
            rows = {one.number for one in acked[:-1]}
            return [max(rows, default=0), len(rows)]
        same = [one for one in acked if one.op in ("write", "cas") and one.value[0] == flight.value[0]]
        if self.workload == "register" and len(same) >= 2:
            old, new = same[-2:]
            if self._asked_at(new) > self._acked_at(old):
                self._visible.add(flight.number)
                return [flight.value[0], old.value[-1]]
        return None

    def _asked_at(self, flight: Flight) -> int:
        return next(
            i for i, r in enumerate(self.records) if r.id == flight.number and r.event is Event.INVOKED
        )

    def _acked_at(self, flight: Flight) -> int:
        return next(i for i, r in enumerate(self.records) if r.id == flight.number and r.event is Event.OK)

    # ---- the end

    def _finish(self) -> None:
        """A last look by the client and, of rows, at the node."""
        self.now = max(self.now, self._down_until) + 10 * MS
        self._zombie, self._paused = False, False
        reads: Sequence[tuple[str, Any]] = [("read", None)]
        if self.workload == "register":
            reads = [("read", [key, None]) for key in range(KEYS)]
        if self.workload == "list-append":
            reads = [("txn", [["r", key, None] for key in range(KEYS)])]
        for op, value in reads:
            self._numbers += 1
            flight = Flight(self._numbers, 0, op, value, self.now, self.node, self.timeline)
            self._note(Event.INVOKED, id=flight.number, worker=0, op=op, value=value)
            self._flights.append(flight)
            self.now += MS
            flight.result, flight.committed = (self._effect if op == "txn" else self._read)(flight), True
            self.now += MS
            self._answer(flight)
        # What was answered wrongly shows only if somebody heard the answer.
        heard = {record.id for record in self.records if record.event is Event.OK}
        self.planted = self.planted or bool(self._visible & heard)
        if self.workload == "append":
            self.looks.append(Look(self.now, self.node, to_ranges(self._state)))
        self.now += MS
        self._note(Event.STOP)


def _writes(flight: Flight) -> bool:
    return flight.op != "read" and (flight.op != "txn" or _appends(flight)) and flight.result is not False


def _appends(flight: Flight) -> bool:
    return flight.op == "txn" and any(act[0] == "append" for act in flight.value)
