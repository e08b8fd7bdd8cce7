"""The verdict on a load: whether it came to its end, and whether what it measured keeps to the limits. Pure."""

from __future__ import annotations

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
    """A load that did not end well, or that exceeds a limit, has failed; what was not measured is unknown."""
    if load is None:
        return Verdict.UNKNOWN, Cause.HARNESS, "nothing tells what the load measured"
    if not load.complete or load.refused:
        return _not_whole(load)
    broken = [text for text in _held(load, limits) if text]
    if broken:
        return Verdict.FAIL, Cause.PRODUCT, "\n".join(broken)
    missing = list(_not_measured(load, limits))
    if missing:
        text = f"{load.tool} did not measure what is limited: {', '.join(missing)}"
        return Verdict.UNKNOWN, Cause.PRODUCT, text
    return Verdict.PASS, None, None


def _not_whole(load: LoadResult) -> _Finding:
    words = [load.refused] if load.refused else ["it did not come to its end"]
    words += [load.meaning] if load.meaning and load.meaning not in words else []
    cause = Cause.INFRASTRUCTURE if load.exit_code in _NOT_RUNNABLE else Cause.PRODUCT
    return Verdict.FAIL, cause, f"{load.tool}: {'; '.join(words)}"


def _measured(load: LoadResult) -> dict[str, float | None]:
    return {
        "error_rate": load.error_rate,
        "outage_seconds": longest_outage(load.intervals),
        "p95_ms": load.latency.p95,
        "p99_ms": load.latency.p99,
        "per_second": load.per_second,
    }


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
    return (name for name, _, _ in _LIMITS if getattr(limits, name) is not None and measured[name] is None)


def longest_outage(intervals: Iterable[Interval]) -> float | None:
    """Seconds of the longest row of intervals without a transaction that succeeded; None where there are no intervals.

    A gap between two intervals is part of a row: nothing was told of it.
    """
    ordered = sorted(intervals, key=lambda interval: interval.start)
    if not ordered:
        return None
    longest = 0.0
    last = ordered[0].start
    for interval in ordered:
        if interval.count > 0:
            longest = max(longest, interval.start - last)
            last = interval.start + interval.seconds
    return max(longest, ordered[-1].start + ordered[-1].seconds - last)
