"""What Stroppy up to 5.7.3, with k6 inside, leaves: the summary of k6 as a file, and its exit status. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.result import Latency, LoadResult, TransactionLoad
from e2e_ansible.load.stroppy_run import Run, intervals
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
_POPULATION = re.compile(r"validate_population[^\n]*fail|check\(s\) failed", re.I)
_ERROR = re.compile(r'level=error msg="((?:[^"\\]|\\.)*)"|\tFATAL\t(.+)')
_TOOK = re.compile(r"End of '\w+' step \(took ([0-9.µa-z]+)\)")
_PART = re.compile(r"([0-9.]+)(ms|µs|us|ns|h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}
_LONGEST_TEXT = 500
_THRESHOLDS = 99
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
    110: "its script marked the test as failed",
    124: "it took too long and was ended",
    130: "it was interrupted",
    137: "it was killed",
    143: "it was told to end",
}


def read_k6(output: LoadOutput, run: Run | None) -> LoadResult:
    """The result. `run` is what was noted beside the output, if it was."""
    metrics = _metrics(output.files.get(SUMMARY, ""))
    whole = "iterations" in metrics
    done, failed = _counts(output, metrics)
    seconds = run.seconds if run and run.seconds else _seconds(output, metrics)
    compliance = _compliance(metrics, output.exit_code) if whole else {}
    return LoadResult(
        tool=output.tool,
        dialect="k6",
        version=run.version if run else "",
        workload=output.workload,
        host=output.host,
        started=run.begun if run and run.begun else output.started,
        seconds=seconds,
        transactions=done,
        per_second=done / seconds if done is not None and seconds else None,
        failed=failed,
        retried=_retried(metrics),
        latency=_latency(metrics.get("tx_total_duration") or metrics.get("iteration_duration") or {}),
        by_name=tuple(_by_name(metrics, seconds)),
        intervals=intervals(run) if run else (),
        compliance=compliance,
        exit_code=output.exit_code,
        meaning=_meaning(output, whole),
        complete=whole and output.exit_code in (0, _THRESHOLDS),
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


def _duration(text: str) -> float:
    total = 0.0
    for amount, unit in _PART.findall(text):
        try:
            total += float(amount) * _UNITS[unit]
        except ValueError:
            continue
    return total


def _by_name(metrics: Mapping[str, Mapping[str, Any]], seconds: float | None) -> Iterator[TransactionLoad]:
    named: dict[str, tuple[int, Latency]] = {}
    for name, each in metrics.items():
        stem = name.removesuffix("_duration")
        count = _number(metrics.get(f"{stem}_total"), "count")
        if name.startswith("tpc") and stem != name and count is not None:
            named[stem.partition("_")[2]] = int(count), _latency(each)
    every = sum(count for count, _ in named.values())
    for name, (count, latency) in named.items():
        yield TransactionLoad(
            name=name,
            count=count,
            per_second=count / seconds if seconds else None,
            percent=100 * count / every if every else None,
            latency=latency,
        )


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
    code = output.exit_code
    if code is None:
        return "it was not seen to end"
    words = _MEANING.get(code, f"it ended with status {code}, which has no meaning of its own")
    errors = ["".join(found) for found in _ERROR.findall(output.stderr)]
    if code not in (0, _THRESHOLDS) and errors:
        words += f": {errors[-1].strip()[:_LONGEST_TEXT]}"
    return words if whole or code else f"{words}, but its summary is missing"


def _refused(output: LoadOutput, run: Run | None, compliance: Mapping[str, object]) -> str:
    if _POPULATION.search(output.stderr) or _POPULATION.search(output.stdout):
        return "its own check of the population failed: the tables are not what the workload needs"
    if run and run.asked.require_compliance and compliance.get("thresholds") is not True:
        return "compliance is required, and it does not say that it complied"
    return ""
