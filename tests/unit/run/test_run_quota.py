"""Whole runs and the ledger: what is taken and given back, what is written down, and who waits for whom."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from run_replay import PaperNodes, Replay, plan_of, replay

from e2e_ansible.engine.protocol import Cancel, PlayRequest
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.entry import QuotaReleased, QuotaReserved
from e2e_ansible.quota.amounts import Amounts
from e2e_ansible.quota.ledger import Ledger
from e2e_ansible.quota.reservation import Claim
from e2e_ansible.report.junit import junit_xml
from e2e_ansible.report.notice import Message, Notice, RunStarted
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.journal import read_journal
from e2e_ansible.run.reading import read_run
from e2e_ansible.verdict import Cause, Verdict

NAMES = ("survives", "failing_command")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_test_takes_and_gives_back_and_writes_it_down(tmp_path: Path, home: Path) -> None:
    done = replay(tmp_path / "runs", *NAMES[:1])
    entries = Ledger(home).entries()
    assert [entry.kind for entry in entries] == ["reserve", "release"]
    (test,) = done.result.tests
    journal = read_journal(done.folder.test(test.folder).journal)
    (reserved,) = [entry for entry in journal if isinstance(entry, QuotaReserved)]
    assert Amounts(reserved.nodes, reserved.millicpus, reserved.memory_mb, reserved.disk_mb) == (
        entries[0].claim.amounts
    )
    assert [type(entry) for entry in journal][-2] is QuotaReleased


def test_it_is_held_while_the_test_runs(tmp_path: Path, home: Path) -> None:
    seen: list[int] = []

    def look(request: PlayRequest, cancel: Cancel) -> None:
        seen.append(len(Ledger(home).state()[0]))

    replay(tmp_path / "runs", *NAMES[:1], engine=Replay(*NAMES[:1], before=look))
    assert set(seen) == {1}
    assert Ledger(home).state() == ([], [])


def test_what_lacks_for_ever_fails_and_is_told(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_BUDGET", "nodes=3,cpus=none,memory_gb=none")
    ledger = Ledger(home)
    with ledger.changing() as changes:
        changes.reserve(Claim("n-kept", "local", "old-run", "kept", Amounts(3)))
    ledger.keep("n-kept")
    kept = PaperNodes()
    kept.left.append("n-kept")
    done = replay(tmp_path / "runs", *NAMES[:1], nodes=kept)
    (test,) = done.result.tests
    assert (test.verdict, test.cause) == (Verdict.FAIL, Cause.INFRASTRUCTURE)
    assert "it cannot begin" in (test.error or "")
    assert "held by kept of old-run" in (test.error or "")
    assert read_run(done.folder).tests[0].verdict is Verdict.FAIL
    assert not done.result.not_run


def test_a_larger_test_is_refused_before_a_folder_is_made(tmp_path: Path, home: Path) -> None:
    with pytest.raises(UsageError, match="larger than the budget of this run"):
        replay(tmp_path / "runs", *NAMES[:1], budget="memory_gb=0.01")
    assert not (tmp_path / "runs").exists()
    assert not home.exists()


def test_why_tests_were_left_out_is_in_every_report(tmp_path: Path, home: Path) -> None:
    def stop(request: PlayRequest, cancel: Cancel) -> None:
        raise OSError("no more")

    done = replay(tmp_path / "runs", *NAMES, engine=Replay(*NAMES, before=stop), stop_on_error=True)
    reason = "another test did not pass, and the run was to stop then"
    assert [each.reason for each in done.result.left_out] == [reason] * (len(NAMES) - 1)
    assert read_run(done.folder).left_out == done.result.left_out
    assert f'<skipped message="{reason}"' in junit_xml(done.result)
    assert reason in (done.folder.path / "report.html").read_text()
    assert not [each for each in done.notices if isinstance(each, Message) and "waits" in each.text]
    assert [entry.kind for entry in Ledger(home).entries()] == ["reserve", "release"]


@pytest.mark.parametrize("nodes", [True, False])
def test_a_test_that_never_began_keeps_no_other_waiting(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, nodes: bool
) -> None:
    """Its files cannot be opened, after it has reserved all there is, and this process still lives."""
    names = ("failing_check", "slow_command")
    monkeypatch.setenv("E2E_BUDGET", f"nodes={len(plan_of(names[0]).nodes)},cpus=none,memory_gb=none")

    def spoil(notice: Notice) -> None:
        if isinstance(notice, RunStarted):
            (Path(notice.folder) / "tests" / "failing-check" / "journal.jsonl").mkdir()
            if nodes:
                manifest = RunFolder(Path(notice.folder)).manifest()
                there.left.append(manifest.tests[0].deployment)

    there = PaperNodes(tell=spoil)
    plans = [plan_of(names[0]), plan_of(names[1]).model_copy(update={"nodes": plan_of(names[0]).nodes})]
    guard = threading.Timer(20, os.kill, (os.getpid(), signal.SIGINT))  # of a wait without an end
    guard.start()
    done = replay(tmp_path / "runs", engine=Replay(*names), nodes=there, plans=plans)
    guard.cancel()
    first, second = done.result.tests
    assert "Is a directory" in (first.error or "")
    if nodes:
        assert "it cannot begin" in (second.error or ""), "nobody has removed them"
        assert [entry.kind for entry in Ledger(home).entries()] == ["reserve", "keep"]
    else:
        assert second.cause is Cause.PRODUCT, "it was run"
        assert [entry.kind for entry in Ledger(home).entries()] == ["reserve", "release"] * 2


def test_a_test_whose_files_cannot_be_opened_leaves_none_open(tmp_path: Path, home: Path) -> None:
    def spoil(notice: Notice) -> None:
        if isinstance(notice, RunStarted):
            (Path(notice.folder) / "tests" / "failing-check" / "events.jsonl").mkdir()

    done = replay(tmp_path / "runs", "failing_check", nodes=PaperNodes(tell=spoil))
    assert "Is a directory" in (done.result.tests[0].error or "")
    opened = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert not [path for path in opened if path.is_relative_to(done.folder.path)]
