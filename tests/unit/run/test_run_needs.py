"""Steps that say what they need: when each begins, what a failure keeps from beginning, and that all are told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from flow_runs import WAIT, Act, Script, command, compiled, group, run, run_plan

from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.errors import HarnessError, InfrastructureError
from e2e_ansible.judge.entry import Interrupted
from e2e_ansible.run.graph import do_all, raise_all

PASS, PRODUCT, INTERRUPT = ("pass", None), ("fail", "product"), ("unknown", "interrupt")


def both(first: threading.Event, second: threading.Event, rc: int = 0) -> Act:
    """Say that one has begun, and wait for the other: it ends only if both run at once."""

    def act(cancel: Cancel) -> int:
        first.set()
        return rc if second.wait(WAIT) else 99

    return act


def after(event: threading.Event, rc: int = 0) -> Act:
    """End when something else has happened."""
    return lambda cancel: rc if event.wait(WAIT) else 99


def says(event: threading.Event, rc: int = 0) -> Act:
    """Say that it was begun."""

    def act(cancel: Cancel) -> int:
        event.set()
        return rc

    return act


def test_a_step_begins_when_what_it_needs_has_passed_and_no_later(tmp_path: Path) -> None:
    first, late = threading.Event(), threading.Event()
    steps = [command("slow"), command("a", needs=[]), command("b", needs=["a"]), command("end")]

    def b(cancel: Cancel) -> int:
        return 0 if first.is_set() else 98

    ran = run(tmp_path, steps, Script({"slow": after(late), "b": b}, over={"a": first, "b": late}))
    assert ran.decided == PASS, ran.result.error
    assert ran.engine.begun[-1] == "end"
    assert ran.engine.ended == ["a", "b", "slow", "end"], "b did not wait for slow"


def test_a_step_waits_for_all_that_it_needs(tmp_path: Path) -> None:
    one, two = threading.Event(), threading.Event()
    steps = [command("a"), command("b", needs=[]), command("c", needs=["b", "a"])]
    ran = run(tmp_path, steps, Script({"a": both(one, two), "b": both(two, one)}))
    assert ran.decided == PASS, ran.result.error
    assert ran.engine.begun[-1] == "c"
    assert set(ran.engine.ended[:2]) == {"a", "b"}


def test_a_step_without_needs_waits_for_all_before_it_and_later_ones_pass_it_by(tmp_path: Path) -> None:
    late = threading.Event()
    steps = [command("a"), command("slow", needs=[]), command("all"), command("b", needs=["a"])]
    ran = run(tmp_path, steps, Script({"slow": after(late), "b": says(late)}))
    assert ran.decided == PASS, ran.result.error
    assert ran.engine.begun[-1] == "all"


def test_what_does_not_depend_on_a_failure_goes_on_and_all_failures_are_told(tmp_path: Path) -> None:
    failed = threading.Event()
    steps = [
        command("a"),
        command("b", needs=[]),
        command("of-a", needs=["a"]),
        command("of-b", needs=["b"]),
        command("of-both", needs=["of-a", "of-b"]),
        command("all"),
    ]
    ran = run(tmp_path, steps, Script({"a": 1, "b": after(failed), "of-b": 2}, over={"a": failed}))
    assert ran.decided == PRODUCT
    assert ran.statuses() == {
        "a": "failed",
        "b": "completed",
        "of-a": "skipped",
        "of-b": "failed",
        "of-both": "skipped",
        "all": "skipped",
    }
    first, second = str(ran.result.error).splitlines()
    assert first.startswith("01-a: ")
    assert second.startswith("also 04-of-b: ")


def test_nothing_is_judged_before_all_that_was_begun_has_ended(tmp_path: Path) -> None:
    undone, ended = threading.Event(), threading.Event()

    def slow(cancel: Cancel) -> int:
        assert not undone.wait(0), "the rescue did not wait"
        ended.set()
        return 0

    def undo(cancel: Cancel) -> int:
        undone.set()
        return 0 if ended.is_set() else 99

    body = [command("a"), command("slow", needs=[])]
    ran = run(
        tmp_path, [group(*body, rescue=[command("undo")])], Script({"a": 1, "slow": slow, "undo": undo})
    )
    assert ran.statuses() == {"a": "failed", "slow": "completed", "undo": "completed"}


def test_steps_at_once_have_lines_of_their_own_and_lend_them_to_what_follows(tmp_path: Path) -> None:
    one, two = threading.Event(), threading.Event()
    steps = [command("a"), command("b", needs=[]), command("c"), command("d")]
    ran = run(tmp_path, steps, Script({"a": both(one, two), "b": both(two, one)}))
    lanes = {
        request.playbook.partition("-")[2]: request.token.rsplit("/", 1)[0] for request in ran.engine.requests
    }
    assert lanes["a.yml"] != lanes["b.yml"]
    assert lanes["c.yml"] in (lanes["a.yml"], lanes["b.yml"])
    assert len(set(lanes.values())) == 2


def test_a_group_may_need_and_be_needed(tmp_path: Path) -> None:
    late = threading.Event()
    steps = [
        command("slow"),
        command("a", needs=[]),
        group(command("b"), command("c"), name="g", needs=["a"]),
        command("d", needs=["g"]),
    ]
    ran = run(tmp_path, steps, Script({"slow": after(late), "d": says(late)}))
    assert ran.decided == PASS, ran.result.error
    assert [name for name in ran.engine.begun if name != "slow"] == ["a", "b", "c", "d"]


def test_what_needs_a_group_that_failed_is_not_begun_unless_its_rescue_made_it_good(tmp_path: Path) -> None:
    for how, status in (("fail", "skipped"), ("continue", "completed")):
        steps = [
            group(command("b"), rescue=[command("undo")], name="g", on_rescue=how),
            command("other", needs=[]),
            command("d", needs=["g"]),
        ]
        ran = run(tmp_path / how, steps, Script({"b": 1}))
        assert (ran.statuses()["other"], ran.statuses()["d"]) == ("completed", status)
        assert ran.result.success == (how == "continue")


def test_what_was_left_out_is_no_reason_not_to_begin(tmp_path: Path) -> None:
    steps = [
        command("a", register="a"),
        command("b", needs=["a"], when="${steps.a.stdout} == x"),
        command("c", needs=["b"]),
    ]
    ran = run(tmp_path, steps)
    assert ran.statuses() == {"a": "completed", "b": "omitted", "c": "completed"}


def test_a_condition_sees_how_what_it_needs_has_ended(tmp_path: Path) -> None:
    steps = [
        command("a"),
        command("b", needs=["a"], when="passed a"),
        command("c", needs=["a"], when="failed a"),
    ]
    ran = run(tmp_path, steps)
    assert ran.statuses() == {"a": "completed", "b": "completed", "c": "omitted"}


def test_the_end_of_a_group_is_tried_whatever_failed_in_it(tmp_path: Path) -> None:
    end = [command("x"), command("y", needs=["x"]), command("z", needs=[]), command("last")]
    ran = run(tmp_path, [group(command("a"), **{"finally": end})], Script({"x": 1, "y": 1}))
    assert set(ran.engine.begun) == {"a", "x", "y", "z", "last"}
    assert ran.engine.begun[-1] == "last"
    assert len(str(ran.result.error).splitlines()) == 2


def test_the_background_begins_with_what_it_needs_and_is_waited_for(tmp_path: Path) -> None:
    enough = threading.Event()
    steps = [
        command("a"),
        command("load", needs=["a"], background=True),
        command("b", needs=[]),
        command("c"),
        {"step": "wait", "for": ["load"]},
        command("end"),
    ]
    ran = run(tmp_path, steps, Script({"load": after(enough), "c": says(enough)}))
    assert ran.decided == PASS, ran.result.error
    assert ran.engine.begun.index("a") < ran.engine.begun.index("load")
    assert ran.engine.begun[-1] == ran.engine.ended[-1] == "end"


def test_an_interrupt_ends_all_that_runs_and_nothing_more_is_begun(tmp_path: Path) -> None:
    one, two = threading.Event(), threading.Event()

    def stops(cancel: Cancel) -> int:
        one.set()
        assert two.wait(WAIT)
        cancel.set()
        return 0

    def ends(cancel: Cancel) -> int:
        two.set()
        assert cancel.wait(WAIT)
        return 0

    steps = [
        command("a"),
        command("b", needs=[]),
        command("c", needs=["a"]),
        command("d", needs=["b"]),
        command("e"),
    ]
    ran = run(tmp_path, steps, Script({"a": stops, "b": ends}))
    assert ran.decided == INTERRUPT
    assert set(ran.engine.begun) == {"a", "b"}
    assert sum(isinstance(entry, Interrupted) for entry in ran.journal()) <= 1


def test_an_interrupt_before_a_step_begins_is_written_down(tmp_path: Path) -> None:
    cancel = Cancel()

    class Listens(Script):
        def run(self, request, on_event, cancel):  # type: ignore[no-untyped-def]
            outcome = super().run(request, on_event, cancel)
            cancel.set()
            return outcome

    plan = compiled([command("a"), command("b", needs=["a"])])
    ran = run_plan(tmp_path, plan, Listens(), cancel)
    assert ran.decided == INTERRUPT
    assert ran.statuses()["b"] == "skipped"
    assert [entry for entry in ran.journal() if isinstance(entry, Interrupted)]


def test_trouble_of_the_harness_in_two_steps_is_told_of_both(tmp_path: Path) -> None:
    one, two = threading.Event(), threading.Event()

    def breaks(mine: threading.Event, other: threading.Event, text: str) -> Act:
        def act(cancel: Cancel) -> int:
            mine.set()
            assert other.wait(WAIT)
            raise OSError(text)

        return act

    steps = [command("a"), command("b", needs=[]), command("c", needs=[]), command("d")]
    ran = run(
        tmp_path, steps, Script({"a": breaks(one, two, "first disk"), "b": breaks(two, one, "second disk")})
    )
    assert ran.decided == ("fail", "infrastructure")
    assert "first disk" in str(ran.result.error)
    assert "second disk" in str(ran.result.error)
    assert (ran.statuses()["c"], ran.statuses()["d"]) == ("completed", "skipped")


def test_evidence_is_collected_when_the_last_has_ended(tmp_path: Path) -> None:
    failed = threading.Event()
    steps = [command("a"), command("b", needs=[])]
    ran = run(tmp_path, steps, Script({"a": 1, "b": after(failed)}, over={"a": failed}))
    texts = [getattr(told, "text", "") for told in ran.notices]
    assert texts.count("collecting the logs of the nodes") == 1
    kinds = [type(told).__name__ for told in ran.notices]
    said = next(
        index for index, told in enumerate(ran.notices) if getattr(told, "text", "").startswith("collecting")
    )
    assert max(index for index, kind in enumerate(kinds) if kind == "StepEnded") < said


# ---- the graph alone


@pytest.mark.parametrize(
    ("errors", "kind", "said"),
    [
        ([OSError("a")], OSError, "a"),
        ([InfrastructureError("a"), OSError("b")], InfrastructureError, "a\nb"),
        ([InfrastructureError("a"), HarnessError("b")], HarnessError, "a\nb"),
        ([OSError("a"), ValueError("b")], HarnessError, "a\nValueError: b"),
    ],
)
def test_errors_are_raised_together(errors: list[Exception], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as caught:
        raise_all(errors)
    assert str(caught.value) == said


def test_nothing_is_raised_of_nothing_and_nothing_done_of_no_items() -> None:
    raise_all([])
    do_all((), lambda place: True, lambda: True)


def test_an_error_in_one_place_lets_the_others_end_first() -> None:
    done: list[int] = []

    def do(place: int) -> bool:
        if place == 0:
            raise OSError("broken")
        done.append(place)
        return True

    with pytest.raises(OSError, match="broken"):
        do_all((frozenset(), frozenset(), frozenset({1}), frozenset({0})), do, lambda: True)
    assert sorted(done) == [1, 2]
