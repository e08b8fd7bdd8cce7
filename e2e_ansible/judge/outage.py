"""When clients got nothing: windows in which writes, or reads, were asked for and none was answered.

An operation is *served* when it was done, or refused by its own condition. It was *in vain* when it failed or nobody
knows what became of it, or when no operation of its kind was served for `PATIENCE` seconds after it was invoked (a
cluster that hangs and then answers everything was away as well). A transaction that lost against another one (a
serialization failure, a deadlock) is neither.

A *silence* is the time between two answers to served operations, of whichever worker. A vain operation counts in the
silence in which it waited longest. A silence with vain operations is a window. It **begins** with the invocation of
the first of them (or, if that was under way before, with the last answer to a served operation). It **ends** with the
first answer to a served one. So a session that dies while others are served gives a window no longer than the pace of
the client; a window without an end lasted until the history ended.

`seconds` is from begin to end. What is true lies between two bounds:

- `low`: from the begin to the last moment at which a vain operation waited or was refused, less the blind time within;
- `high`: from the last answer before the window (without any, from the begin of the history) to the one that ends it,
  blind time included; None if nothing ended it.

Without blind time both differ from `seconds` by no more than the pace of the client and the time of one answer. Time
in which the client did not ask (paused, late, not running) is *blind*: it is no outage, but it widens the bounds of a
window that it touches. A client whose process is stopped in the middle of an operation looks like a server that hangs.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from e2e_ansible.judge.operations import SECOND, History, Operation, Span, clock, seconds

__all__ = [
    "AFTERMATH_SECONDS",
    "PATIENCE_SECONDS",
    "FaultImpact",
    "FaultLike",
    "Kind",
    "OutageWindow",
    "join",
    "longest",
    "outages",
]

PATIENCE_SECONDS = 1.0
#: A window that begins this long after a heal still belongs to the fault: healing itself may cut clients off.
AFTERMATH_SECONDS = 30.0

Kind = Literal["writes", "reads"]


class OutageWindow(BaseModel):
    """One window; times are epoch seconds of the controller, lengths in seconds. See the module for each of them."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    start: float
    end: float | None
    seconds: float
    low: float
    high: float | None
    blind: float = 0
    operations: int = 0
    error: str = ""
    ended_by: str = ""
    faults: tuple[str, ...] = ()


class FaultLike(Protocol):
    """What is read of a fault of the ledger (see `faults.ledger.FaultRecord`); times are epoch seconds."""

    @property
    def id(self) -> str: ...
    @property
    def fault(self) -> str: ...
    @property
    def node(self) -> str: ...
    @property
    def intended(self) -> float: ...
    @property
    def injected(self) -> float | None: ...
    @property
    def healed(self) -> float | None: ...


class FaultImpact(BaseModel):
    """What one fault did to the clients. `writes` and `reads` are seconds of outage, over all its windows.

    `recovered` is when the last of its windows ended: from then on everything was answered until the next fault. The
    two recovery times count from the injection and from the heal to it, 0 when there was no outage (or it was over
    before the heal), None when it never ended or the fault was never healed.
    """

    model_config = ConfigDict(frozen=True)

    fault: str
    kind: str
    node: str
    injected: float
    healed: float | None = None
    writes: float = 0
    reads: float = 0
    windows: int = 0
    recovered: float | None = None
    recovery_from_injection: float | None = 0
    recovery_from_heal: float | None = None


def outages(history: History, kind: Kind, patience: float = PATIENCE_SECONDS) -> tuple[OutageWindow, ...]:
    """The windows of one kind, in order of time."""
    asked = [each for each in history.operations if each.reads == (kind == "reads")]
    return tuple(_Silences(history, kind, asked, int(patience * SECOND)).windows())


class _Silences:
    """The times between two answers to served operations, and which of them are outages."""

    def __init__(self, history: History, kind: Kind, asked: Sequence[Operation], patience: int) -> None:
        self._history, self._kind, self._asked, self._patience = history, kind, asked, patience
        served = sorted((one for one in asked if one.ended is not None and one.served), key=_ended)
        self._served = served
        self._acks = [_ended(one) for one in served]
        self._begins = [one.began for one in asked]

    def windows(self) -> Iterator[OutageWindow]:
        vain: dict[int, list[Operation]] = {}
        for one in self._asked:
            if self._in_vain(one):
                vain.setdefault(self._silence(one), []).append(one)
        for index in sorted({*vain, *self._long()}):
            waiting = self._waiting(index)
            if waiting or index in vain:
                yield self._window(index, vain.get(index, []), waiting)

    def _silence(self, one: Operation) -> int:
        """The silence in which a vain operation waited longest; the first of several."""
        heard = self._heard(one)
        first = bisect_left(self._acks, one.began)
        last = bisect_left(self._acks, heard, lo=first)
        if first == last:
            return first
        acks = self._acks[first:last]
        waited = [until - since for since, until in zip([one.began, *acks], [*acks, heard], strict=True)]
        return first + waited.index(max(waited))

    def _in_vain(self, one: Operation) -> bool:
        """One asked a moment before the history was cut or the client killed is no evidence: nobody waited for it."""
        if one.ended is None:
            return self._heard(one) - one.began >= self._patience
        return not one.served and not one.contended

    def _heard(self, one: Operation) -> int:
        """Until when the client would have noted an answer."""
        if one.ended is not None:
            return one.ended
        ends = (begin for begin, _ in self._history.blind if begin >= one.began)
        return min(ends, default=self._history.ended or one.began)

    def _long(self) -> Iterator[int]:
        """Silences long enough that somebody may have waited longer than anybody should."""
        before = 0
        for index, after in enumerate([*self._acks, self._history.ended or 0]):
            if after - before >= self._patience:
                yield index
            before = after

    def _bounds(self, index: int) -> tuple[int | None, int]:
        before = self._acks[index - 1] if index else None
        return before, self._acks[index] if index < len(self._acks) else self._history.ended or 0

    def _waiting(self, index: int) -> list[Operation]:
        """Operations invoked in the silence that saw nobody served for as long as patience lasts."""
        before, until = self._bounds(index)
        low = bisect_right(self._begins, before) if before is not None else 0
        high = bisect_right(self._begins, until - self._patience)
        return [one for one in self._asked[low:high] if not one.contended and self._waits(one, until)]

    def _waits(self, one: Operation, until: int) -> bool:
        blind = _overlap(self._history.blind, one.began, until)
        return until - one.began - blind >= self._patience

    def _window(self, index: int, vain: list[Operation], waiting: list[Operation]) -> OutageWindow:
        before, until = self._bounds(index)
        ender = self._served[index] if index < len(self._served) else None
        first = min(one.began for one in (*vain, *waiting))
        start = first if before is None else max(first, before)
        since = before if before is not None else min(start, self._history.began or start)
        # One that was answered in the end waited for its answer, and for nothing else.
        proved = max(min(self._heard(one), until) for one in (*vain, *waiting))
        return OutageWindow(
            kind=self._kind,
            start=seconds(start),
            end=seconds(until) if ender else None,
            seconds=seconds(until - start),
            low=seconds(max(0, proved - start - _overlap(self._history.blind, start, proved))),
            high=seconds(until - since) if ender else None,
            blind=seconds(_overlap(self._history.blind, since, until)),
            operations=len({one.id for one in (*vain, *waiting)}),
            error=next((one.error for one in vain if one.error), ""),
            ended_by=_ended_by(ender),
        )


def _ended(operation: Operation) -> int:
    return operation.ended if operation.ended is not None else operation.began


def _ended_by(ender: Operation | None) -> str:
    if ender is None:
        return "nothing: the history ends"
    where = f" on {ender.node}" if ender.node else ""
    timeline = f", timeline {ender.timeline}" if ender.timeline else ""
    return f"{ender.title} answered{where}{timeline} at {clock(_ended(ender))}"


def _overlap(spans: Iterable[Span], low: int, high: int) -> int:
    return sum(max(0, min(end, high) - max(begin, low)) for begin, end in spans)


def longest(windows: Sequence[OutageWindow], kind: Kind) -> OutageWindow | None:
    """The longest window of a kind; one that never ended counts as it stands."""
    return max((one for one in windows if one.kind == kind), key=lambda one: one.seconds, default=None)


def join(
    windows: Sequence[OutageWindow], faults: Sequence[FaultLike]
) -> tuple[tuple[OutageWindow, ...], tuple[FaultImpact, ...]]:
    """The windows with the faults they belong to, and what each fault did.

    A window belongs to every fault that was there at some moment of it. If there is none, it belongs to the last
    one that was healed no longer than `AFTERMATH_SECONDS` before it began.
    """
    known = [fault for fault in faults if fault.injected is not None]
    joined = tuple(one.model_copy(update={"faults": _faults_of(one, known)}) for one in windows)
    return joined, tuple(_impact(fault, joined) for fault in known)


def _faults_of(window: OutageWindow, faults: Sequence[FaultLike]) -> tuple[str, ...]:
    earliest = window.start if window.high is None or window.end is None else window.end - window.high
    there = [fault for fault in faults if _there(fault, earliest, window.end)]
    if there:
        return tuple(fault.id for fault in there)
    healed = [(fault.healed, fault.id) for fault in faults if fault.healed is not None]
    after = [(at, name) for at, name in healed if 0 <= window.start - at <= AFTERMATH_SECONDS]
    return (max(after)[1],) if after else ()


def _there(fault: FaultLike, start: float, end: float | None) -> bool:
    began = end is None or fault.intended <= end
    return began and (fault.healed is None or fault.healed >= start)


def _impact(fault: FaultLike, windows: Sequence[OutageWindow]) -> FaultImpact:
    own = [one for one in windows if fault.id in one.faults]
    injected = fault.injected or 0.0
    ends = [one.end for one in own]
    whole = [end for end in ends if end is not None]
    lasting = max(whole) if own and len(whole) == len(own) else None
    return FaultImpact(
        fault=fault.id,
        kind=fault.fault,
        node=fault.node,
        injected=injected,
        healed=fault.healed,
        writes=_total(own, "writes"),
        reads=_total(own, "reads"),
        windows=len(own),
        recovered=lasting,
        recovery_from_injection=_since(injected, lasting, own),
        recovery_from_heal=None if fault.healed is None else _since(fault.healed, lasting, own),
    )


def _total(windows: Iterable[OutageWindow], kind: Kind) -> float:
    return round(sum(one.seconds for one in windows if one.kind == kind), 6)


def _since(moment: float, recovered: float | None, windows: Sequence[OutageWindow]) -> float | None:
    if not windows:
        return 0.0
    return None if recovered is None else round(max(0.0, recovered - moment), 6)
