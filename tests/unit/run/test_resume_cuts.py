"""A run that was killed at any line of its journal goes on to the verdict that it would have had."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flow_runs import NoNodes, Ran, Script, Steps, command, compiled, group, run_plan

from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.judge.entry import AttemptStarted, Evidence, StepResumed
from e2e_ansible.report.notice import Notice
from e2e_ansible.run.begun import read_before
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import TestFolder, manifest_tests
from e2e_ansible.run.journal import Journal, read_journal
from e2e_ansible.run.results import read_test
from e2e_ansible.run.workflow_run import run_test
from e2e_ansible.steps.judgement import Replay

FLOWS: dict[str, tuple[Steps, dict[str, int]]] = {
    "steps in order": ([command("a"), command("b"), command("c")], {}),
    "one that fails": ([command("a"), command("b"), command("c")], {"b": 1}),
    "a group with an end": (
        [command("a"), group(command("b"), command("c"), **{"finally": [command("end")]}), command("d")],
        {},
    ),
    "a rescue that goes on": (
        [
            group(command("a"), rescue=[command("undo"), command("redo")], on_rescue="continue"),
            command("b"),
        ],
        {"a": 1},
    ),
    "a rescue that rolls back": (
        [group(command("a"), rescue=[command("undo")], **{"finally": [command("end")]}), command("b")],
        {"a": 1},
    ),
    "branches": ([group(command("a"), group(command("b"), command("c")), parallel=True), command("d")], {}),
    "branches of which one fails": (
        [group(group(command("a"), command("b")), command("c"), parallel=True), command("d")],
        {"c": 1},
    ),
    "conditions": (
        [
            command("a", register="a"),
            command("b", when="${steps.a.stdout} == yes"),
            group(command("c"), when="${steps.a.stdout} == no"),
            command("d"),
        ],
        {},
    ),
    "the background": (
        [command("load", background=True), command("a"), {"step": "wait", "for": ["load"]}, command("b")],
        {},
    ),
    "needs": (
        [
            command("a"),
            command("b", needs=[]),
            command("c", needs=["a"]),
            command("d", needs=["b"]),
            command("e"),
        ],
        {},
    ),
    "needs of which one fails": (
        [
            command("a"),
            command("b", needs=[]),
            command("c", needs=["a"]),
            command("d", needs=["b"]),
            command("e"),
        ],
        {"b": 1},
    ),
    "needs in a group with a rescue and an end": (
        [
            group(
                command("a"),
                command("b", needs=[]),
                group(command("c"), name="g", needs=["a"]),
                command("d", needs=["g", "b"]),
                rescue=[command("undo"), command("redo", needs=[])],
                **{"finally": [command("end"), command("last", needs=[]), command("very", needs=["end"])]},
            ),
            command("e"),
        ],
        {"c": 1},
    ),
    "a watch": (
        [
            {
                "step": "hypothesis",
                "checks": ["all_nodes_running"],
                "during": ["all_nodes_running"],
                "every_seconds": 0.01,
                "steps": [command("a"), command("b")],
            }
        ],
        {},
    ),
}


#: Here a rescue makes good whatever became of the command.
FORGIVEN = "a rescue that goes on"


#: What may be done again and again.
LOOKS = ("before", "during", "after")


def replayed(plan: Plan, replay: Replay) -> Plan:
    """The plan with another replay class of every command."""
    steps = [step.model_copy(update={"replay": replay}) for step in plan.steps]
    return plan.model_copy(update={"steps": tuple(steps)})


def script(fails: dict[str, int]) -> Script:
    """An engine for a flow."""
    return Script(dict(fails), said={"a": "yes"})


def cuts(ran: Ran, folder: Path) -> Iterator[TestFolder]:
    """The folder of a run as a kill after each line of the journal leaves it, its next line torn."""
    lines = ran.folder.journal.read_bytes().splitlines(keepends=True)
    events = ran.folder.events.read_bytes().splitlines(keepends=True)
    for count in range(1, len(lines)):
        test = TestFolder(folder / str(count) / "tests" / "t")
        shutil.copytree(ran.folder.path, test.path, ignore=shutil.ignore_patterns("content", "steps"))
        test.journal.write_bytes(b"".join(lines[:count]) + lines[count][:7])
        begun = {
            (each.step, each.attempt)
            for each in read_journal(test.journal)
            if isinstance(each, AttemptStarted)
        }
        kept = [line for line in events if (json.loads(line)["step"], json.loads(line)["attempt"]) in begun]
        test.events.write_bytes(b"".join(kept) + b'{"step":"0')
        yield test


def go_on(test: TestFolder, plan: Plan, engine: Script) -> Ran:
    """Take up a test, and see that its folder tells the same afterwards."""
    notices: list[Notice] = []
    context = RunContext(
        run_id="run-1",
        engine=engine,
        options=RunOptions(),
        environment={},
        tell=Megaphone([notices.append]),
        provider=lambda name: NoNodes(),  # type: ignore[return-value, arg-type]
    )
    (entry,) = manifest_tests(context.run_id, [plan])
    result = run_test(context, plan, entry, test, read_before(plan, test))
    assert read_test(test, entry.folder) == result
    return Ran(result, engine, test, notices)


@pytest.mark.parametrize("name", FLOWS)
def test_every_cut_comes_to_the_same(name: str, tmp_path: Path) -> None:
    steps, fails = FLOWS[name]
    plan = replayed(compiled(steps), Replay.REPEATABLE)
    whole = run_plan(tmp_path / "whole", plan, script(fails))
    for test in cuts(whole, tmp_path):
        ended = {step for step, result in read_before(plan, test).done.items() if result.verdict}  # type: ignore[union-attr]
        again = go_on(test, plan, script(fails))
        assert (again.decided, again.statuses()) == (whole.decided, whole.statuses()), test.path
        played = {Path(request.playbook).stem for request in again.engine.requests}
        assert not played & ended, "what has ended is not played again"
        assert len(again.result.resumptions) == 1
        assert isinstance(again.journal()[-1], type(whole.journal()[-1]))


@pytest.mark.parametrize("name", FLOWS)
def test_a_command_that_may_not_be_repeated_is_begun_once(name: str, tmp_path: Path) -> None:
    steps, fails = FLOWS[name]
    plan = compiled(steps)
    whole = run_plan(tmp_path / "whole", plan, script(fails))
    verdicts = set()
    for test in cuts(whole, tmp_path):
        begun = [
            each.step.partition("-")[2]
            for each in read_journal(test.journal)
            if isinstance(each, AttemptStarted)
        ]
        again = go_on(test, plan, script(fails))
        commands = [each for each in [*begun, *again.engine.begun] if each not in LOOKS]
        repeated = {each for each in commands if commands.count(each) > 1}
        assert not repeated, test.path
        never = [each for each in again.journal() if isinstance(each, StepResumed) and each.how == "never"]
        assert all(
            again.result.workflow_steps[_index(again, each.step)].verdict == "unknown" for each in never
        )
        assert not (never and again.result.success) or name == FORGIVEN
        verdicts.add(again.decided)
    assert whole.decided in verdicts


def _index(ran: Ran, step: str) -> int:
    return [each.id for each in ran.result.workflow_steps].index(step)


# ---- an interrupt before the run died


def interrupts_once() -> Callable[[Cancel], int]:
    """An act that is interrupted when it is begun."""

    def act(cancel: Cancel) -> int:
        cancel.set()
        return 0

    return act


def cut_after(ran: Ran, folder: Path, kind: str, step: str = "") -> TestFolder:
    """The folder of a run as a kill leaves it just after this entry."""
    lines = ran.folder.journal.read_bytes().splitlines(keepends=True)
    entries = ran.journal()
    place = [each.kind == kind and getattr(each, "step", "").endswith(step) for each in entries].index(True)
    test = TestFolder(folder / "cut" / "tests" / "t")
    shutil.copytree(ran.folder.path, test.path, ignore=shutil.ignore_patterns("content", "steps"))
    test.journal.write_bytes(b"".join(lines[: place + 1]))
    return test


END: Steps = [group(command("a"), command("b"), **{"finally": [command("end")]}), command("c")]


def test_the_end_of_what_goes_on_is_done_once_more(tmp_path: Path) -> None:
    plan = replayed(compiled(END), Replay.REPEATABLE)
    whole = run_plan(tmp_path / "whole", plan, Script({"a": interrupts_once()}))
    assert whole.engine.begun == ["a", "end"]
    again = go_on(cut_after(whole, tmp_path, "step_ended", "end"), plan, Script())
    assert again.engine.begun == ["a", "b", "end", "c"], "else what goes on would have no end"
    assert again.decided == ("pass", None), again.result.error
    assert again.step("end").attempts == 1
    assert "played once more" in again.step("end").resumed


def test_an_end_that_was_begun_once_more_is_taken_up_at_any_line(tmp_path: Path) -> None:
    plan = replayed(compiled(END), Replay.REPEATABLE)
    whole = run_plan(tmp_path / "whole", plan, Script({"a": interrupts_once()}))
    again = go_on(cut_after(whole, tmp_path, "step_ended", "end"), plan, Script())
    for test in cuts(again, tmp_path / "later"):
        if not read_before(plan, test).record.resumed:  # type: ignore[union-attr]
            continue
        last = go_on(test, plan, Script())
        assert last.decided == ("pass", None), (test.path, last.result.error)
        ended = [each.step for each in last.journal() if each.kind == "step_ended"]
        assert ended.index("03-end", ended.index("02-b")) > 0


def test_an_end_that_fails_when_it_is_done_once_more_is_no_pass(tmp_path: Path) -> None:
    plan = replayed(compiled(END), Replay.REPEATABLE)
    whole = run_plan(tmp_path / "whole", plan, Script({"a": interrupts_once()}))
    again = go_on(cut_after(whole, tmp_path, "step_ended", "end"), plan, Script({"end": 1}))
    assert again.decided == ("fail", "product")
    assert again.statuses()["c"] == "skipped"


@pytest.mark.parametrize("between", [False, True])
def test_nothing_is_done_anew_after_the_clean_up_of_an_interrupted_test(
    tmp_path: Path, between: bool
) -> None:
    plan = replayed(compiled([command("a"), command("b")]), Replay.REPEATABLE)
    cancel = Cancel()

    class Ends(Script):
        def run(self, request, on_event, cancel):  # type: ignore[no-untyped-def]
            outcome = super().run(request, on_event, cancel)
            cancel.set()
            return outcome

    engine = Ends() if between else Script({"a": interrupts_once()})
    whole = run_plan(tmp_path / "whole", plan, engine, cancel)
    assert whole.decided == ("unknown", "interrupt")
    again = go_on(cut_after(whole, tmp_path, "clean_up_ended"), plan, Script())
    assert again.engine.begun == [], "its nodes are gone"
    assert (again.decided, again.statuses()) == (whole.decided, whole.statuses())


def test_what_follows_a_load_that_failed_is_begun_as_if_the_run_had_not_died(tmp_path: Path) -> None:
    steps = [command("load", background=True), command("a"), command("b")]
    plan = replayed(compiled(steps), Replay.REPEATABLE)
    whole = run_plan(tmp_path / "whole", plan, Script({"load": 1}))
    test = cut_after(whole, tmp_path, "test_started")
    lines = whole.folder.journal.read_bytes().splitlines(keepends=True)
    of_load = [
        line
        for line, entry in zip(lines, whole.journal(), strict=True)
        if getattr(entry, "step", "") == "01-load"
    ]
    test.journal.write_bytes(test.journal.read_bytes() + b"".join(of_load))
    again = go_on(test, plan, Script())
    assert again.engine.begun == ["a", "b"]
    assert again.decided == ("fail", "product")


def test_evidence_of_a_step_that_goes_on_is_not_evidence_of_a_later_failure(tmp_path: Path) -> None:
    plan = compiled([command("a"), command("b")])
    whole = run_plan(tmp_path / "whole", plan, Script({"a": interrupts_once()}))
    test = cut_after(whole, tmp_path, "step_ended", "a")

    def is_new(*entries: Evidence) -> bool:
        with closing(Journal(test.journal)) as journal:
            for entry in entries:
                journal.append(entry)
        return read_before(plan, test).evidence_is_new  # type: ignore[union-attr]

    assert not is_new(Evidence(at=time.time(), folder="evidence", message="logs"))


def test_coverage_is_no_evidence_of_a_failure(tmp_path: Path) -> None:
    plan = compiled([command("a"), command("b")])
    whole = run_plan(tmp_path / "whole", plan, Script({"a": 1}))
    test = cut_after(whole, tmp_path, "step_ended", "a")
    for folder, is_new in (("coverage", False), ("evidence", True)):
        with closing(Journal(test.journal)) as journal:
            journal.append(Evidence(at=time.time(), folder=folder, message=""))
        assert read_before(plan, test).evidence_is_new is is_new  # type: ignore[union-attr]
