"""The files of a soak that people and spreadsheets read: one per cycle, a table of phases, and the summary."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e_ansible.judge.soak import REHEARSED, Tally
from e2e_ansible.run.folder import write_private
from e2e_ansible.run.journal import mend, write_line
from e2e_ansible.soak.folder import SoakFolder, cycle_id
from e2e_ansible.soak.metrics import read
from e2e_ansible.soak.phases import PhaseOutcome
from e2e_ansible.soak.records import CycleEnd
from e2e_ansible.soak.rules import State, iso
from e2e_ansible.verdict import Verdict

__all__ = [
    "COLUMNS",
    "add_results",
    "cycle_metrics",
    "cycle_state",
    "drop_results",
    "write_summary",
]

#: Those of the seed, then ours. `status` and `exit_code` are 0 for a pass and 1 for anything else.
COLUMNS = (
    "cycle",
    "phase",
    "status",
    "start_time",
    "end_time",
    "duration_seconds",
    "exit_code",
    "verdict",
    "primary_context",
    "secondary_context",
)


def cycle_metrics(end: CycleEnd, phases: Sequence[PhaseOutcome], began: float, *, dry_run: bool) -> str:
    """The text of `metrics_cycle_NNN.json`."""
    made = {
        "cycle_id": end.cycle_id,
        "run_id": end.run_id,
        "success": end.success,
        "start_time": iso(began),
        "end_time": end.timestamp,
        "total_duration_seconds": end.duration_seconds,
        "contexts": {"primary": end.primary_context, "secondary": end.secondary_context},
        "phases": [_phase(phase) for phase in phases],
        "verdict": end.verdict,
        "cause": end.cause,
        "error": end.error,
        "swapped": end.swapped,
        "clients": {name: client.model_dump(mode="json") for name, client in end.clients.items()},
    }
    return json.dumps({**made, **_dry(dry_run)}, indent=1) + "\n"


def _phase(phase: PhaseOutcome) -> dict[str, Any]:
    return {
        "name": phase.name,
        "success": _success(phase.verdict),
        "duration_seconds": round(phase.seconds, 3),
        "error": phase.error,
        "verdict": phase.verdict,
    }


def _success(verdict: Verdict | None) -> bool | None:
    return None if verdict is None else verdict is Verdict.PASS


def _dry(dry_run: bool) -> Mapping[str, Any]:
    return {"dry_run": True, "note": REHEARSED} if dry_run else {}


def cycle_state(
    number: int,
    state: State,
    names: Sequence[str],
    outcomes: Mapping[str, PhaseOutcome],
    *,
    current: str = "",
    ended: bool = False,
) -> str:
    """The text of `cycle_NNN_state.json`: how far a cycle is, phase by phase."""
    contexts = state.contexts or ("", "")
    phases = {name: _progress(name, outcomes.get(name), current, state.dry_run) for name in names}
    made = {
        "cycle_id": cycle_id(number),
        "run_id": state.run_id,
        "primary_context": contexts[0],
        "secondary_context": contexts[1],
        "current_phase": "" if ended else current,
        "phases": phases,
        "completed": ended,
    }
    return json.dumps({**made, **_dry(state.dry_run)}, indent=1) + "\n"


def _progress(name: str, outcome: PhaseOutcome | None, current: str, dry_run: bool) -> str:
    if outcome is not None:
        return "rehearsed" if dry_run else str(outcome.verdict)
    return "running" if name == current else "pending"


def add_results(path: Path, end: CycleEnd, phases: Sequence[PhaseOutcome], number: int, began: float) -> None:
    """Add the lines of a cycle to `cycle_results.csv`: one for each phase, and one for all of it.

    Raises:
        OSError: it could not be written; nothing of the cycle is in it then.
    """
    mend(path)
    rows = [
        _row(number, each.name, each.verdict, (each.started, each.ended, each.seconds), end)
        for each in phases
    ]
    whole = (began, began + end.duration_seconds, end.duration_seconds)
    rows.append(_row(number, "", end.verdict, whole, end))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        new = os.fstat(descriptor).st_size == 0
        write_line(descriptor, _lines([COLUMNS, *rows] if new else rows))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _row(
    number: int, phase: str, verdict: Verdict | None, times: tuple[float, float, float], end: CycleEnd
) -> Sequence[object]:
    status = "" if verdict is None else int(verdict is not Verdict.PASS)
    began, ended, seconds = times
    told = verdict or REHEARSED
    contexts = (end.primary_context, end.secondary_context)
    return (number, phase, status, iso(began), iso(ended), f"{seconds:.3f}", status, told, *contexts)


def _lines(rows: Sequence[Sequence[object]]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerows(rows)
    return made.getvalue()


def drop_results(path: Path, number: int, *, fresh: bool) -> None:
    """Take out the lines of a cycle that is going to be counted once more; a `fresh` one was never counted.

    Raises:
        OSError: it could not be written.
    """
    if fresh or not path.exists():
        return
    mend(path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and row[0] != str(number)]
    write_private(path, _lines(rows))


def write_summary(folder: SoakFolder, state: State, ended: float) -> None:
    """`summary.json`, with the cycles one after the other: there may be many.

    Raises:
        OSError: it could not be written.
        HarnessError: the records cannot be read.
    """
    beside = folder.summary.with_name(f".{folder.summary.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        head = json.dumps(_head(state, ended), indent=1)
        file.write(head.removesuffix("\n}") + ',\n "cycles": [')
        separator = "\n"
        for line in _cycles(folder.metrics):
            file.write(f"{separator}  {line}")
            separator = ",\n"
        file.write("\n ]\n}\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder.summary)


def _head(state: State, ended: float) -> dict[str, Any]:
    tally, dry = state.tally, state.dry_run
    return {
        "run_id": state.run_id,
        "start_time": iso(state.started),
        "end_time": iso(ended),
        "total_duration_seconds": round(ended - state.started, 3),
        "total_cycles": tally.total,
        "success_count": None if dry else tally.passed,
        "failure_count": None if dry else state.failures,
        "success_rate_percent": _rate(tally, dry=dry),
        "unknown_count": None if dry else tally.unknown,
        "interrupted_count": None if dry else tally.interrupted,
        "swaps": state.swaps,
        "stopped": state.stopped,
        **_dry(dry),
    }


def _rate(tally: Tally, *, dry: bool) -> float | None:
    counted = tally.total - tally.interrupted
    return None if dry or not counted else round(100 * tally.passed / counted, 2)


def _cycles(metrics: Path) -> Iterator[str]:
    for record in read(metrics):
        if isinstance(record, CycleEnd):
            yield json.dumps(
                {
                    "cycle_id": record.cycle_id,
                    "success": record.success,
                    "duration_seconds": record.duration_seconds,
                    "verdict": record.verdict,
                    "cause": record.cause,
                }
            )
