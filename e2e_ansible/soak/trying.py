"""Runs one try of a shrink as a soak of its own, on fresh nodes, and tells how its first bad cycle failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.engine.protocol import Engine
from e2e_ansible.errors import E2EError
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.soak.course import Course
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.metrics import read
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.records import CycleEnd, FailureInjection
from e2e_ansible.soak.session import run_soak
from e2e_ansible.soak.shrink import Attempt, Failure, Trial
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["Interrupted", "SoakTry", "failures", "injections", "soak_of"]

_STEP = re.compile(r"([0-9]+-([A-Za-z0-9-]+)): ")


class Interrupted(E2EError):
    """The user has ended a try, and with it the shrink."""

    exit_code = 130


def failures(folder: RunFolder) -> Iterator[tuple[int, Failure]]:
    """The cycles of a soak that failed, with how: by the verdict, the cause and the step that decided.

    Raises:
        HarnessError: its records cannot be read.
    """
    for record in read(SoakFolder(folder).metrics):
        if not isinstance(record, CycleEnd) or record.verdict in (None, Verdict.PASS):
            continue
        if record.cause is not Cause.INTERRUPT:
            yield record.cycle_num, _failure(record, record.verdict)


def _failure(end: CycleEnd, verdict: Verdict) -> Failure:
    """Numbers of steps are left out: what is injected moves them."""
    found = _STEP.match(end.error)
    step = found[2] if found and found[1] in end.steps else ""
    return Failure(verdict=verdict, cause=end.cause, step=step)


def injections(folder: RunFolder) -> dict[int, PlannedInjection]:
    """What was injected into which cycle, whether it took or not.

    Raises:
        HarnessError: its records cannot be read.
    """
    return {
        record.cycle_num: PlannedInjection(
            cycle=record.cycle_num, scenario=record.scenario, phase=record.phase, target=record.target
        )
        for record in read(SoakFolder(folder).metrics)
        if isinstance(record, FailureInjection)
    }


def soak_of(trial: Trial, original: SoakOptions) -> SoakOptions:
    """The options of a try: as the soak that failed, but with these cycles, and over when one has failed."""
    changes = {
        "cycles": trial.cycles,
        "schedule": trial.schedule,
        "inject": "",
        "inject_at_phase": "",
        "run_hours": None,
        "max_failures": None,
        "stop_on_failure": True,
    }
    return original.model_copy(update=changes)


@dataclass(frozen=True)
class SoakTry:
    """A runner of tries. Each has a folder of its own below `runs`, by its number."""

    course: Callable[[SoakOptions], Course]
    original: SoakOptions
    runs: Path
    engine: Engine
    by_step: bool = True

    def __call__(self, attempt: Attempt) -> Failure | None:
        """Run it; how it failed, None if it passed.

        Raises:
            Interrupted: the user has ended it.
            E2EError: it could not be run.
        """
        course = self.course(soak_of(attempt.trial, self.original))
        place = self.runs / f"{attempt.number:03d}"
        result, folder = run_soak(course, runs=place, engine=self.engine, options=RunOptions())
        if result.cause is Cause.INTERRUPT:
            raise Interrupted(f"interrupted in try {attempt.number}", hint="go on with --resume")
        found = next((failure for _, failure in failures(folder)), None)
        if found is None and result.verdict is not Verdict.PASS:
            return Failure(verdict=result.verdict, cause=result.cause, step="outside of the cycles")
        return found if found is None or self.by_step else found.model_copy(update={"step": ""})
