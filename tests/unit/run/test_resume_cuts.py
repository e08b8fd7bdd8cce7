"""A run that was killed at any line of its journal goes on to the verdict that it would have had."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flow_runs import NoNodes, Ran, Script, Steps, command, compiled, group, run_plan

from e2e_ansible.compile.plan import Plan
from e2e_ansible.judge.record import AttemptStarted, StepResumed
from e2e_ansible.report.notice import Notice
from e2e_ansible.run.begun import read_before
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import TestFolder, manifest_tests
from e2e_ansible.run.journal import read_journal
from e2e_ansible.run.results import read_test
from e2e_ansible.run.test_run import run_test
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
