"""What a load measured, in the words and numbers that all reports share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from e2e_ansible.judge.load import longest_outage
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.load.result import Latency, LoadResult
from e2e_ansible.report.amounts import NOTHING, percent
from e2e_ansible.report.words import shorten

__all__ = ["HEADINGS", "LoadRow", "load_numbers", "load_rows", "load_words"]

HEADINGS = ("load", "tool", "workload", "tx/s", "p50 ms", "p95", "p99", "errors")
_LONGEST = 200


@dataclass(frozen=True)
class LoadRow:
    """One load of a test, or one type of its transactions, which is `inner`. `step` is the index of the step."""

    step: int
    name: str
    tool: str
    workload: str
    per_second: str
    p50: str
    p95: str
    p99: str
    errors: str
    outage: str = NOTHING
    meaning: str = ""
    inner: bool = False

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of `HEADINGS`."""
        return (
            self.name,
            self.tool.partition(" ")[0],
            self.workload,
            self.per_second,
            self.p50,
            self.p95,
            self.p99,
            self.errors,
        )


def load_rows(test: TestResult) -> tuple[LoadRow, ...]:
    """The loads of a test in the order of its steps, each followed by its types of transactions if it has several."""
    return tuple(
        row for step in test.workflow_steps if step.load is not None for row in _rows(step, step.load)
    )


def _rows(step: StepResult, load: LoadResult) -> Iterator[LoadRow]:
    outage = longest_outage(load.intervals, load.seconds)
    yield LoadRow(
        step.index,
        step.id,
        " ".join(filter(None, (load.tool, load.version))),
        load.workload or NOTHING,
        _number(load.per_second),
        *_percentiles(load.latency),
        _errors(load.failed, load.error_rate),
        outage=NOTHING if outage is None else f"{outage:.1f} s",
        meaning=shorten(_meaning(load), lines=2, characters=_LONGEST),
    )
    for each in load.by_name if len(load.by_name) > 1 else ():
        tried = None if each.failed is None else each.count + each.failed
        rate = each.failed / tried if each.failed is not None and tried else None
        share = "" if each.percent is None else f"{each.percent:.0f} %"
        yield LoadRow(
            step.index,
            each.name,
            "",
            share,
            _number(each.per_second),
            *_percentiles(each.latency),
            _errors(each.failed, rate),
            inner=True,
        )


def load_words(load: LoadResult) -> str:
    """A load in one line: `pgbench tpcb-like: 4441 tx/s, p95 1.36 ms, p99 1.71 ms, no errors`."""
    words = [f"{_number(load.per_second)} tx/s"] if load.per_second is not None else []
    words += [
        f"{name} {_milliseconds(value, load.latency)} ms"
        for name, value in (("p95", load.latency.p95), ("p99", load.latency.p99))
        if value is not None
    ]
    if load.failed is not None:
        words.append(f"errors {_errors(load.failed, load.error_rate)}" if load.failed else "no errors")
    bad = _meaning(load) if load.refused or not load.complete else ""
    said = "; ".join(filter(None, (", ".join(words), bad)))
    return shorten(f"{load.tool} {load.workload}: {said or 'measured nothing'}", lines=1, characters=_LONGEST)


def load_numbers(load: LoadResult) -> Iterator[tuple[str, str]]:
    """The numbers of a load, for machines; what the tool did not tell is left out."""
    values = {
        "seconds": load.seconds,
        "transactions": load.transactions,
        "per_second": load.per_second,
        "failed": load.failed,
        "retried": load.retried,
        "error_rate": load.error_rate,
        "outage_seconds": longest_outage(load.intervals, load.seconds),
        **{f"{name}_ms": getattr(load.latency, name) for name in ("average", "p50", "p90", "p95", "p99")},
        "maximum_ms": load.latency.maximum,
    }
    yield "tool", load.tool
    if load.workload:
        yield "workload", load.workload
    for name, value in values.items():
        if value is not None:
            yield name, str(value) if isinstance(value, int) else f"{value:.6g}"
    yield "complete", "yes" if load.complete and not load.refused else "no"


def _meaning(load: LoadResult) -> str:
    return "; ".join(dict.fromkeys(filter(None, (load.refused, load.meaning))))


def _percentiles(latency: Latency) -> tuple[str, str, str]:
    p50, p95, p99 = (_milliseconds(value, latency) for value in (latency.p50, latency.p95, latency.p99))
    return p50, p95, p99


def _milliseconds(value: float | None, latency: Latency) -> str:
    """Of a histogram only a bound is known."""
    return f"{'≤ ' if latency.bucketed and value is not None else ''}{_number(value)}"


def _number(value: float | None) -> str:
    """Three digits, and all of a larger whole number."""
    if value is None:
        return NOTHING
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _errors(failed: int | None, rate: float | None) -> str:
    if failed is None:
        return NOTHING
    return f"{failed} ({percent(rate)})" if failed and rate is not None else str(failed)
