"""The verdict on a load: whether it came to its end, and whether what it measured keeps to the limits. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from e2e_ansible.load import registry
from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.limits import LoadLimits
from e2e_ansible.load.result import Interval, LoadResult
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["judge_load", "load_of", "longest_outage"]

_Finding = tuple[Verdict, Cause | None, str | None]
_NOT_RUNNABLE = (125, 126, 127)


def load_of(output: LoadOutput | None, recorded: LoadResult | None) -> LoadResult | None:
    """What the tool measured; that of a tool from elsewhere was read when it ran."""
    if output is None or recorded is not None:
        return recorded
    return registry.read(output) if registry.is_built_in(output.tool) else None


def judge_load(load: LoadResult | None, limits: LoadLimits) -> _Finding:
    """A load that did not end well, did nothing or exceeds a limit has failed; what was not measured is unknown."""
    if load is None:
        return Verdict.UNKNOWN, Cause.HARNESS, "nothing tells what the load measured"
    if not load.complete or load.refused:
        return _not_whole(load)
    broken = list(_broken(load, limits))
    if broken:
        return Verdict.FAIL, Cause.PRODUCT, "\n".join(broken)
    missing = list(_not_measured(load, limits))
    if missing:
        text = f"{load.tool} did not measure what is limited: {', '.join(missing)}"
        return Verdict.UNKNOWN, Cause.PRODUCT, text
    return Verdict.PASS, None, None


def _broken(load: LoadResult, limits: LoadLimits) -> Iterator[str]:
    """What speaks against a load that ended well: the limits that it broke, and that it loaded nothing."""
    done = load.transactions
    if done is None and load.intervals:
        done = sum(interval.count for interval in load.intervals)
    if done is not None and done <= 0:
        yield f"{load.tool}: not one transaction succeeded"
    yield from _held(load, limits)


def _not_whole(load: LoadResult) -> _Finding:
    words = [load.refused] if load.refused else ["it did not come to its end"]
    words += [load.meaning] if load.meaning and load.meaning not in words else []
    cause = Cause.INFRASTRUCTURE if load.exit_code in _NOT_RUNNABLE else Cause.PRODUCT
    return Verdict.FAIL, cause, f"{load.tool}: {'; '.join(words)}"


def _measured(load: LoadResult) -> dict[str, float | None]:
    """A tool may tell what is no number, and no number is larger or smaller than that."""
    told = {
        "error_rate": load.error_rate,
        "outage_seconds": longest_outage(load.intervals, load.seconds),
        "p95_ms": load.latency.p95,
        "p99_ms": load.latency.p99,
        "per_second": load.per_second,
    }
    return {name: value if value is None or math.isfinite(value) else None for name, value in told.items()}


def _amount(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


#: Name of a limit, how it is said, and whether a larger value breaks it.
_LIMITS: Sequence[tuple[str, Callable[[float], str], bool]] = (
    ("error_rate", lambda value: f"{_amount(value)} of all transactions failed", True),
    ("outage_seconds", lambda value: f"no transaction succeeded for {_amount(value)} s", True),
    ("p95_ms", lambda value: f"the 95th percentile is {_amount(value)} ms", True),
    ("p99_ms", lambda value: f"the 99th percentile is {_amount(value)} ms", True),
    ("per_second", lambda value: f"{_amount(value)} transactions per second", False),
)


def _held(load: LoadResult, limits: LoadLimits) -> Iterator[str]:
    measured = _measured(load)
    for name, say, upper in _LIMITS:
        limit, value = getattr(limits, name), measured[name]
        if limit is not None and value is not None and (value > limit if upper else value < limit):
            yield f"{name}: {say(value)}, the limit is {limit:.12g}"


def _not_measured(load: LoadResult, limits: LoadLimits) -> Iterator[str]:
    measured = _measured(load)
    for name, _, _ in _LIMITS:
        if getattr(limits, name) is not None and measured[name] is None:
            yield name
    limit, coarse = limits.outage_seconds, _coarsest(load.intervals)
    if limit is not None and measured["outage_seconds"] is not None and limit < coarse:
        yield f"outage_seconds (an interval of {_amount(coarse)} s shows none of {limit:.12g} s)"


def _coarsest(intervals: Iterable[Interval]) -> float:
    """An outage may hide in an interval in which anything succeeded: in how many seconds at most."""
    return max((interval.seconds for interval in intervals if interval.count > 0), default=0.0)


def longest_outage(intervals: Iterable[Interval], seconds: float | None = None) -> float | None:
    """Seconds of the longest row of intervals without a transaction that succeeded; None where there are no intervals.

    A gap between two intervals is part of a row: nothing was told of it. So are the time before the first of them and
    what is left after the last until `seconds`, the length of the load, but for less than an interval. None also where
    a time is no number.
    """
    ordered = sorted(intervals, key=lambda interval: interval.start)
    if not ordered or not all(math.isfinite(one.start) and math.isfinite(one.seconds) for one in ordered):
        return None
    first = ordered[0].start
    end = max(one.start + one.seconds for one in ordered)
    usual = max(one.seconds for one in ordered)
    if seconds is not None and math.isfinite(seconds) and seconds - end > usual:
        end = seconds
    longest = 0.0
    last = 0.0 if first > usual else first
    for interval in ordered:
        if interval.count > 0:
            longest = max(longest, interval.start - last)
            last = max(last, interval.start + interval.seconds)
    return round(max(longest, end - last), 6)  # of times that are not binary something is left over
