"""What each client of a test went through: the records of one history to one result, with the faults beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.judge.bank import bank
from e2e_ansible.judge.durability import Look, durability
from e2e_ansible.judge.elle import elle
from e2e_ansible.judge.finding import Finding, Inquiry
from e2e_ansible.judge.latency import Bin, Latency, latency, series
from e2e_ansible.judge.operations import History, history, seconds
from e2e_ansible.judge.outage import FaultImpact, FaultLike, OutageWindow, join, outages
from e2e_ansible.judge.register import register
from e2e_ansible.judge.staleness import staleness
from e2e_ansible.judge.writers import writers
from e2e_ansible.oracle.history import Record, no_collector

__all__ = ["ClientResult", "judge_client", "judge_clients"]

_KEPT_WINDOWS = 100
_BY_WORKLOAD: Mapping[str, tuple[Callable[[History], Inquiry], ...]] = {
    "append": (staleness, writers),
    "bank": (bank, writers),
    "register": (register, staleness, writers),
    "list-append": (elle, staleness, writers),
}


class ClientResult(BaseModel):
    """One client over its whole life. Times are epoch seconds of the controller, lengths in seconds.

    `outages` are the longest windows, in order of time; `outage_count` and the two totals are of all. `pace` is the
    usual time between two operations and so the error of a window; `resolution` the step of the client's clock.
    `lost` and `resurrected` are row numbers, as inclusive ranges; their counts may also rest on counted reads. What
    is `unknown` is in neither; `examined` is by how many looks and reads that was shown, with 0 nothing was.
    `undecided` are judges that gave up.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    workload: str
    operations: int = 0
    ok: int = 0
    fail: int = 0
    unknown: int = 0
    reads: int = Field(
        0,
        description="How many of the operations change nothing; without any, no outage of reads can be seen",
    )
    started: float | None = None
    ended: float | None = None
    rate: float | None = None
    concurrency: int | None = None
    pace: float = 0
    resolution: float | None = None
    overhead: dict[str, Any] = Field(default_factory=dict)
    blind: tuple[tuple[float, float], ...] = ()
    outages: tuple[OutageWindow, ...] = ()
    outage_count: int = 0
    outage_writes: float = 0
    outage_reads: float = 0
    faults: tuple[FaultImpact, ...] = ()
    acknowledged: int = 0
    examined: int = 0
    lost: tuple[tuple[int, int], ...] = ()
    lost_count: int = 0
    resurrected: tuple[tuple[int, int], ...] = ()
    resurrected_count: int = 0
    lacking: dict[str, tuple[tuple[int, int], ...]] = Field(default_factory=dict)
    unknown_present: int | None = None
    unknown_absent: int | None = None
    findings: tuple[Finding, ...] = ()
    finding_count: int = 0
    undecided: tuple[str, ...] = ()
    latency: Latency = Latency()
    series: tuple[Bin, ...] = ()
    errors: dict[str, int] = Field(default_factory=dict, description="The most frequent errors and how often")


def judge_clients(
    histories: Mapping[str, Iterable[Record]],
    *,
    faults: Sequence[FaultLike] = (),
    looks: Mapping[str, Sequence[Look]] | None = None,
) -> tuple[ClientResult, ...]:
    """Judge all clients of a test; `looks` are the rows that nodes held, by client."""
    seen = looks or {}
    return tuple(
        judge_client(name, records, faults=faults, looks=seen.get(name, ()))
        for name, records in histories.items()
    )


def judge_client(
    name: str, records: Iterable[Record], *, faults: Sequence[FaultLike] = (), looks: Sequence[Look] = ()
) -> ClientResult:
    """Judge one client. Pure: the same records, faults and looks give the same result."""
    with no_collector():
        return _judged(name, records, faults, looks)


def _judged(
    name: str, records: Iterable[Record], faults: Sequence[FaultLike], looks: Sequence[Look]
) -> ClientResult:
    past = history(records)
    windows, impacts = join([*outages(past, "writes"), *outages(past, "reads")], faults)
    inquiries = [judge(past) for judge in _BY_WORKLOAD.get(past.workload, (writers,))]
    return ClientResult(
        name=name,
        workload=past.workload,
        **_counts(past),
        **_itself(past),
        blind=tuple((seconds(low), seconds(high)) for low, high in past.blind),
        outages=_longest(windows),
        outage_count=len(windows),
        outage_writes=round(sum(one.seconds for one in windows if one.kind == "writes"), 6),
        outage_reads=round(sum(one.seconds for one in windows if one.kind == "reads"), 6),
        faults=impacts,
        **_fates(past, looks, inquiries),
        undecided=tuple(inquiry.undecided for inquiry in inquiries if inquiry.undecided),
        latency=latency(past),
        series=series(past),
    )


def _counts(past: History) -> dict[str, Any]:
    counts = Counter(one.outcome for one in past.operations)
    errors = Counter(one.error for one in past.operations if one.error and not one.served)
    return {
        "operations": len(past.operations),
        "ok": counts["ok"],
        "fail": counts["fail"],
        "unknown": counts["unknown"],
        "reads": sum(1 for one in past.operations if one.reads),
        "errors": dict(errors.most_common(10)),
    }


def _itself(past: History) -> dict[str, Any]:
    start = past.start
    return {
        "started": None if past.began is None else seconds(past.began),
        "ended": None if past.ended is None else seconds(past.ended),
        "rate": start.rate if start else None,
        "concurrency": start.concurrency if start else None,
        "pace": seconds(past.pace),
        "resolution": start.resolution / 1e9 if start and start.resolution is not None else None,
        "overhead": dict(past.overhead),
    }


def _fates(past: History, looks: Sequence[Look], inquiries: Sequence[Inquiry]) -> dict[str, Any]:
    rows = durability(past, _during(past, looks)) if past.workload == "append" else None
    told = [*(rows.findings if rows else ()), *(each for one in inquiries for each in one.findings)]
    fates: dict[str, Any] = {
        "findings": tuple(told),
        "finding_count": (len(rows.findings) if rows else 0) + sum(one.count for one in inquiries),
        "acknowledged": sum(1 for one in past.operations if one.ok and not one.reads),
    }
    if rows:
        kept = ("examined", "lost", "lost_count", "resurrected", "resurrected_count", "lacking")
        fates |= {name: getattr(rows, name) for name in (*kept, "unknown_present", "unknown_absent")}
    return fates


def _during(past: History, looks: Sequence[Look]) -> list[Look]:
    """The looks while the client lived: later ones may have seen another cluster."""
    return [look for look in looks if past.began is not None and past.began <= look.at <= (past.ended or 0)]


def _longest(windows: Sequence[OutageWindow]) -> tuple[OutageWindow, ...]:
    kept = sorted(windows, key=lambda one: -one.seconds)[:_KEPT_WINDOWS]
    return tuple(sorted(kept, key=lambda one: (one.start, one.kind)))
