"""Repetitions and time classes on the command line: which tests are run, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cli_desk import Desk

from e2e_ansible.compile.plan import Plan
from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder

SUITE = """\
test_suites:
  one: {time_class: fast, workflow: [{step: deploy}]}
  two: {time_class: slow, workflow: [{step: deploy}]}
  three: {workflow: [{step: deploy}]}
"""
Ran = Callable[[], Sequence[Plan]]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """The plans that the last command wanted to run; none of them is run."""
    plans: list[Plan] = []

    def take(made: Sequence[Plan], *_: object, **__: object) -> int:
        plans[:] = made
        return 0

    monkeypatch.setattr("e2e_ansible.cli.views.run_and_show", take)
    return lambda: plans


def names(plans: Sequence[Plan]) -> list[str]:
    return [plan.name for plan in plans]


def test_tests_are_chosen_by_their_class(desk: Desk, ran: Ran) -> None:
    desk.write("s.yaml", SUITE)
    assert desk.call("run", "s.yaml", "--time-class", "fast", "--engine", "cold").code == 0
    assert names(ran()) == ["one"]
    desk.call("run", "s.yaml", "--time-class", "fast", "--time-class", "slow", "--engine", "cold")
    assert names(ran()) == ["one", "two"]
    desk.call("run", "s.yaml", "--engine", "cold")
    assert names(ran()) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--time-class", "fats"], "there is no time class 'fats'"),
        (["--time-class", "infrastructure"], "no test is of time class infrastructure"),
        (["--repeat", "2", "--cycles", "3"], "--repeat and --time-class are for tests, not for cycles"),
        (["--repeat", "0"], "repeat"),
    ],
)
def test_what_makes_no_sense_is_refused(desk: Desk, ran: Ran, arguments: list[str], words: str) -> None:
    desk.write("s.yaml", SUITE)
    done = desk.call("run", "s.yaml", *arguments)
    assert done.code == 2
    assert words in done.err
    assert ran() == []


def test_an_unknown_class_in_a_suite_is_named_with_its_line(desk: Desk) -> None:
    desk.write("s.yaml", SUITE.replace("slow", "slwo"))
    done = desk.call("validate", "s.yaml")
    assert done.code == 2
    assert "s.yaml:3" in done.err and "slow" in done.err


def test_the_list_and_the_plan_tell_the_class(desk: Desk) -> None:
    desk.write("s.yaml", SUITE)
    listed = desk.call("list", "s.yaml").out
    assert "class" in listed.splitlines()[0] and "fast" in listed
    rows = [json.loads(line) for line in desk.call("list", "s.yaml", "--json").out.splitlines()]
    assert [row["time_class"] for row in rows] == ["fast", "slow", ""]
    desk.write("plain.yaml", "test_suites: {one: {workflow: [{step: deploy}]}}\n")
    assert "class" not in desk.call("list", "plain.yaml").out
    desk.call("plan", "s.yaml", "--run-test", "one", "-o", "made")
    desk.call("plan", "s.yaml", "--run-test", "three", "-o", "other")
    assert json.loads(Path("made/plan.json").read_text())["time_class"] == "fast"
    assert "time_class" not in json.loads(Path("other/plan.json").read_text())


def test_every_test_is_run_so_many_times(desk: Desk, ran: Ran) -> None:
    desk.write("s.yaml", SUITE)
    desk.call("run", "s.yaml", "--run-test", "one", "--run-test", "two", "--repeat", "2", "--engine", "cold")
    assert names(ran()) == ["one#1", "two#1", "one#2", "two#2"]
    assert [plan.repetition for plan in ran()] == [1, 1, 2, 2]
    assert len({plan.hash for plan in ran()}) == 4


def _a_run(desk: Desk, tests: Sequence[tuple[str, int]]) -> None:
    suite = desk.write("s.yaml", SUITE)
    digest = hashlib.sha256(suite.read_bytes()).hexdigest()
    run = RunFolder(desk.folder / "runs" / "20261121-120000-abcdef")
    run.path.mkdir(parents=True)
    made = tuple(
        ManifestTest(
            name=f"{name}#{number}" if number else name,
            folder=f"tests/{name}-{number}",
            deployment=f"{name}-{number}-abcdef",
            provider="local",
            suite=str(suite.resolve()),
            suite_digest=digest,
            repetition=number,
        )
        for name, number in tests
    )
    times: dict[str, Any] = {"started": 1795245000.0, "ended": None}
    run.write_manifest(Manifest(run_id=run.run_id, suite="s.yaml", tests=made, **times))


def test_rerun_and_resume_know_which_repetition_it_was(
    desk: Desk, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    _a_run(desk, [("one", 2), ("one", 5), ("three", 0)])
    assert desk.call("rerun", "--failed", "--engine", "cold").code == 0
    assert names(ran()) == ["one#2", "one#5", "three"]
    seen: list[Plan] = []

    def resume(run: RunFolder, *, recompile: Any, **_: object) -> None:
        seen.extend(recompile(run.manifest().tests))
        raise KeyboardInterrupt

    monkeypatch.setattr("e2e_ansible.run.resume.resume_run", resume)
    desk.call("resume", "--engine", "cold")
    assert names(seen) == ["one#2", "one#5", "three"]
    assert [plan.hash for plan in seen] == [plan.hash for plan in ran()]
