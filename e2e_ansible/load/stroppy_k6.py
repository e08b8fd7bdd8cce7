"""What Stroppy up to 5.7.3, with k6 inside, leaves: the summary of k6 as a file, and its exit status. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.result import Latency, LoadResult, TransactionLoad
from e2e_ansible.load.stroppy_result import LONGEST_TEXT, by_name, common, ended, population
from e2e_ansible.load.stroppy_run import Run
from e2e_ansible.load.stroppy_words import SUMMARY

__all__ = ["read_k6"]

_PERCENTILES = {
    "average": "avg",
    "p50": "med",
    "p90": "p(90)",
    "p95": "p(95)",
    "p99": "p(99)",
    "maximum": "max",
}
_ERROR = re.compile(r'level=error msg="((?:[^"\\]|\\.)*)"|\tFATAL\t(.+)')
_TOOK = re.compile(r"End of '\w+' step \(took ([0-9.µa-z]+)\)")
_PART = re.compile(r"([0-9.]+)(ms|µs|us|ns|h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}
_WHOLE = 0.98  # of its time; clocks and rates are rounded
_MARK = "test marked as failed: "
_THRESHOLDS, _MARKED = 99, 110
_MEANING: Mapping[int, str] = {
    0: "it ended by itself",
    1: "it ended with an error",
    64: "it was not run",
    _THRESHOLDS: "it came to its end, and a threshold of the workload was crossed",
    100: "its set-up took too long",
    101: "its tear-down took too long",
    102: "it took too long",
    104: "its configuration is wrong",
    105: "it was interrupted",
    107: "its script raised an error",
    108: "its script ended the test",
    109: "it panicked",
    _MARKED: "its script marked the test as failed",
    124: "it took too long and was ended",
    130: "it was interrupted",
    137: "it was killed",
    143: "it was told to end",
}


def read_k6(output: LoadOutput, run: Run | None) -> LoadResult:
    """The result. `run` is what was noted beside the output, if it was."""
    metrics = _metrics(output.files.get(SUMMARY, ""))
    whole = "iterations" in metrics
    early = _early(output, run, metrics)
    done, failed = _counts(output, metrics)
    seconds = run.seconds if run and run.seconds else _seconds(output, metrics)
    compliance = _compliance(metrics, output.exit_code) if whole else {}
    return LoadResult(
        **common(output, run, "k6"),
        seconds=seconds,
        transactions=done,
        per_second=done / seconds if done is not None and seconds else None,
        failed=failed,
        retried=_retried(metrics),
        latency=_latency(metrics.get("tx_total_duration") or metrics.get("iteration_duration") or {}),
        by_name=tuple(_by_name(metrics, seconds)),
        compliance=compliance,
        meaning=early or _meaning(output, whole),
        complete=whole and not early and output.exit_code in (0, _THRESHOLDS),
        refused=_refused(output, run, compliance),
    )


def _metrics(text: str) -> dict[str, Mapping[str, Any]]:
    try:
        told = json.loads(text).get("metrics")
    except (ValueError, AttributeError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    return {str(name): each for name, each in told.items() if isinstance(each, dict)}


def _number(given: Mapping[str, Any] | None, name: str) -> float | None:
    value = (given or {}).get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _counts(output: LoadOutput, metrics: Mapping[str, Mapping[str, Any]]) -> tuple[int | None, int | None]:
    """What was committed, with what TPC-C itself wants rolled back; and the other iterations.

    Of a workload whose transactions are not its own it tells nothing when some of its iterations failed.
    """
    tried, committed = (
        _number(metrics.get("iterations"), "count"),
        _number(metrics.get("tx_commit_rate"), "passes"),
    )
    if tried is None:
        return None, None
    if committed is None and not output.workload.endswith("/tx"):
        return (None, None) if _ERROR.search(output.stderr) else (int(tried), 0)
    done = int((committed or 0) + (_number(metrics.get("tpcc_rollback_done"), "count") or 0))
    return done, max(0, int(tried) - done)


def _retried(metrics: Mapping[str, Mapping[str, Any]]) -> int | None:
    counts = [_number(each, "count") for name, each in metrics.items() if name.endswith("_retry_attempts")]
    known = [count for count in counts if count is not None]
    return int(sum(known)) if known else None


def _latency(given: Mapping[str, Any]) -> Latency:
    return Latency.model_validate({field: _number(given, name) for field, name in _PERCENTILES.items()})


def _seconds(output: LoadOutput, metrics: Mapping[str, Mapping[str, Any]]) -> float | None:
    """k6 counts the set-up as well, whose steps tell how long they took."""
    count, rate = (_number(metrics.get("iterations"), name) for name in ("count", "rate"))
    if not count or not rate:
        return None
    took = sum(_duration(text) for text in _TOOK.findall(output.stderr))
    return max(0.0, count / rate - took) or None


def _early(output: LoadOutput, run: Run | None, metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """That it says all is well although it ended before its time, as when it was told to; '' if it did not.

    Its time is the whole that k6 counts, with the set-up, which is part of the duration that was asked for. Of a
    number of iterations nothing tells how long they were to take.
    """
    asked = _asked(output, run)
    count, rate = (_number(metrics.get("iterations"), name) for name in ("count", "rate"))
    if asked is None or not count or not rate or output.exit_code not in (0, _THRESHOLDS):
        return ""
    whole = count / rate
    return f"it ended after {whole:.3g} s of {asked:g} s" if whole < asked * _WHOLE else ""


def _asked(output: LoadOutput, run: Run | None) -> float | None:
    """Seconds that it was to run: as it was asked, or as its arguments say."""
    if run and run.asked.duration_seconds:
        return run.asked.duration_seconds
    words = (word.removeprefix("DURATION=") for word in output.argv if word.startswith("DURATION="))
    return next((_duration(word) or None for word in words), None)


def _duration(text: str) -> float:
    total = 0.0
    for amount, unit in _PART.findall(text):
        try:
            total += float(amount) * _UNITS[unit]
        except ValueError:
            continue
    return total


def _by_name(metrics: Mapping[str, Mapping[str, Any]], seconds: float | None) -> Iterator[TransactionLoad]:
    latencies = {name: _latency(each) for name, each in metrics.items()}
    totals = {name: _number(each, "count") for name, each in metrics.items()}
    return by_name(latencies, totals, seconds)


def _compliance(
    metrics: Mapping[str, Mapping[str, Any]], code: int | None
) -> dict[str, bool | str | float | None]:
    """Its thresholds; in the file True means crossed."""
    crossed = {
        f"{name} {rule}": not broken
        for name, each in metrics.items()
        if isinstance(each.get("thresholds"), dict)
        for rule, broken in each["thresholds"].items()
        if isinstance(broken, bool)
    }
    if not crossed and code != _THRESHOLDS:
        return {}
    return {"thresholds": code != _THRESHOLDS and all(crossed.values()), **crossed}


def _meaning(output: LoadOutput, whole: bool) -> str:
    code, words = output.exit_code, ended(output, _MEANING)
    if code is None:
        return words
    errors = ["".join(found) for found in _ERROR.findall(output.stderr)]
    if code == _MARKED:  # what it says last is no more than that
        errors = [text for text in errors if text.startswith(_MARK)] or errors
    if code not in (0, _THRESHOLDS) and errors:
        words += f": {errors[-1].strip()[:LONGEST_TEXT]}"
    return words if whole or code else f"{words}, but its summary is missing"


def _refused(output: LoadOutput, run: Run | None, compliance: Mapping[str, object]) -> str:
    if broken := population(output):
        return broken
    if run and run.asked.require_compliance and compliance.get("thresholds") is not True:
        return "compliance is required, and it does not say that it complied"
    return ""
