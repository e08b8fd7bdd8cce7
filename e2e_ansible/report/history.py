"""The runs that there were, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import PurePath

from rich.console import Console

from e2e_ansible.report.amounts import NOTHING, percent, quantity, seconds
from e2e_ansible.report.lines import print_lines
from e2e_ansible.report.table import print_table
from e2e_ansible.run.past import PastRun
from e2e_ansible.run.past_loads import PastLoad

__all__ = ["history_csv", "print_history"]

_HEAD = ("when", "suite", "verdict", "passed", "P50", "P95", "outage", "trend")
_RIGHT = (3, 4, 5, 6)
_LOADS = ("when", "load", "throughput", "P50", "P95", "P99", "errors", "trend")
_LOADS_RIGHT = (2, 3, 4, 5, 6)


def print_history(console: Console, runs: Sequence[PastRun]) -> None:
    """Print runs, oldest first, a line each, and below them why one cannot be read."""
    print_table(console, [_HEAD, *map(_row, runs)], wraps=1, right=_RIGHT)
    _print_loads(console, runs)
    print_lines(console, (f"{run.run_id} cannot be read: {run.error}" for run in runs if run.error))


def _print_loads(console: Console, runs: Sequence[PastRun]) -> None:
    """The loads below the runs, each after the earlier ones of the same name."""
    rows = [(run, load) for run in runs for load in run.loads]
    if rows:
        rows.sort(key=lambda one: (one[0].suite, one[1].name))
        print_lines(console, [""])
        print_table(console, [_LOADS, *(_load(run, load) for run, load in rows)], wraps=1, right=_LOADS_RIGHT)


def _load(run: PastRun, load: PastLoad) -> tuple[str, ...]:
    trend = ": ".join(filter(None, (load.trend, ", ".join(_short(load)))))
    return (
        _when(run.started),
        load.name,
        quantity(load.per_second, "/s"),
        quantity(load.p50, "ms"),
        quantity(load.p95, "ms"),
        quantity(load.p99, "ms"),
        percent(load.errors),
        f"does not count: {load.error}" if load.error else trend,
    )


def _short(load: PastLoad) -> Iterator[str]:
    return (name.removeprefix(f"{load.name} ") for name in load.trend_of)


def _row(run: PastRun) -> tuple[str, ...]:
    if run.error:
        return (run.run_id[:11], "cannot be read", *[NOTHING] * 6)
    passed = f"{run.passed}/{run.passed + run.failed + run.unknown}"
    return (
        _when(run.started),
        f"{PurePath(run.suite).stem}{', soak' if run.soak else ''}",
        run.verdict.value if run.verdict else NOTHING,
        passed + (f" +{run.apart}" if run.apart else ""),
        seconds(run.p50),
        seconds(run.p95),
        seconds(run.outage),
        run.trend or NOTHING,
    )


def _when(started: float | None) -> str:
    return datetime.fromtimestamp(started or 0, UTC).strftime("%m-%d %H:%M")


def _load_cell(load: PastLoad) -> str:
    return f"{load.name} {quantity(load.per_second, '/s')} {load.error or load.trend}"


def history_csv(runs: Sequence[PastRun]) -> str:
    """All fields of all runs, with a heading; of a load its name, throughput and trend."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PastRun.model_fields)
    for run in runs:
        cells = {**run.model_dump(mode="json"), "loads": "; ".join(map(_load_cell, run.loads))}
        writer.writerow("" if value is None else value for value in cells.values())
    return text.getvalue()
