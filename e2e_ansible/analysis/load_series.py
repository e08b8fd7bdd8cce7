"""What a load measured, as numbers to compare: each with the way in which it is better. Pure.

A load gives its whole as one value per metric, and what it saw in each interval as many: of two runs alone only the
second ones can decide anything, of many runs the first ones tell best.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from e2e_ansible.analysis.series import Direction, Series
from e2e_ansible.judge.load import longest_outage
from e2e_ansible.load.result import Interval, Latency, LoadResult

__all__ = ["Metric", "Missing", "load_metrics", "trials_for", "why_not_counted"]

#: So many intervals tell how much a load varies within itself.
FEWEST = 8
#: What matters to nobody, in the unit: milliseconds, and per cent of all transactions.
_LATENCY_FLOOR, _SHARE_FLOOR = 0.05, 0.1
_LEVEL = 0.95
#: The last interval is often cut short; one that is much shorter than the others tells mostly noise.
_SHORT = 0.5
_LONGEST_REASON = 160
_PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99))
_OF_INTERVALS = ("average", "p50", "p90", "p95", "p99")


@dataclass(frozen=True)
class Metric:
    """One metric under its name within the load."""

    name: str
    series: Series


@dataclass(frozen=True)
class Missing:
    """A metric that the load does not have, and why."""

    name: str
    why: str


def why_not_counted(load: LoadResult) -> str:
    """Why no number of a load may be compared, '' if they may."""
    if load.refused:
        return f"the load does not count: {_short(load.refused)}"
    return (
        ""
        if load.complete
        else f"the load did not come to its end: {_short(load.meaning) or 'nothing tells why'}"
    )


def _short(text: str) -> str:
    """Of what a tool has said, as much as a table holds; its step has all of it."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} …"


def load_metrics(load: LoadResult) -> Iterator[Metric | Missing]:
    """Every metric of a load that counts, or why it has none. More throughput is better, less of anything else."""
    yield _single("throughput", load.per_second, "/s", Direction.HIGHER)
    yield from _latencies(load)
    errors = load.error_rate
    yield _single("errors", None if errors is None else errors * 100, "%", floor=_SHARE_FLOOR)
    yield _retries(load)
    yield _outage(load.intervals, load.seconds)
    yield from _over_time(load.intervals)


def _single(
    name: str, value: float | None, unit: str, better: Direction = Direction.LOWER, floor: float = 0.0
) -> Metric | Missing:
    if value is None or not math.isfinite(value):
        return Missing(name, "the tool did not tell it")
    return Metric(name, Series(values=(value,), unit=unit, better=better, floor=floor, whole=True))


def _retries(load: LoadResult) -> Metric | Missing:
    if load.retried is None or not load.transactions:
        return Missing("retries", "the tool did not tell it")
    return _single("retries", 100 * load.retried / load.transactions, "%", floor=_SHARE_FLOOR)


def _outage(intervals: Sequence[Interval], seconds: float | None) -> Metric | Missing:
    """No finer than the intervals, so a change of less than one says nothing."""
    longest = longest_outage(intervals, seconds)
    if longest is None:
        return Missing("outage", "the tool told no intervals")
    return _single("outage", longest, "s", floor=max(one.seconds for one in intervals))


def _latencies(load: LoadResult) -> Iterator[Metric | Missing]:
    yield _single("average latency", load.latency.average, "ms", floor=_LATENCY_FLOOR)
    for field, share in _PERCENTILES:
        value = getattr(load.latency, field)
        name = _percentile_name(field, load.latency)
        needed = trials_for(share)
        if value is not None and load.transactions is not None and load.transactions < needed:
            why = f"{load.transactions} transactions tell no {field.upper()}: it takes {needed}"
            yield Missing(name, why)
        else:
            yield _single(name, value, "ms", floor=_LATENCY_FLOOR)


def _percentile_name(field: str, latency: Latency) -> str:
    """An upper bound of a bucket is not the same number as a measured percentile, so it has not its name."""
    return f"{field.upper()} latency{', of buckets' if latency.bucketed else ''}"


def trials_for(share: float, level: float = _LEVEL) -> int:
    """How many values tell a percentile, so that one of them lies above it for sure, as far as `level` is sure.

    >>> trials_for(0.99)
    368
    """
    return math.ceil(math.log((1 - level) / 2) / math.log(share))


def _over_time(intervals: Sequence[Interval]) -> Iterator[Metric | Missing]:
    whole = _whole(intervals)
    if len(whole) < FEWEST:
        yield Missing("throughput per interval", f"{len(whole)} intervals are fewer than {FEWEST}")
        return
    rates = tuple(one.count / one.seconds for one in whole)
    yield Metric("throughput per interval", Series(values=rates, unit="/s", better=Direction.HIGHER))
    for field in _OF_INTERVALS:
        values = tuple(
            value
            for one in whole
            if (value := getattr(one.latency, field)) is not None and math.isfinite(value)
        )
        if len(values) >= FEWEST:
            name = f"{_named(field, whole[0].latency)} per interval"
            yield Metric(name, Series(values=values, unit="ms", floor=_LATENCY_FLOOR))
            return


def _named(field: str, latency: Latency) -> str:
    return "average latency" if field == "average" else _percentile_name(field, latency)


def _whole(intervals: Sequence[Interval]) -> Sequence[Interval]:
    longest = max((one.seconds for one in intervals), default=0.0)
    return [one for one in intervals if one.seconds > _SHORT * longest]
