"""The runs that there were, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePath

from rich.console import Console

from e2e_ansible.report.amounts import NOTHING, seconds
from e2e_ansible.report.lines import print_lines
from e2e_ansible.report.table import print_table
from e2e_ansible.run.past import PastRun

__all__ = ["history_csv", "print_history"]

_HEAD = ("when", "suite", "verdict", "passed", "P50", "P95", "outage", "trend")
_RIGHT = (3, 4, 5, 6)


def print_history(console: Console, runs: Sequence[PastRun]) -> None:
    """Print runs, oldest first, a line each, and below them why one cannot be read."""
    print_table(console, [_HEAD, *map(_row, runs)], wraps=1, right=_RIGHT)
    print_lines(console, (f"{run.run_id} cannot be read: {run.error}" for run in runs if run.error))


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


def history_csv(runs: Sequence[PastRun]) -> str:
    """All fields of all runs, with a heading."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PastRun.model_fields)
    for run in runs:
        writer.writerow("" if value is None else value for value in run.model_dump(mode="json").values())
    return text.getvalue()
