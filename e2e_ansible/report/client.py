"""Clients in words: what one went through, said the same way in every report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.outage import FaultImpact, Kind, OutageWindow, longest
from e2e_ansible.judge.result import FaultResult
from e2e_ansible.report.words import count, duration, shorten

__all__ = [
    "bounds_words",
    "fault_words",
    "lost_words",
    "moment",
    "outage_words",
    "overhead_words",
    "precise",
    "range_words",
    "recovery_words",
    "resurrected_words",
    "told_words",
    "worst_words",
]

_MOST_RANGES = 12
_FEW_RANGES = 1
_MOST_FINDINGS = 3
_KINDS: tuple[Kind, ...] = ("writes", "reads")
_NANOSECONDS = {
    "record_ns_median": "a note, median",
    "late_ns_p99": "late, p99",
    "late_ns_max": "late, at most",
}


def precise(seconds: float) -> str:
    """Seconds to three digits or so: `40 ns`, `400 µs`, `231 ms`, `4.21 s`, `18.0 s`, `2m03s`."""
    if seconds >= 59.95:
        return duration(seconds)
    for least, factor, unit in ((0.9995, 1, "s"), (0.9995e-3, 1e3, "ms"), (0.9995e-6, 1e6, "µs")):
        if seconds >= least:
            return f"{_three(seconds * factor)} {unit}"
    return f"{seconds * 1e9:.0f} ns" if seconds > 0 else "0 s"


def _three(number: float) -> str:
    digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{digits}f}"


def moment(at: float) -> str:
    """Epoch seconds as the time of day with milliseconds, `12:00:00.031`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[11:23]


def bounds_words(window: OutageWindow) -> str:
    """What is surely true of its length: `(12.7 s .. 19.5 s)`."""
    high = precise(window.high) if window.high is not None else "not over"
    return f"({precise(window.low)} .. {high})"


def fault_words(ids: Sequence[str], faults: Mapping[str, FaultResult], *, full: bool = True) -> str:
    """Faults by what they are: `partition of n12 (04-cut/n12)`."""
    known = [(faults.get(one), f" ({one})" if full else "", one) for one in ids]
    return ", ".join(f"{of.fault} of {of.node}{name}" if of else one for of, name, one in known)


def outage_words(window: OutageWindow, faults: Mapping[str, FaultResult], *, full: bool = True) -> str:
    """One outage in a sentence; unless `full`, only how long it was and whose."""
    cause = fault_words(window.faults, faults, full=full)
    owner = f", {cause}" if cause else ", no fault was there"
    length = f"no {window.kind} for {precise(window.seconds)}"
    if not full:
        return length + owner
    until = f"; {window.ended_by}" if window.ended_by else ""
    return f"{length} {bounds_words(window)} from {moment(window.start)}{owner}{until}"


def worst_words(
    client: ClientResult, faults: Mapping[str, FaultResult], *, full: bool = True
) -> Iterator[str]:
    """The longest outage of each kind, and how many there were."""
    for kind in _KINDS:
        worst = longest(client.outages, kind)
        if worst is not None:
            others = sum(1 for one in client.outages if one.kind == kind) - 1
            total = client.outage_writes if kind == "writes" else client.outage_reads
            more = f"; with {count(others, 'shorter one')} {precise(total)} in all" if others else ""
            yield outage_words(worst, faults, full=full) + (more if full else "")


def told_words(
    client: ClientResult, faults: Mapping[str, FaultResult], *, full: bool = True
) -> tuple[str, ...]:
    """What matters of a client, a sentence each: its worst outages, its rows, and what its judges found."""
    told = list(worst_words(client, faults, full=full)) or [
        f"no outage in {count(client.operations, 'operation')}"
    ]
    if client.workload == "append":
        told.append(f"lost rows: {lost_words(client, full=full)}")
    if client.resurrected_count:
        told.append(f"resurrected rows: {resurrected_words(client, full=full)}")
    others = [one.message for one in client.findings if one.kind not in ("lost", "resurrected")]
    told += others[:_MOST_FINDINGS]
    if len(others) > _MOST_FINDINGS:
        told.append(f"and {client.finding_count - _MOST_FINDINGS} more findings")
    return (*told, *client.undecided)


def lost_words(client: ClientResult, *, full: bool = True) -> str:
    """What became of acknowledged rows: `none of 1204 acknowledged rows`, `12 of 1204 ...: 33-44`."""
    rows = count(client.acknowledged, "acknowledged row") if full else str(client.acknowledged)
    return _fate(client, client.lost_count, client.lost, f" of {rows}", full=full)


def resurrected_words(client: ClientResult, *, full: bool = True) -> str:
    """What came back from the dead."""
    return _fate(client, client.resurrected_count, client.resurrected, "", full=full)


def _fate(
    client: ClientResult, number: int, ranges: Sequence[tuple[int, int]], of: str, *, full: bool
) -> str:
    if not client.examined:
        return "unknown: nobody looked at its rows"
    named = f": {range_words(ranges, _MOST_RANGES if full else _FEW_RANGES)}" if ranges else ""
    return f"{number or 'none'}{of}{named}"


def range_words(ranges: Sequence[tuple[int, int]], most: int = _MOST_RANGES) -> str:
    """Inclusive ranges: `3, 7-9 and 4 more ranges`."""
    said = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges[:most])
    left = len(ranges) - most
    return f"{said} and {count(left, 'more range')}" if left > 0 else said


def recovery_words(impact: FaultImpact) -> str:
    """How long after the fault, and after its heal, everything was answered again."""
    if not impact.windows:
        return "no outage"
    if impact.recovery_from_injection is None:
        return "never"
    after = f"{precise(impact.recovery_from_injection)} after it came"
    if impact.recovery_from_heal is None:
        return after
    heal = impact.recovery_from_heal
    return f"{after}, {precise(heal)} after the heal" if heal else f"{after}, before the heal"


def overhead_words(overhead: Mapping[str, Any]) -> str:
    """What the client itself costs: how long a note takes, and how late it was."""
    known = [(words, overhead[key]) for key, words in _NANOSECONDS.items() if key in overhead]
    others = [
        f"{key} {shorten(str(value), lines=1, characters=60)}"
        for key, value in overhead.items()
        if key not in _NANOSECONDS
    ]
    told = [f"{words} {precise(value / 1e9)}" for words, value in known if isinstance(value, int | float)]
    return ", ".join([*told, *others])
