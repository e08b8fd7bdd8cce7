"""Results from run folders: judged anew from plan, journal and events, whatever became of the run."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.faults.ledger import read
from e2e_ansible.judge.record import records
from e2e_ansible.judge.result import LeftOut, RunResult, TestResult
from e2e_ansible.judge.run import judge_run
from e2e_ansible.judge.test import judge_test
from e2e_ansible.oracle.histories import Histories
from e2e_ansible.run.folder import Manifest, TestFolder
from e2e_ansible.run.journal import read_events, read_journal
from e2e_ansible.run.plan_folder import read_plan
from e2e_ansible.run.schedule import INTERRUPTED

__all__ = ["UNTOLD", "read_test", "run_result"]

#: Of a run that was killed nobody has written it down.
UNTOLD = "it was not begun: the run was killed, or still goes on"


def read_test(folder: TestFolder, name: str) -> TestResult:
    """Judge one test from what is on the disk. `name` is its folder relative to the run's.

    Raises:
        HarnessError: a file cannot be read.
    """
    record = records(read_journal(folder.journal))
    return judge_test(
        read_plan(folder.plan),
        record,
        read_events(folder.events),
        folder=name,
        histories=Histories(folder.path),
        faults=read(folder.faults),
    )


def run_result(manifest: Manifest, tests: Sequence[TestResult]) -> RunResult:
    """The result of a run from those of its tests; the others of the manifest were never begun."""
    begun = {test.folder for test in tests}
    usual = UNTOLD if manifest.ended is None else INTERRUPTED
    return judge_run(
        manifest.run_id,
        manifest.suite,
        tests,
        left_out=[
            LeftOut(name=test.name, reason=manifest.left_out.get(test.folder, usual))
            for test in manifest.tests
            if test.folder not in begun
        ],
        started=manifest.started,
        ended=manifest.ended,
    )
