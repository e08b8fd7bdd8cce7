"""Recorded tests through the whole run: results as recorded, and the same from the folder, also of a killed run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from run_replay import NAMES, Replayed, as_data, expected, golden, recorded, replay

from e2e_ansible.engine.event import Event
from e2e_ansible.judge.entry import Entry
from e2e_ansible.judge.record import records
from e2e_ansible.judge.test import judge_test
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.journal import read_events, read_journal
from e2e_ansible.run.plan_folder import read_plan
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.results import read_test
from e2e_ansible.verdict import Verdict

PASSED, SHORT, LATE = "survives", "failing_command", "slow_command"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """All cases in one run, two at a time."""
    return replay(tmp_path_factory.mktemp("runs"), *NAMES, parallel=2)


def test_there_is_a_case_of_every_verdict_and_of_the_usual_causes() -> None:
    found = {(expected(name)["verdict"], expected(name)["cause"]) for name in NAMES}
    causes = {("fail", cause) for cause in ("product", "infrastructure", "harness")}
    assert found >= {("pass", None), *causes}


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_test_has_its_recorded_result(live: Replayed, name: str) -> None:
    (result,) = (test for test in live.result.tests if test.name == name)
    assert as_data(result) == expected(name)


def test_the_recordings_are_judged_now_as_they_were() -> None:
    for name in NAMES:
        assert read_test(recorded(name), name) == golden(name)


def test_the_folder_gives_the_result_of_the_run(live: Replayed) -> None:
    assert read_run(live.folder) == live.result
    kept = json.loads((live.folder.path / "result.json").read_text())
    assert kept == json.loads(live.result.model_dump_json())
    for test, folder in zip(live.result.tests, live.tests, strict=True):
        assert json.loads(folder.result.read_text()) == json.loads(test.model_dump_json())


def test_the_run_is_told_from_its_tests(live: Replayed) -> None:
    result = live.result
    assert [test.name for test in result.tests] == NAMES, "in the order of the suite"
    assert (result.verdict, result.cause, result.exit_code) == ("fail", "product", 1)
    assert (result.passed, result.failed, result.unknown, result.not_run) == (1, len(NAMES) - 1, 0, ())
    assert result.finished


# a kill -9 at any moment


@dataclass
class Killed:
    """A copy of a run as a kill leaves it: no end in the manifest, one journal cut, later events not there."""

    folder: RunFolder
    name: str

    @property
    def _test(self) -> Path:
        return self.folder.path / "tests" / self.name.replace("_", "-")

    def cut(self, journal: bytes) -> Verdict:
        """The verdict on the test with this journal."""
        (self._test / "journal.jsonl").write_bytes(journal)
        result = read_run(self.folder)
        (test,) = (test for test in result.tests if test.name == self.name)
        assert not result.finished
        assert (test.verdict is Verdict.PASS) is test.success
        return test.verdict

    @property
    def journal(self) -> bytes:
        """The journal as it is now."""
        return (self._test / "journal.jsonl").read_bytes()


def killed(live: Replayed, name: str, folder: Path) -> Killed:
    """A run with this test only."""
    manifest = live.folder.manifest()
    (test,) = (test for test in manifest.tests if test.name == name)
    shutil.copytree(
        live.folder.path / test.folder, folder / test.folder, ignore=shutil.ignore_patterns("content")
    )
    run = RunFolder(folder)
    run.write_manifest(manifest.model_copy(update={"ended": None, "tests": (test,)}))
    return Killed(run, name)


@pytest.mark.parametrize("name", NAMES)
def test_no_journal_that_was_cut_at_a_line_is_a_pass(live: Replayed, name: str, tmp_path: Path) -> None:
    victim = killed(live, name, tmp_path)
    lines = victim.journal.splitlines(keepends=True)
    verdicts = [victim.cut(b"".join(lines[:count])) for count in range(len(lines))]
    assert Verdict.PASS not in verdicts
    assert verdicts[0] is Verdict.UNKNOWN
    assert victim.cut(b"".join(lines)) == expected(name)["verdict"]


@pytest.mark.parametrize("name", [PASSED, SHORT])
def test_a_last_line_that_was_cut_at_any_byte_counts_for_nothing(
    live: Replayed, name: str, tmp_path: Path
) -> None:
    victim = killed(live, name, tmp_path)
    whole = victim.journal
    begin = whole.rstrip().rindex(b"\n") + 1
    before = victim.cut(whole[:begin])
    assert {victim.cut(whole[:length]) for length in range(begin, len(whole))} == {before}
    assert before is not Verdict.PASS


def test_a_journal_that_was_cut_at_any_byte_has_its_whole_lines(tmp_path: Path) -> None:
    whole = recorded(SHORT).journal.read_bytes()
    entries = read_journal(recorded(SHORT).journal)
    file = tmp_path / "journal.jsonl"
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        assert read_journal(file) == entries[: whole[:length].count(b"\n")]


def test_events_that_were_cut_at_any_byte_are_the_whole_ones(tmp_path: Path) -> None:
    whole = recorded(LATE).events.read_bytes()
    (events,) = read_events(recorded(LATE).events).values()
    file = tmp_path / "events.jsonl"
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        found = [event for part in read_events(file).values() for event in part]
        assert found == list(events[: whole[:length].count(b"\n")])


def beginnings(lines: list[tuple[tuple[str, int], Event]]) -> Iterator[dict[tuple[str, int], list[Event]]]:
    """All events but the last, all but the last two, and so on."""
    for count in range(len(lines)):
        part: dict[tuple[str, int], list[Event]] = {}
        for key, event in lines[:count]:
            part.setdefault(key, []).append(event)
        yield part


def test_no_test_passes_without_its_last_events() -> None:
    folder = recorded(PASSED)
    plan, record = read_plan(folder.plan), records(read_journal(folder.journal))
    lines = [(key, event) for key, part in read_events(folder.events).items() for event in part]
    verdicts = {judge_test(plan, record, part).verdict for part in beginnings(lines)}
    assert Verdict.PASS not in verdicts


def test_a_run_that_was_killed_before_its_first_entry_is_unknown(live: Replayed, tmp_path: Path) -> None:
    victim = killed(live, PASSED, tmp_path)
    (victim.folder.path / "tests" / PASSED / "journal.jsonl").unlink()
    result = read_run(victim.folder)
    assert (result.verdict, result.cause, result.tests, result.not_run) == (
        "unknown",
        "harness",
        (),
        (PASSED,),
    )


def test_entries_are_in_the_order_in_which_things_happened(live: Replayed) -> None:
    for folder in live.tests:
        entries: list[Entry] = read_journal(folder.journal)
        assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
        assert (entries[0].kind, entries[-1].kind) == ("test_started", "test_ended")
