"""A run judged again: byte-equal wherever it lies, and red for every file that is not what the folder says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from run_replay import CASES, replay

from e2e_ansible import api
from e2e_ansible.errors import UsageError
from e2e_ansible.faults.ledger import Line, append
from e2e_ansible.run.analysis import Agreement, analyze
from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.reports import write_reports

REPORTS = ["tests/survives/result.json", "result.json", "junit.xml", "report.html"]
HISTORIES = Path(__file__).parents[1] / "judge/histories"
#: When the recorded test ran, in epoch seconds, is in its journal; the client is made to fit.
PAUSE = 3.0


def begun(folder: Path) -> float:
    return float(json.loads((folder / "journal.jsonl").read_text().splitlines()[0])["at"])


def history(path: Path, start: float) -> None:
    """A client that asks ten times a second, and gets no answer for three seconds."""
    lines = [{"event": "start", "wall": _ns(start), "mono": _ns(start), "workload": "append", "rate": 10.0}]
    for number in range(1, 101):
        at = start + number / 10
        down = 3.0 <= number / 10 < 3.0 + PAUSE
        lines.append({"event": "invoked", "wall": _ns(at), "mono": _ns(at), "id": number, "op": "append"})
        done = {
            "event": "fail" if down else "ok",
            "wall": _ns(at + 0.01),
            "mono": _ns(at + 0.01),
            "id": number,
        }
        lines.append({**done, "op": "append", **({"error": "refused"} if down else {})})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _ns(at: float) -> int:
    return round(at * 1_000_000) * 1000


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A recorded test with a client and a fault beside it, and its reports."""
    folder = RunFolder(tmp_path / "20261121-120000-abcdef")
    test = folder.test("tests/survives")
    shutil.copytree(CASES / "survives", test.path)
    start = begun(test.path)
    history(test.history, start)
    append(test.faults, Line(at=start + 2.9, fault_id="f/n11", event="intended", fault="stop", node="n11"))
    append(test.faults, Line(at=start + 2.95, fault_id="f/n11", event="injected"))
    entry = ManifestTest(
        name="survives",
        folder="tests/survives",
        deployment="survives-abcdef",
        provider="local",
        suite="recorded.yaml",
        suite_digest="0" * 64,
    )
    folder.write_manifest(
        Manifest(
            run_id=folder.run_id,
            suite="recorded.yaml",
            started=start,
            ended=start + 60,
            folder=str(folder.path),
            tests=(entry,),
        )
    )
    write_reports(folder, read_run(folder))
    return folder


def agreements(run: RunFolder) -> dict[str, Agreement]:
    return {one.file: one.agreement for one in analyze(run).files}


def test_the_reports_of_a_run_are_byte_equal_and_tell_the_outage(run: RunFolder) -> None:
    analysis = analyze(run)
    assert [one.file for one in analysis.files] == REPORTS
    assert analysis.equal
    (client,) = analysis.result.tests[0].clients
    (window,) = client.outages
    assert (window.faults, round(window.seconds)) == (("f/n11",), PAUSE)
    assert analysis.result.tests[0].faults[0].injected is not None
    assert "stop of n11 (f/n11)" in analysis.texts["report.html"]
    assert len(client.series) > 90


def test_the_reports_that_a_run_itself_writes_are_byte_equal(tmp_path: Path) -> None:
    live = replay(tmp_path, "survives", "failing_command")
    found = analyze(live.folder)
    assert len(found.files) == 5
    assert [one for one in found.files if one.agreement is not Agreement.EQUAL] == []


def test_a_copy_elsewhere_is_byte_equal(run: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "elsewhere" / run.run_id)
    shutil.rmtree(run.path)
    assert api.analyze(tmp_path / "elsewhere" / run.run_id).equal


@pytest.mark.parametrize("file", ["history.jsonl", "faults.jsonl", "journal.jsonl"])
def test_another_past_gives_other_reports(run: RunFolder, file: str) -> None:
    path = run.test("tests/survives").path / file
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 2]))
    found = agreements(run)
    assert found["result.json"] is Agreement.DIFFERS
    assert found["report.html"] is Agreement.DIFFERS


@pytest.mark.parametrize("file", REPORTS)
def test_a_report_that_was_changed_is_shown_and_no_other(run: RunFolder, file: str) -> None:
    path = run.path / file
    path.write_text(path.read_text().replace("survives", "SURVIVES", 1))
    differing = [one for one in analyze(run).files if one.agreement is not Agreement.EQUAL]
    assert [one.file for one in differing] == [file]
    assert "SURVIVES" in differing[0].difference


def test_what_is_missing_is_told_and_written_on_demand(run: RunFolder) -> None:
    (run.path / "report.html").unlink()
    before = (run.path / "junit.xml").stat().st_mtime_ns
    assert agreements(run)["report.html"] is Agreement.MISSING
    assert not api.analyze(run.path, write=True).equal
    assert api.analyze(run.path).equal
    assert (run.path / "junit.xml").stat().st_mtime_ns == before, "what is right is left alone"


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run folder"):
        api.analyze(tmp_path)


def test_transactions_on_lists_are_there_in_the_notation_of_elle(run: RunFolder) -> None:
    test = run.test("tests/survives").path
    (test / "histories").mkdir()
    shutil.copy(HISTORIES / "list-aborted-read.jsonl", test / "histories/lists.jsonl")
    write_reports(run, read_run(run))
    lines = (test / "histories/lists.edn").read_text().splitlines()
    assert lines[0].startswith("{:index 0, :type :invoke, :process ")
    assert any(":type :fail" in line for line in lines)
    assert agreements(run)["tests/survives/histories/lists.edn"] is Agreement.EQUAL
