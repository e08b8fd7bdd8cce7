"""The reports of a run: for programs, for CI and for people. The same folder gives the same text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from e2e_ansible import __version__
from e2e_ansible.judge.elle import edn
from e2e_ansible.judge.operations import history
from e2e_ansible.judge.result import RunResult, TestResult
from e2e_ansible.oracle.histories import FOLDER, Histories
from e2e_ansible.report.excerpt import excerpt
from e2e_ansible.report.html import html
from e2e_ansible.report.junit import junit_xml
from e2e_ansible.run.folder import RunFolder, write_private
from e2e_ansible.verdict import Verdict

__all__ = ["REPORT", "reports", "write_reports"]

REPORT = "report.html"
_LOG_TAIL = 256 * 1024


def reports(run: RunFolder, result: RunResult) -> Mapping[str, str]:
    """Every report of a run by its path in the run folder. The same folder gives the same text, wherever it lies.

    Raises:
        HarnessError: the manifest cannot be read.
    """
    return dict(_reports(run, result))


def write_reports(run: RunFolder, result: RunResult) -> Path:
    """Every report into the run folder, each as soon as it is made; returns the path of the page.

    Raises:
        HarnessError: the manifest cannot be read.
        OSError: one could not be written.
    """
    for name, text in _reports(run, result):
        write_private(run.path / name, text)
    return run.path / REPORT


def _reports(run: RunFolder, result: RunResult) -> Iterator[tuple[str, str]]:
    """The plainest first: whatever is wrong with a page takes no result away."""
    for test in result.tests:
        if test.folder:
            yield f"{test.folder}/result.json", test.model_dump_json(indent=1) + "\n"
    yield "result.json", result.model_dump_json(indent=1) + "\n"
    yield "junit.xml", junit_xml(result, folder=run.manifest().folder or str(run.path))
    yield REPORT, html(result, version=__version__, excerpts=_excerpts(run, result))
    for test in result.tests:
        yield from _for_elle(run, test)


def _for_elle(run: RunFolder, test: TestResult) -> Iterator[tuple[str, str]]:
    """The histories of transactions on lists in Elle's notation, beside those that they are from."""
    names = [client.name for client in test.clients if client.workload == "list-append"]
    told = Histories(run.test(test.folder).path).whole() if names and test.folder else {}
    for name in names:
        text = "".join(f"{line}\n" for line in edn(history(told.get(name, ()))))
        yield f"{test.folder}/{FOLDER}/{name}.edn", text


def _excerpts(run: RunFolder, result: RunResult) -> Mapping[tuple[str, str], str]:
    """What the logs of steps other than pass say, by folder of the test and id of the step."""
    return {
        (test.folder, step.id): excerpt(_tail(run.test(test.folder).path / step.log))
        for test in result.tests
        for step in test.workflow_steps
        if step.log and step.verdict is not Verdict.PASS
    }


def _tail(path: Path) -> str:
    """The end of a log; nothing when it cannot be read, as a log is no part of the verdict."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
