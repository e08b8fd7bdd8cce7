"""A set-up is played again after what is known to pass by itself, three times at most, and everybody is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from flow_runs import Ran, Script, command, compiled, run_plan
from test_resume_cuts import cuts, go_on

from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.judge.entry import AttemptStarted
from e2e_ansible.report.notice import Message
from e2e_ansible.steps.judgement import Replay

LOCKED = "E: Could not get lock /var/lib/dpkg/lock-frontend"
BROKEN = "E: Unable to locate package postgresql-99"
SETUP: Sequence[Mapping[str, Any]] = [{"step": "init"}, command("after")]


class Waits(Cancel):
    """Pauses that take no time and are noted."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return self.is_set


class Tries(Script):
    """The first step says these words try by try and fails; after the last of them it passes."""

    def __init__(self, *words: str) -> None:
        self.words = words
        super().__init__({"init": self._act})
        self.said = Words(self)

    @property
    def count(self) -> int:
        return self.begun.count("init")

    def _act(self, cancel: Cancel) -> int:
        return 1 if self.count <= len(self.words) else 0


class Words(dict[str, str]):
    def __init__(self, tries: Tries) -> None:
        self._tries = tries

    def get(self, name: str, default: Any = "") -> Any:
        its = [*self._tries.words, ""]
        return its[min(self._tries.count, len(its)) - 1] if name == "init" else default


def ran(folder: Path, *words: str, plan: Plan | None = None) -> tuple[Ran, list[float]]:
    """A test whose set-up fails with these words, and the pauses before it was tried again."""
    cancel = Waits()
    done = run_plan(folder, plan or compiled(SETUP), Tries(*words), cancel)
    return done, cancel.pauses


def warnings(done: Ran) -> list[str]:
    return [told.text for told in done.notices if isinstance(told, Message) and told.level == "warning"]


def test_what_passed_at_the_third_try_says_so(tmp_path: Path) -> None:
    done, pauses = ran(tmp_path, LOCKED, LOCKED)
    assert done.decided == ("pass", None), done.result.error
    step = done.step("init")
    assert (step.attempts, pauses) == (3, [2, 4])
    assert len(step.retried) == 2
    assert all(LOCKED in text for text in step.retried)
    assert [entry.attempt for entry in done.journal() if isinstance(entry, AttemptStarted)][:3] == [1, 2, 3]
    first, second = warnings(done)
    assert first.startswith("01-init is tried again in 2 s (try 2): localhost: 'Run': E: Could not get lock")
    assert "in 4 s (try 3)" in second


def test_it_is_tried_again_three_times_and_then_it_has_failed(tmp_path: Path) -> None:
    done, pauses = ran(tmp_path, *[LOCKED] * 9)
    assert done.decided == ("fail", "infrastructure")
    assert (done.step("init").attempts, pauses) == (4, [2, 4, 8])
    assert LOCKED in str(done.result.error)
    assert done.statuses()["after"] == "skipped"


@pytest.mark.parametrize(("words", "tries"), [((BROKEN,), 1), ((LOCKED, BROKEN), 2), ((f"{BROKEN} x",), 1)])
def test_what_is_not_known_to_pass_is_never_tried_again(
    tmp_path: Path, words: tuple[str, ...], tries: int
) -> None:
    done, _ = ran(tmp_path, *words)
    assert not done.result.success
    assert done.step("init").attempts == tries
    assert len(done.step("init").retried) == tries - 1


def test_what_passed_at_once_says_nothing(tmp_path: Path) -> None:
    done, pauses = ran(tmp_path)
    assert (done.step("init").retried, done.step("init").attempts, pauses) == ((), 1, [])
    assert "retried" not in done.step("init").model_dump()


def test_a_step_that_may_not_be_repeated_is_not(tmp_path: Path) -> None:
    plan = compiled(SETUP)
    first = plan.steps[0].model_copy(update={"replay": Replay.NEVER})
    done, _ = ran(tmp_path, LOCKED, plan=plan.model_copy(update={"steps": (first, *plan.steps[1:])}))
    assert (done.step("init").attempts, done.result.success) == (1, False)


def test_a_step_that_is_no_set_up_is_not_tried_again(tmp_path: Path) -> None:
    plan = compiled([command("init"), command("after")])
    done, _ = ran(tmp_path, LOCKED, plan=plan)
    assert (done.step("init").attempts, done.result.success) == (1, False)


def test_it_is_not_tried_again_when_its_time_is_over(tmp_path: Path) -> None:
    plan = compiled([{"step": "init", "timeout_seconds": 1}])
    done, pauses = ran(tmp_path, LOCKED, plan=plan)
    assert (done.step("init").attempts, pauses) == (1, [])


def test_an_interrupt_ends_the_pause(tmp_path: Path) -> None:
    class Stops(Waits):
        def wait(self, seconds: float) -> bool:
            self.set()
            return True

    done = run_plan(tmp_path, compiled(SETUP), Tries(LOCKED), Stops())
    assert done.decided == ("unknown", "interrupt")
    assert done.engine.count == 1


def test_a_run_that_was_killed_between_tries_has_no_more_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2e_ansible.judge.transient._FIRST_DELAY", 0.0)
    plan = compiled([{"step": "init"}])
    whole, _ = ran(tmp_path / "whole", LOCKED, plan=plan)
    seen = set()
    for test in cuts(whole, tmp_path):
        begun = test.journal.read_text().count('"attempt_started"')
        engine = Tries(*[LOCKED] * (1 if begun < 2 else 0)) if begun else Tries(LOCKED)
        again = go_on(test, plan, engine)
        assert again.result.success, test.path
        assert again.step("init").attempts <= 3
        seen.add(begun)
    assert seen >= {0, 1, 2}
