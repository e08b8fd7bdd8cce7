"""Time classes: a test that takes too long is ended and failed, and what has to happen afterwards still does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from flow_runs import WAIT, NoNodes, Ran, Script, Steps, command, compiled, group
from run_replay import PaperNodes

from e2e_ansible.compile.plan import Plan
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome
from e2e_ansible.judge.entry import Resumed, TimeUp
from e2e_ansible.judge.result import TestResult
from e2e_ansible.report import notice
from e2e_ansible.report.junit import junit_xml
from e2e_ansible.run.begun import read_before
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import TestFolder, manifest_tests
from e2e_ansible.run.journal import read_journal
from e2e_ansible.run.limit import TimeLimit, in_time
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.run.results import read_test, run_result
from e2e_ansible.run.session import run_plans
from e2e_ansible.run.workflow_run import run_test
from e2e_ansible.suite.times import LIMITS


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: float, rc: int = 0) -> Callable[[Cancel], int]:
        """An act that takes so long, and is ended at once when a stop is asked for."""

        def act(cancel: Cancel) -> int:
            self.now += seconds
            return rc

        return act


def run(
    folder: Path,
    plan: Plan,
    engine: Script,
    clock: Clock,
    cancel: Cancel | None = None,
    tell: notice.Listener | None = None,
) -> Ran:
    """Run a plan against a clock, and see that its folder tells the same afterwards."""
    context = _context(engine, clock, cancel)
    if tell is not None:
        context.tell.add(tell)
    (entry,) = manifest_tests(context.run_id, [plan])
    test = TestFolder(folder / "tests" / "t")
    test.path.mkdir(parents=True, exist_ok=True)
    if not test.plan.exists():
        write_plan(plan, test.plan)
    before = read_before(plan, test) if test.journal.exists() else None
    result = run_test(context, plan, entry, test, before)
    assert read_test(test, entry.folder) == result
    return Ran(result, engine, test, [])


def _context(engine: Script, clock: Clock, cancel: Cancel | None) -> RunContext:
    return RunContext(
        run_id="run-1",
        engine=engine,
        options=RunOptions(),
        environment={},
        tell=Megaphone([]),
        cancel=cancel or Cancel(),
        provider=lambda name: NoNodes(),  # type: ignore[return-value, arg-type]
        now=clock,
        clock=clock,
    )


def of_class(steps: Steps, time_class: str = "fast") -> Plan:
    return compiled(steps, time_class=time_class)


STEPS: Steps = [command("a"), command("b"), command("c")]


def test_no_step_is_said_to_take_longer_than_the_class_has(tmp_path: Path) -> None:
    told: list[notice.Notice] = []
    clock = Clock()
    long, short = command("a", timeout_seconds=4000), command("b", timeout_seconds=20)
    steps = [group(long, **{"finally": [command("f", timeout_seconds=4000)]}), short]
    run(tmp_path, of_class(steps), Script(), clock, tell=told.append)
    begun = [each for each in told if isinstance(each, notice.StepStarted)]
    assert [each.deadline_seconds for each in begun] == [300, 4000, 20]


def test_the_step_that_runs_is_ended_and_no_other_begins(tmp_path: Path) -> None:
    clock = Clock()
    engine = Script({"a": clock.takes(100), "b": clock.takes(250)})
    ran = run(tmp_path, of_class(STEPS), engine, clock)
    assert engine.begun == ["a", "b"]
    assert ran.decided == ("fail", "product")
    assert ran.statuses() == {"a": "completed", "b": "failed", "c": "skipped"}
    first, second = (ran.result.error or "").splitlines()
    assert first == (
        "it was to take 300 s at most, as a test of class fast, and was ended after 350.0 s in 02-b, "
        "which had taken 250.0 s; not begun: 03-c"
    )
    assert second == "02-b: not done when the time of class fast, 300 s, was over"
    assert ran.result.time_class == "fast"
    (up,) = [entry for entry in ran.journal() if isinstance(entry, TimeUp)]
    assert (up.limit, up.used, up.step) == (300, 350, "02-b")


@pytest.mark.parametrize("name", LIMITS)
def test_a_test_within_its_class_passes(tmp_path: Path, name: str) -> None:
    clock = Clock()
    engine = Script({"a": clock.takes(LIMITS[name] - 1)})
    assert run(tmp_path, of_class(STEPS, name), engine, clock).decided == ("pass", None)
    assert engine.begun == ["a", "b", "c"]


@pytest.mark.parametrize("name", LIMITS)
def test_each_class_has_its_own_limit(tmp_path: Path, name: str) -> None:
    clock = Clock()
    engine = Script({"a": clock.takes(LIMITS[name])})
    assert run(tmp_path, of_class(STEPS, name), engine, clock).decided == ("fail", "product")


def test_without_a_class_a_test_may_take_any_time(tmp_path: Path) -> None:
    clock = Clock()
    engine = Script({"a": clock.takes(1e6)})
    ran = run(tmp_path, compiled(STEPS), engine, clock)
    assert ran.decided == ("pass", None)
    assert "time_class" not in ran.result.model_dump()


def test_the_end_of_a_group_still_runs(tmp_path: Path) -> None:
    clock = Clock()
    engine = Script({"a": clock.takes(400)})
    steps = [group(command("a"), command("b"), **{"finally": [command("f")]}), command("c")]
    ran = run(tmp_path, of_class(steps), engine, clock)
    assert engine.begun == ["a", "f"]
    assert ran.step("f").status.value == "completed"
    assert ran.decided == ("fail", "product")


def test_steps_that_run_beside_each_other_are_ended_together(tmp_path: Path) -> None:
    clock, both = Clock(), threading.Barrier(2, timeout=WAIT)

    def together(seconds: float) -> Callable[[Cancel], int]:
        def act(cancel: Cancel) -> int:
            both.wait()
            clock.now += seconds
            assert Deadline(WAIT).wait_for(lambda: cancel.is_set), "nobody has ended it"
            return 0

        return act

    engine = Script({"a": together(200), "b": together(200)})
    steps = [command("a", needs=[]), command("b", needs=[]), command("c", needs=["a"]), command("d")]
    ran = run(tmp_path, of_class(steps), engine, clock)
    assert sorted(engine.begun) == ["a", "b"]
    assert ran.statuses() == {"a": "failed", "b": "failed", "c": "skipped", "d": "skipped"}
    assert ran.decided == ("fail", "product")


def test_time_that_is_over_between_two_steps_is_that_of_the_longest(tmp_path: Path) -> None:
    clock = Clock()
    engine = Script({"f": clock.takes(1000), "a": clock.takes(10)})
    steps = [group(command("a"), **{"finally": [command("f")]}), command("c")]
    ran = run(tmp_path, of_class(steps), engine, clock)
    assert engine.begun == ["a", "f"]
    assert ran.decided == ("fail", "product")
    assert "were over between two steps; 02-f took longest, 1000.0 s; not begun: 03-c" in str(
        ran.result.error
    )


def test_a_step_that_failed_of_itself_keeps_its_cause(tmp_path: Path) -> None:
    """In time it is an ordinary failure: nothing is said of the class."""
    clock = Clock()
    engine = Script({"a": clock.takes(10, rc=1)})
    ran = run(tmp_path, of_class(STEPS), engine, clock)
    assert ran.decided == ("fail", "product")
    assert "class" not in str(ran.result.error)


def test_nobody_waits_for_another_look_when_the_time_is_over(tmp_path: Path) -> None:
    clock = Clock()
    looks = {"step": "validate", "name": "v", "checks": ["all_nodes_running"]}
    steps = [{**looks, "retry": {"max_attempts": 50, "delay_seconds": 100}}]
    engine = Script({"v": clock.takes(301)}, off=frozenset({("v", 1)}))
    plan = compiled(steps, time_class="fast", parameters={"cluster_size": 1})
    ran = run(tmp_path, plan, engine, clock)
    assert engine.begun.count("v") == 1
    assert ran.decided[0] == "fail"


def test_an_interrupt_in_time_is_an_interrupt(tmp_path: Path) -> None:
    clock, cancel = Clock(), Cancel()

    def interrupted(_: Cancel) -> int:
        cancel.set()
        clock.now += 1e4
        return 0

    ran = run(tmp_path, of_class(STEPS), Script({"a": interrupted}), clock, cancel)
    assert ran.decided == ("unknown", "interrupt")
    assert not [entry for entry in ran.journal() if isinstance(entry, TimeUp)]


def _cut(ran: Ran, lines: int) -> None:
    journal = ran.folder.journal
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:lines]))


@pytest.mark.parametrize(("then", "verdict"), [(150, "pass"), (250, "fail")])
def test_a_resumed_run_has_what_was_left_and_dead_time_does_not_count(
    tmp_path: Path, then: float, verdict: str
) -> None:
    clock = Clock()
    plan = of_class(STEPS)
    first = run(tmp_path, plan, Script({"a": clock.takes(100)}), clock)
    _cut(first, 5)  # the test began, and step a with its attempt began and ended
    clock.now += 86_400
    again = run(tmp_path, plan, Script({"b": clock.takes(then)}), clock)
    assert [entry.dead for entry in again.journal() if isinstance(entry, Resumed)] == [86_400]
    assert again.decided[0] == verdict
    assert again.result.duration == 100 + then


def test_a_resumed_run_whose_time_was_over_does_nothing_more(tmp_path: Path) -> None:
    clock = Clock()
    plan = of_class(STEPS)
    first = run(tmp_path, plan, Script({"a": clock.takes(400)}), clock)
    lines = read_journal(first.folder.journal)
    place = next(index for index, entry in enumerate(lines) if isinstance(entry, TimeUp))
    _cut(first, place + 1)
    engine = Script()
    again = run(tmp_path, plan, engine, clock)
    assert engine.begun == []
    assert again.decided == ("fail", "product")


def test_a_real_clock_ends_a_step_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e_ansible.run.limit.LIMITS", {"fast": 0.4})

    def hangs(cancel: Cancel) -> int:
        while not cancel.wait(WAIT):
            pytest.fail("nobody has ended it")
        return 0

    plan = of_class(STEPS)
    result, folder = run_plans(
        [plan], runs=tmp_path, engine=Script({"a": hangs}), provider=lambda name: PaperNodes()
    )
    (test,) = result.tests
    assert (result.verdict.value, test.cause) == ("fail", "product")
    assert "class fast" in str(test.error)
    xml = (folder.path / "junit.xml").read_text()
    assert "the time of class fast" in xml and 'name="time_class" value="fast"' in xml


def test_junit_tells_a_class_that_was_over_between_steps(tmp_path: Path) -> None:
    clock = Clock()
    steps = [group(command("a"), **{"finally": [command("f")]}), command("c")]
    ran = run(tmp_path, of_class(steps), Script({"f": clock.takes(1000)}), clock)
    assert "it was to take 300 s at most" in junit_xml(_run(ran.result))


def _run(test: TestResult):  # type: ignore[no-untyped-def]
    from e2e_ansible.run.folder import Manifest

    return run_result(Manifest(run_id="r", suite="s.yaml", started=1.0, ended=2.0), [test])


def test_what_was_interrupted_stays_so_without_a_limit() -> None:
    outcome = Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")
    assert in_time(outcome, Cancel()) is outcome
    clock = Clock()
    limit = TimeLimit(Cancel(), "fast", used=299, clock=clock)
    assert in_time(outcome, limit) is outcome
    clock.now += 1
    assert in_time(outcome, limit).ended is Ended.TIMEOUT
    completed = Outcome(ended=Ended.COMPLETED, rc=0)
    assert in_time(completed, limit) is completed


def test_waiting_ends_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e_ansible.run.limit.LIMITS", {"fast": 0.01})
    import time

    limit = TimeLimit(Cancel(), "fast", clock=time.monotonic)
    assert limit.wait(WAIT)
    whole = Cancel()
    TimeLimit(whole, "", clock=time.monotonic).set()
    assert whole.is_set
