"""Groups, branches, conditions, rescues, ends and the background, through the whole run."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from flow_runs import WAIT, Act, Ran, Script, command, compiled, group, run, run_plan

from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.judge.entry import Interrupted, StepOmitted
from e2e_ansible.judge.record import records
from e2e_ansible.judge.test import judge_test
from e2e_ansible.run import background
from e2e_ansible.run.journal import read_events

PASS, PRODUCT, INTERRUPT = ("pass", None), ("fail", "product"), ("unknown", "interrupt")


def both(first: threading.Event, second: threading.Event, rc: int = 0) -> Act:
    """Say that one has begun, and wait for the other: it ends only if both run at once."""

    def act(cancel: Cancel) -> int:
        first.set()
        return rc if second.wait(WAIT) else 99

    return act


def interrupted(cancel: Cancel) -> int:
    cancel.set()
    return 0


# ---- groups


def test_a_group_runs_in_order_and_passes_with_its_steps(tmp_path: Path) -> None:
    ran = run(tmp_path, [command("a"), group(command("b"), command("c")), command("d")])
    assert ran.decided == PASS
    assert ran.engine.begun == ["a", "b", "c", "d"]


def test_nothing_follows_a_group_that_failed(tmp_path: Path) -> None:
    ran = run(tmp_path, [group(command("a"), command("b")), command("c")], Script({"a": 1}))
    assert ran.decided == PRODUCT
    assert ran.statuses() == {"a": "failed", "b": "skipped", "c": "skipped"}


def test_branches_run_at_once_and_each_in_its_order(tmp_path: Path) -> None:
    one, two = threading.Event(), threading.Event()
    steps = [group(group(command("a"), command("b")), command("c"), parallel=True), command("d")]
    ran = run(tmp_path, steps, Script({"a": both(one, two), "c": both(two, one)}))
    assert ran.decided == PASS, ran.result.error
    assert ran.engine.begun[-2:] == ["b", "d"]


def test_branches_have_sockets_and_marks_of_their_own(tmp_path: Path) -> None:
    ran = run(tmp_path, [command("a"), group(command("b"), command("c"), parallel=True)])
    lanes = {request.token.rsplit("/", 1)[0] for request in ran.engine.requests}
    assert len(lanes) == 3


def test_both_branches_fail_and_both_are_told(tmp_path: Path) -> None:
    one, two = threading.Event(), threading.Event()
    script = Script({"a": both(one, two, 1), "b": both(two, one, 1)})
    ran = run(tmp_path, [group(command("a"), command("b"), parallel=True), command("c")], script)
    assert ran.decided == PRODUCT
    first, second = str(ran.result.error).splitlines()
    assert first.startswith("01-a: ")
    assert second.startswith("also 02-b: ")
    assert ran.statuses()["c"] == "skipped"


def test_a_branch_that_failed_does_not_end_the_other(tmp_path: Path) -> None:
    ran = run(
        tmp_path, [group(group(command("a"), command("b")), command("c"), parallel=True)], Script({"c": 1})
    )
    assert ran.statuses() == {"a": "completed", "b": "completed", "c": "failed"}


def test_an_interrupt_in_one_branch_ends_all_and_a_failure_before_it_counts(tmp_path: Path) -> None:
    one, two = threading.Event(), threading.Event()

    def fails(cancel: Cancel) -> int:
        one.set()
        return 1

    def stops(cancel: Cancel) -> int:
        assert two.wait(WAIT)
        return interrupted(cancel)

    class Listens(Script):
        def run(self, request, on_event, cancel):  # type: ignore[no-untyped-def]
            outcome = super().run(request, on_event, cancel)
            if "01-a" in request.playbook:
                two.set()
            return outcome

    steps = [group(command("a"), command("b"), parallel=True), command("c")]
    ran = run(tmp_path, steps, Listens({"a": fails, "b": stops}))
    assert ran.decided == PRODUCT
    assert ran.statuses() == {"a": "failed", "b": "interrupted", "c": "skipped"}


def test_an_interrupt_in_one_branch_alone_is_an_interrupt(tmp_path: Path) -> None:
    steps = [group(command("a"), group(command("b"), command("c")), parallel=True)]
    ran = run(tmp_path, steps, Script({"b": interrupted}))
    assert ran.decided == INTERRUPT


# ---- rescue and end


def test_a_rescue_rolls_back_and_the_group_stays_failed(tmp_path: Path) -> None:
    steps = [group(command("a"), rescue=[command("undo")], **{"finally": [command("end")]}), command("b")]
    ran = run(tmp_path, steps, Script({"a": 1}))
    assert ran.decided == PRODUCT
    assert ran.engine.begun == ["a", "undo", "end"]
    assert str(ran.result.error).startswith("01-a: ")


def test_a_rescue_is_not_needed_by_what_passes(tmp_path: Path) -> None:
    ran = run(tmp_path, [group(command("a"), rescue=[command("undo")], **{"finally": [command("end")]})])
    assert ran.decided == PASS
    assert ran.statuses() == {"a": "completed", "undo": "skipped", "end": "completed"}


def test_after_a_rescue_the_test_may_go_on(tmp_path: Path) -> None:
    steps = [group(command("a"), rescue=[command("undo")], on_rescue="continue"), command("b")]
    ran = run(tmp_path, steps, Script({"a": 1}))
    assert ran.decided == PASS
    assert ran.engine.begun == ["a", "undo", "b"]


@pytest.mark.parametrize("on_rescue", ["fail", "continue"])
def test_a_rescue_that_fails_makes_nothing_good(tmp_path: Path, on_rescue: str) -> None:
    steps = [group(command("a"), rescue=[command("undo")], on_rescue=on_rescue), command("b")]
    ran = run(tmp_path, steps, Script({"a": 1, "undo": 1}))
    assert ran.decided == PRODUCT
    assert [line.partition(": ")[0] for line in str(ran.result.error).splitlines()] == [
        "01-a",
        "also 02-undo",
    ]
    assert ran.statuses()["b"] == "skipped"


def test_an_end_that_fails_fails_the_group_and_each_of_its_steps_is_tried(tmp_path: Path) -> None:
    steps = [group(command("a"), **{"finally": [command("x"), command("y")]}), command("b")]
    ran = run(tmp_path, steps, Script({"x": 1}))
    assert ran.decided == PRODUCT
    assert ran.engine.begun == ["a", "x", "y"]


def test_an_end_runs_after_an_interrupt_and_the_rescue_does_not(tmp_path: Path) -> None:
    steps = [group(command("a"), rescue=[command("undo")], **{"finally": [command("end")]}), command("b")]
    ran = run(tmp_path, steps, Script({"a": interrupted}))
    assert ran.decided == INTERRUPT
    assert ran.engine.begun == ["a", "end"]
    assert ran.statuses()["end"] == "completed"


def test_a_second_interrupt_ends_the_end(tmp_path: Path) -> None:
    steps = [group(command("a"), **{"finally": [command("x"), command("y")]})]
    ran = run(tmp_path, steps, Script({"a": interrupted, "x": interrupted}))
    assert ran.engine.begun == ["a", "x"]
    assert ran.step("x").status.value == "interrupted"
    assert any(isinstance(entry, Interrupted) for entry in ran.journal())


# ---- conditions and foreach


def test_a_condition_decides_on_output_and_what_is_left_out_decides_nothing(tmp_path: Path) -> None:
    steps = [
        command("who", register="who"),
        command("a", when="${steps.who.stdout} == n12"),
        command("b", when="${steps.who.stdout} in [n11, '{{ 1 }}']"),
        group(command("c"), rescue=[command("d")], when="failed a"),
    ]
    ran = run(tmp_path, steps, Script(said={"who": "{{ 1 }}"}))
    assert ran.decided == PASS
    assert ran.statuses() == {
        "who": "completed",
        "a": "omitted",
        "b": "completed",
        "c": "omitted",
        "d": "omitted",
    }
    assert ran.step("a").omitted == "'{{ 1 }}' == 'n12' is not true"
    assert ran.step("c").omitted == "02-a was not run"
    assert sum(isinstance(entry, StepOmitted) for entry in ran.journal()) == 3


def test_a_rescue_knows_what_failed(tmp_path: Path) -> None:
    rescue = [command("x", when="failed a"), command("y", when="passed a")]
    ran = run(tmp_path, [group(command("a"), rescue=rescue)], Script({"a": 1}))
    assert (ran.statuses()["x"], ran.statuses()["y"]) == ("completed", "omitted")


def test_a_condition_that_cannot_be_decided_is_no_pass(tmp_path: Path) -> None:
    steps = [command("who", register="who"), command("a", when="${steps.who.json} == 1")]
    ran = run(tmp_path, steps, Script(said={"who": "no json"}))
    assert ran.decided == ("fail", "harness")
    assert "is no JSON" in str(ran.result.error)
    assert ran.engine.begun == ["who"]


def test_foreach_repeats_steps_and_names_them(tmp_path: Path) -> None:
    loop = group(command("do-${foreach.x}-${foreach.y}"), foreach={"x": ["a", "b"], "y": [1, 2]})
    ran = run(tmp_path, [loop])
    assert ran.engine.begun == ["do-a-1", "do-a-2", "do-b-1", "do-b-2"]


def test_output_of_a_branch_is_there_after_the_group(tmp_path: Path) -> None:
    steps = [
        group(command("a", register="a"), command("b", register="b"), parallel=True),
        command("c", when="${steps.a.stdout}${steps.b.stdout} == xy"),
    ]
    ran = run(tmp_path, steps, Script(said={"a": "x", "b": "y"}))
    assert ran.statuses()["c"] == "completed"


# ---- background


def test_a_load_runs_while_the_next_steps_do(tmp_path: Path) -> None:
    one, two = threading.Event(), threading.Event()
    steps = [command("load", background=True), command("a"), {"step": "wait", "for": ["load"]}, command("b")]
    ran = run(tmp_path, steps, Script({"load": both(one, two), "a": both(two, one)}))
    assert ran.decided == PASS, ran.result.error
    assert ran.engine.begun[-1] == "b"


def test_a_load_is_joined_at_the_end_of_its_group(tmp_path: Path) -> None:
    two = threading.Event()

    def slow(cancel: Cancel) -> int:
        return 0 if two.wait(WAIT) else 99

    def last(cancel: Cancel) -> int:
        two.set()
        return 0

    steps = [group(command("load", background=True), command("a")), command("b")]
    ran = run(tmp_path, steps, Script({"load": slow, "a": last}))
    assert ran.engine.ended.index("load") < ran.engine.ended.index("b")


def test_a_group_may_wait_for_a_load_that_began_before_it(tmp_path: Path) -> None:
    one, two = threading.Event(), threading.Event()
    inner = group(command("a"), {"step": "wait", "for": ["load"]}, command("b"))
    script = Script({"load": both(one, two), "a": both(two, one)})
    ran = run(tmp_path, [command("load", background=True), inner], script)
    assert ran.decided == PASS, ran.result.error
    assert ran.result.graph is not None
    assert [step.after for step in ran.result.graph.steps] == [(), (), ("02-a", "01-load")]


def test_a_load_that_fails_fails_the_test_while_all_else_passes(tmp_path: Path) -> None:
    ran = run(tmp_path, [command("load", background=True), command("a")], Script({"load": 1}))
    assert ran.decided == PRODUCT
    assert ran.statuses()["a"] == "completed"


def test_nothing_follows_a_wait_for_what_failed(tmp_path: Path) -> None:
    steps = [command("load", background=True), {"step": "wait", "for": ["load"]}, command("a")]
    ran = run(tmp_path, steps, Script({"load": 1}))
    assert ran.statuses()["a"] == "skipped"


def test_an_interrupt_ends_the_background(tmp_path: Path) -> None:
    begun = threading.Event()

    def load(cancel: Cancel) -> int:
        begun.set()
        return 0 if cancel.wait(WAIT) else 99

    def stops(cancel: Cancel) -> int:
        assert begun.wait(WAIT)
        return interrupted(cancel)

    ran = run(tmp_path, [command("load", background=True), command("a")], Script({"load": load, "a": stops}))
    assert ran.decided == INTERRUPT
    assert ran.statuses() == {"load": "interrupted", "a": "interrupted"}


# ---- hypothesis

ONE = {"parameters": {"cluster_size": 1, "database": "standalone"}}
STATE = ["all_nodes_running"]


def experiment(tmp_path: Path, *off: tuple[str, int]) -> Ran:
    """A hypothesis whose only step ends after three looks of the watch."""
    looks = threading.Semaphore(0)

    def look(cancel: Cancel) -> int:
        looks.release()
        return 0

    def act(cancel: Cancel) -> int:
        return 0 if all(looks.acquire(timeout=WAIT) for _ in range(3)) else 99

    step = {
        "step": "hypothesis",
        "checks": STATE,
        "during": STATE,
        "every_seconds": 0.01,
        "steps": [command("a")],
    }
    script = Script({"during": look, "a": act}, off=frozenset(off))
    return run(tmp_path, [step, command("b")], script, **ONE)


def test_a_steady_state_before_during_and_after(tmp_path: Path) -> None:
    ran = experiment(tmp_path)
    assert ran.decided == PASS, ran.result.error
    assert ran.step("during").attempts >= 3
    assert ran.engine.begun[0] == "before"
    assert ran.engine.begun[-2:] == ["after", "b"]


def test_one_look_that_fails_during_the_steps_fails_the_test(tmp_path: Path) -> None:
    ran = experiment(tmp_path, ("during", 2))
    assert ran.decided == PRODUCT
    assert "02-during: look 2 of " in str(ran.result.error)
    assert ran.statuses()["a"] == "completed", "the experiment itself goes on"
    assert ran.statuses()["after"] == "skipped"


def test_an_experiment_that_did_not_begin_is_no_finding(tmp_path: Path) -> None:
    ran = experiment(tmp_path, ("before", 1))
    assert ran.decided == ("unknown", "infrastructure")
    assert ran.engine.begun == ["before"]


def test_a_steady_state_that_is_lost_afterwards_is_a_failure(tmp_path: Path) -> None:
    ran = experiment(tmp_path, ("after", 1))
    assert ran.decided == PRODUCT
    assert ran.statuses()["b"] == "skipped"


# ---- the record is enough


def test_the_same_verdict_from_every_beginning_of_the_journal_but_never_a_pass(tmp_path: Path) -> None:
    steps = [
        group(command("a"), rescue=[command("undo")], on_rescue="continue"),
        group(command("b"), command("c"), parallel=True, **{"finally": [command("end")]}),
        command("d", when="failed b"),
    ]
    plan = compiled(steps)
    ran: Ran = run_plan(tmp_path, plan, Script({"a": 1}))
    assert ran.decided == PASS
    entries, events = ran.journal(), read_events(ran.folder.events)
    verdicts = [judge_test(plan, records(entries[:count]), events).verdict for count in range(len(entries))]
    assert "pass" not in verdicts


def test_what_follows_does_not_depend_on_how_fast_the_background_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Eager(threading.Thread):
        """It has ended before anybody looks."""

        def start(self) -> None:
            super().start()
            self.join()

    monkeypatch.setattr(background, "Thread", Eager)
    ran = run(tmp_path, [command("load", background=True), command("a")], Script({"load": 1}))
    assert ran.decided == PRODUCT
    assert ran.statuses() == {"load": "failed", "a": "completed"}


@pytest.mark.parametrize("where", ["alone", "in a branch", "in the background", "by needs"])
def test_code_from_elsewhere_that_exits_takes_nothing_with_it(tmp_path: Path, where: str) -> None:
    """Its thread would die, and what follows would be begun, or nothing be cleaned up."""

    def leave(cancel: Cancel) -> int:
        raise SystemExit(3)

    bad = command("bad", background=where == "in the background")
    steps = {
        "in a branch": [group(bad, command("b"), parallel=True), command("c")],
        "by needs": [bad, command("b", needs=[]), command("c")],
    }.get(
        where,
        [bad, {"step": "wait", "for": ["bad"]}, command("c")] if bad["background"] else [bad, command("c")],
    )
    ran = run(tmp_path, steps, Script({"bad": leave}))
    assert ran.decided == ("fail", "harness")
    assert "SystemExit" in str(ran.result.error)
    assert "c" not in ran.engine.begun
    assert ran.journal()[-1].kind == "test_ended"


def test_an_interrupt_of_several_branches_is_written_down_once(tmp_path: Path) -> None:
    """All of them find at the same moment that nothing more is to be begun."""
    cancel, together = Cancel(), threading.Barrier(2)

    def stops(cancel: Cancel) -> int:
        together.wait(WAIT)
        return 0

    class Ends(Script):
        def run(self, request, on_event, cancel):  # type: ignore[no-untyped-def]
            outcome = super().run(request, on_event, cancel)
            together.wait(WAIT)
            cancel.set()
            return outcome

    both_ask = threading.Barrier(2)

    def now() -> float:
        if cancel.is_set:
            with suppress(threading.BrokenBarrierError):
                both_ask.wait(0.2)  # the other one never comes while this one is alone
        return time.time()

    branches = [group(command(one), command(other)) for one, other in ("ab", "cd")]
    engine = Ends({"a": stops, "c": stops})
    ran = run_plan(tmp_path, compiled([group(*branches, parallel=True)]), engine, cancel, now)
    assert ran.decided == INTERRUPT
    assert sum(isinstance(entry, Interrupted) for entry in ran.journal()) == 1


def test_trouble_in_a_group_and_at_its_end_is_told_of_both(tmp_path: Path) -> None:
    """No condition of a group can be decided, neither in its body nor at its end."""
    body = group(command("a"), when="${steps.who.json} == 1")
    final = group(command("b"), when="${steps.what.json} == 1")
    steps = [
        command("who", register="who"),
        command("what", register="what"),
        group(body, **{"finally": [final]}),
    ]
    ran = run(tmp_path, steps, Script(said={"who": "no json", "what": "none here"}))
    assert ran.decided == ("fail", "harness")
    assert "'who'" in str(ran.result.error)
    assert "'what'" in str(ran.result.error)
