"""What the plain Go line of Stroppy prints: a summary on its error output, for TPC-C a line of JSON too. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.result import Latency, LoadResult, TransactionLoad
from e2e_ansible.load.stroppy_result import LONGEST_TEXT, by_name, common, ended, population
from e2e_ansible.load.stroppy_run import Run

__all__ = ["SUMMARY", "read_go"]

SUMMARY = "=== bench summary ==="
_NUMBER = re.compile(r"(\w+)\s+(-?\d+\.\d{3})")
_TREND = re.compile(
    r"(\w+)\s+count=(\d+) avg=(\d+\.\d{3}) p\(50\)~=(\d+\.\d{3}) p\(90\)~=(\d+\.\d{3})"
    r" p\(95\)~=(\d+\.\d{3}) p\(99\)~=(\d+\.\d{3})"
)
_GAVE_UP = re.compile(r"\titeration failed\t")
_ERROR = re.compile(r"(?m)^Error: (.+)$")
_VUS = re.compile(r"--vus[= ](\d+)")
_LONGEST_ELAPSED = 10**8
_MEANING: Mapping[int, str] = {
    0: "it ended by itself",
    1: "it ended with an error",
    2: "it was ended by force, without a summary",
    64: "it was not run",
    124: "it took too long and was ended",
    130: "it was interrupted (SIGINT) and stopped its work",
    137: "it was killed",
    143: "it was told to end (SIGTERM) and stopped its work",
}


@dataclass
class _Summary:
    """Of one round, or of all of them together."""

    numbers: dict[str, float] = field(default_factory=dict)
    trends: dict[str, tuple[int, Latency]] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether it has its end: of a workload with transactions their counts come last."""
        ended = not {"transactions_total"} & self.numbers.keys() or "tx_queries_per_tx" in self.trends
        return ended and "iterations_total" in self.numbers


def read_go(output: LoadOutput, run: Run | None) -> LoadResult:
    """The result. `run` is what was noted beside the output, if it was."""
    summaries = list(_summaries(output, run))
    whole = bool(summaries) and all(each.whole for each in summaries)
    total = _together(summaries)
    done, tried = _done(total), int(total.numbers.get("iterations_total", 0))
    gave_up = sum(each.gave_up for each in run.rounds) if run else len(_GAVE_UP.findall(output.stderr))
    done = (
        done
        if "tx_commits_total" in total.numbers or "tx_errors_total" in total.numbers
        else max(0, tried - gave_up)
    )
    compliance = _compliance(output, run)
    seconds = _seconds(output, run, compliance)
    return LoadResult(
        **common(output, run, "go"),
        seconds=seconds,
        transactions=done if whole else None,
        per_second=done / seconds if whole and seconds else None,
        failed=max(0, tried - done) + (run.tries if run else 0) if whole else None,
        retried=_retried(total) if whole else None,
        latency=_latency(total) if whole else Latency(),
        by_name=tuple(_by_name(total, seconds)) if whole else (),
        compliance=_shown(compliance),
        meaning=_meaning(output, run, gave_up),
        complete=whole and output.exit_code == 0,
        refused=_refused(output, run, gave_up, compliance),
    )


def _summaries(output: LoadOutput, run: Run | None) -> Iterator[_Summary]:
    if run:
        yield from (_summary(each.summary) for each in run.rounds)
        return
    for block in output.stderr.split(SUMMARY)[1:]:
        # A line without its end may have been cut in a number.
        lines = block.split("\n")[:-1]
        yield _summary(line.strip() for line in lines if line.startswith("  "))


def _summary(lines: Iterable[str]) -> _Summary:
    made = _Summary()
    for line in lines:
        if found := _NUMBER.fullmatch(line):
            made.numbers[found[1]] = float(found[2])
        elif found := _TREND.fullmatch(line):
            average, p50, p90, p95, p99 = map(float, found.groups()[2:])
            latency = Latency(average=average, p50=p50, p90=p90, p95=p95, p99=p99, bucketed=True)
            made.trends[found[1]] = int(found[2]), latency
    return made


def _together(summaries: Sequence[_Summary]) -> _Summary:
    """Counts are added. Of percentiles the largest bound holds for all rounds together."""
    total = _Summary()
    for each in summaries:
        for name, value in each.numbers.items():
            total.numbers[name] = total.numbers.get(name, 0.0) + value
        for name, (count, latency) in each.trends.items():
            total.trends[name] = _joined(total.trends.get(name), count, latency)
    return total


def _joined(before: tuple[int, Latency] | None, count: int, latency: Latency) -> tuple[int, Latency]:
    if before is None or not before[0]:
        return count, latency
    if not count:
        return before
    sums = before[0] * (before[1].average or 0.0) + count * (latency.average or 0.0)
    largest = {
        name: max(getattr(before[1], name) or 0.0, getattr(latency, name) or 0.0)
        for name in ("p50", "p90", "p95", "p99")
    }
    return before[0] + count, Latency(average=sums / (before[0] + count), bucketed=True, **largest)


def _done(total: _Summary) -> int:
    """What was committed, and what TPC-C itself wants rolled back."""
    return int(total.numbers.get("tx_commits_total", 0) + total.numbers.get("tpcc_rollback_done", 0))


def _retried(total: _Summary) -> int | None:
    counts = [value for name, value in total.numbers.items() if name.endswith("_retry_attempts")]
    return int(sum(counts)) if counts else None


def _latency(total: _Summary) -> Latency:
    found = total.trends.get("tx_total_duration") or total.trends.get("iteration_duration")
    return found[1] if found else Latency()


def _by_name(total: _Summary, seconds: float | None) -> Iterator[TransactionLoad]:
    return by_name({name: latency for name, (_, latency) in total.trends.items()}, total.numbers, seconds)


# ---- its own judgement


def _compliance(output: LoadOutput, run: Run | None) -> Mapping[str, object]:
    """The last line that has one, of the longest round."""
    lines = [each.compliance for each in run.rounds] if run else output.stdout.splitlines()
    found: Mapping[str, object] = {}
    for line in lines:
        if not line.startswith('{"compliance"'):
            continue
        try:
            told = json.loads(line).get("compliance")
        except (ValueError, AttributeError, RecursionError):
            continue
        if isinstance(told, dict) and _elapsed(told) >= _elapsed(found):
            found = told
    return found


def _elapsed(compliance: Mapping[str, object]) -> float:
    value = compliance.get("elapsed_seconds")
    return float(value) if isinstance(value, (int, float)) and 0 <= value < _LONGEST_ELAPSED else 0.0


def _shown(compliance: Mapping[str, object]) -> dict[str, bool | str | float | None]:
    made: dict[str, bool | str | float | None] = {}
    for name in ("compliance_applicable", "paced", "mix_compliant", "response_compliant", "tpm_c"):
        value = compliance.get(name)
        if name in compliance and (value is None or isinstance(value, (bool, str, float, int))):
            made[name] = value if not isinstance(value, float) or math.isfinite(value) else None
    return made


def _seconds(output: LoadOutput, run: Run | None, compliance: Mapping[str, object]) -> float | None:
    """What was measured; without notes only TPC-C tells it."""
    if run:
        return run.seconds
    return _elapsed(compliance) or None


# ---- in words


def _meaning(output: LoadOutput, run: Run | None, gave_up: int) -> str:
    words = ended(output, _MEANING)
    if output.exit_code is None:
        return words
    errors = _ERROR.findall(output.stderr)
    if output.exit_code and errors:
        words += f": {errors[-1].strip()[:LONGEST_TEXT]}"
    if gave_up:
        words += f"; {gave_up} of its virtual users ended at an error"
    if run and len(run.rounds) > 1:
        words += f", and it was begun again {len(run.rounds) - 1} times for the rest of its time"
    return words


def _refused(output: LoadOutput, run: Run | None, gave_up: int, compliance: Mapping[str, object]) -> str:
    if broken := population(output):
        return broken
    asked = run.asked if run else None
    if (
        asked
        and asked.require_compliance
        and not (compliance.get("mix_compliant") is True and compliance.get("response_compliant") is True)
    ):
        return "compliance is required, and it does not say that it complied"
    if asked and asked.on_error == "stop":
        return f"{gave_up} of its virtual users ended at an error, and on_error is stop" if gave_up else ""
    if gave_up and gave_up >= _vus(output, run) and not (asked and asked.duration_seconds):
        return "each of its virtual users ended at an error before its time"
    return ""


def _vus(output: LoadOutput, run: Run | None) -> int:
    found = _VUS.search(" ".join(output.argv))
    return (run.asked.vus if run else None) or (int(found[1]) if found else 1)
