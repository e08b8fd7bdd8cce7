"""What may be resumed and what may not, and what is left alone then."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from flow_runs import Script, Steps, command, compiled
from run_replay import PaperNodes

from e2e_ansible import api
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.entry import FaultsHealed, Trouble
from e2e_ansible.judge.result import RunResult
from e2e_ansible.quota.amounts import Amounts
from e2e_ansible.quota.ledger import Ledger
from e2e_ansible.quota.reservation import Claim
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.folder import ManifestTest, RunFolder
from e2e_ansible.run.journal import Journal, read_journal
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.resume import resume_run
from e2e_ansible.run.schedule import STOPPED
from e2e_ansible.run.session import run_plans
from e2e_ansible.verdict import Cause, Verdict

STEPS: Steps = [command("a"), command("b"), command("c")]


def plans(*names: str) -> list[Plan]:
    """Plans of the same steps under several names."""
    plan = compiled(STEPS)
    return [plan.model_copy(update={"name": name}) for name in names]


def ran(runs: Path, made: Sequence[Plan], engine: Script | None = None, **options: object) -> RunFolder:
    """A run that has ended."""
    how = RunOptions(**options)  # type: ignore[arg-type]
    _, folder = run_plans(
        made, runs=runs, engine=engine or Script(), options=how, provider=lambda name: PaperNodes()
    )
    return folder


def died(folder: RunFolder, test: int = 0, *, lines: int = 5) -> RunFolder:
    """The run as a kill after so many lines of the journal of one test leaves it; none: that test was not begun."""
    manifest = folder.manifest()
    folder.write_manifest(manifest.model_copy(update={"ended": None}))
    journal = folder.test(manifest.tests[test].folder).journal
    kept = journal.read_bytes().splitlines(keepends=True)[:lines]
    journal.write_bytes(b"".join(kept))
    if not lines:
        journal.unlink()
    return folder


def resumed(
    folder: RunFolder, made: Sequence[Plan], engine: Script | None = None, nodes: PaperNodes | None = None
) -> RunResult:
    """The run, taken up; its suites still say what they said, unless `made` says otherwise."""

    def recompile(tests: Sequence[ManifestTest]) -> list[Plan]:
        return [plan for test in tests for plan in made if plan.name == test.name]

    return resume_run(
        folder, engine=engine or Script(), recompile=recompile, provider=lambda name: nodes or PaperNodes()
    )


def refusal(folder: RunFolder, made: Sequence[Plan]) -> str:
    """Why a run is not taken up; nothing of it is touched."""
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    engine = Script()
    with pytest.raises(UsageError) as caught:
        resumed(folder, made, engine)
    assert engine.begun == []
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before
    return f"{caught.value} ({caught.value.hint})"


def test_tests_that_ended_stay_and_others_go_on_or_begin(tmp_path: Path) -> None:
    made = plans("one", "two", "three")
    folder = died(died(ran(tmp_path, made), 1), 2, lines=0)
    engine = Script()
    result = resumed(folder, made, engine)
    assert result.verdict is Verdict.PASS
    assert result.finished
    assert engine.begun == ["b", "c", "a", "b", "c"]
    assert [len(test.resumptions) for test in result.tests] == [0, 1, 0]
    assert folder.manifest().ended is not None


def test_what_was_left_out_of_a_run_stays_so_and_nobody_says_it_was_killed(tmp_path: Path) -> None:
    made = plans("one", "two")
    folder = ran(tmp_path, made, Script({"a": 1}), stop_on_error=True)
    manifest = folder.manifest()
    assert list(manifest.left_out.values()) == [STOPPED]
    journal = folder.test("tests/one").journal
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:2]))
    engine = Script()
    result = resumed(folder, made, engine)
    assert "a" in engine.begun
    assert [test.name for test in result.tests] == ["one"]
    assert [(each.name, each.reason) for each in result.left_out] == [("two", STOPPED)]
    assert folder.manifest().left_out == manifest.left_out
    assert read_run(folder) == result


def test_why_it_could_not_go_on_once_spoils_nothing_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path / "home"))
    made = plans("one")
    folder = died(ran(tmp_path / "runs", made))
    monkeypatch.setenv("E2E_BUDGET", f"nodes={len(made[0].nodes)},cpus=none,memory_gb=none")
    nodes, ledger = PaperNodes(), Ledger()
    nodes.left.append("n-kept")
    with ledger.changing() as changes:
        changes.reserve(Claim("n-kept", "local", "old-run", "kept", Amounts(1)))
    ledger.keep("n-kept")
    refused = resumed(folder, made, nodes=nodes).tests[0]
    assert (refused.verdict, refused.cause) == (Verdict.FAIL, Cause.INFRASTRUCTURE)
    assert "it cannot begin" in str(refused.error)
    assert str(refused.error).endswith("hint: remove its nodes: e2e-ansible destroy old-run")
    assert read_run(folder).tests[0].error == refused.error
    nodes.left.remove("n-kept")
    ledger.release("n-kept", "destroyed")
    result = resumed(folder, made, nodes=nodes)
    assert (result.verdict, result.tests[0].error) == (Verdict.PASS, None)


def test_trouble_of_the_time_before_is_not_forgotten(tmp_path: Path) -> None:
    made = plans("one")
    folder = died(ran(tmp_path, made))
    with closing(Journal(folder.test("tests/one").journal)) as journal:
        journal.append(Trouble(at=1.0, message="no logs"))
    assert resumed(folder, made).tests[0].error == "no logs"


def test_a_run_that_has_ended_is_refused(tmp_path: Path) -> None:
    made = plans("one")
    assert "has ended" in refusal(ran(tmp_path, made), made)


def test_a_run_that_is_alive_is_refused(tmp_path: Path) -> None:
    made = plans("one")
    folder = died(ran(tmp_path, made))
    lock = folder.lock()
    try:
        assert "still running" in refusal(folder, made)
    finally:
        os.close(lock)


def test_a_suite_that_says_something_else_now_is_refused_with_the_difference(tmp_path: Path) -> None:
    made = plans("one")
    folder = died(ran(tmp_path, made))
    other = compiled([command("a"), {**command("b"), "custom_command": ["z"]}, command("d")])
    said = refusal(folder, [other.model_copy(update={"name": "one"})])
    for part in (
        "step 03-c is gone",
        "step 03-d is new",
        "-          - !unsafe x",
        "+          - !unsafe z",
        "02-b.yml",
    ):
        assert part in said, said


def test_a_suite_whose_lines_have_moved_says_the_same(tmp_path: Path) -> None:
    made = plans("one")
    folder = died(ran(tmp_path, made))
    moved = compiled(STEPS, description="").model_copy(update={"name": "one", "suite_digest": "another"})
    assert resumed(folder, [moved]).verdict is Verdict.PASS


def test_a_playbook_that_was_changed_in_the_run_is_refused(tmp_path: Path) -> None:
    made = plans("one")
    folder = died(ran(tmp_path, made))
    playbook = folder.test("tests/one").plan / "playbooks/02-b.yml"
    playbook.write_text(playbook.read_text() + "# more\n")
    assert "playbooks/02-b.yml is changed" in refusal(folder, made)


def test_faults_that_were_healed_by_hand_are_told(tmp_path: Path) -> None:
    made = plans("one")
    folder = died(ran(tmp_path, made))
    journal = Journal(folder.test("tests/one").journal)
    journal.append(FaultsHealed(at=1.0, ok=True, by_hand=True, message="partition on n12 was healed"))
    journal.close()
    assert "healed by hand" in refusal(folder, made)


def test_what_a_second_interrupt_left_goes_on(tmp_path: Path) -> None:
    made = plans("one")

    def twice(cancel: Cancel) -> int:
        cancel.set()
        return 0

    folder = ran(tmp_path, made, Script({"b": twice}))
    journal = folder.test("tests/one").journal
    entries = [entry.kind for entry in read_journal(journal)]
    assert entries[-1] == "test_ended"
    assert "has ended" in refusal(folder, made), "an interrupt in good order is an end"
    text = journal.read_text().replace('"ok":true,"kept":false', '"ok":false,"kept":true')
    journal.write_text(text)
    result = resumed(folder, made)
    assert result.verdict is Verdict.UNKNOWN, "the command was under way, and may not be repeated"
    assert result.tests[0].resumptions


def test_the_api_refuses_and_goes_on_as_the_command_does(tmp_path: Path) -> None:
    made = plans("one")
    folder = ran(tmp_path, made)
    with pytest.raises(UsageError, match="has ended"):
        api.resume(folder.path, made, engine=Script())
    with pytest.raises(UsageError, match="no test named 'one'"):
        api.resume(died(folder).path, plans("two"), engine=Script())
    assert api.resume(folder.path, made, engine=Script()).verdict is Verdict.PASS
