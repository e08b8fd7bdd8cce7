"""Results from run folders: judged anew from plan, journal and events, whatever became of the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from e2e_ansible import __version__
from e2e_ansible.judge.record import records
from e2e_ansible.judge.result import RunResult, TestResult
from e2e_ansible.judge.run import judge_run
from e2e_ansible.judge.test import judge_test
from e2e_ansible.report.html import html
from e2e_ansible.report.junit import junit_xml
from e2e_ansible.run.folder import Manifest, RunFolder, TestFolder, write_private
from e2e_ansible.run.journal import read_events, read_journal
from e2e_ansible.run.plan_folder import read_plan

__all__ = ["REPORT", "read_run", "read_test", "run_result", "write_reports"]

REPORT = "report.html"


def read_test(folder: TestFolder, name: str) -> TestResult:
    """Judge one test from what is on the disk. `name` is its folder relative to the run's.

    Raises:
        HarnessError: a file cannot be read.
    """
    record = records(read_journal(folder.journal))
    return judge_test(read_plan(folder.plan), record, read_events(folder.events), folder=name)


def read_run(run: RunFolder) -> RunResult:
    """Judge a whole run from its folder.

    Raises:
        HarnessError: a file cannot be read.
    """
    manifest = run.manifest()
    begun = [test for test in manifest.tests if run.test(test.folder).journal.exists()]
    return run_result(manifest, [read_test(run.test(test.folder), test.folder) for test in begun])


def run_result(manifest: Manifest, tests: Sequence[TestResult]) -> RunResult:
    """The result of a run from those of its tests; the others of the manifest were never begun."""
    begun = {test.folder for test in tests}
    return judge_run(
        manifest.run_id,
        manifest.suite,
        tests,
        not_run=[test.name for test in manifest.tests if test.folder not in begun],
        started=manifest.started,
        ended=manifest.ended,
    )


def write_reports(run: RunFolder, result: RunResult) -> Path:
    """result.json, junit.xml and report.html into the run folder; returns the path of the last.

    Raises:
        OSError: one could not be written.
    """
    write_private(run.path / "result.json", result.model_dump_json(indent=1) + "\n")
    write_private(run.path / "junit.xml", junit_xml(result, folder=str(run.path)))
    write_private(run.path / REPORT, html(result, version=__version__))
    return run.path / REPORT
