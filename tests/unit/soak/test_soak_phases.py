"""Phases are told once each, as soon as their last step has ended, with what they came to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.judge.result import StepResult
from e2e_ansible.soak.phases import Phases
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary
from e2e_ansible.verdict import Cause, Status, Verdict


def command(name: str, phase: str = "", **more: Any) -> dict[str, Any]:
    """A step of a phase."""
    where = {"phase": phase} if phase else {}
    return {"step": "custom_command", "name": name, "custom_command": ["x"], **where, **more}


def compiled(*steps: Mapping[str, Any]) -> Plan:
    """A plan of these steps."""
    words = Vocabulary.default()
    text = json.dumps({"test_suites": {"t": {"workflow": list(steps)}}}).encode()
    (plan,) = compile_suite(parse_suite(text, "s.json", vocabulary=words), words.step_types)
    return plan


def ended(plan: Plan, name: str, at: float, verdict: Verdict | None = Verdict.PASS) -> StepResult:
    """A step that took a second; without a verdict it was left out."""
    (step,) = (step for step in plan.steps if step.id.partition("-")[2] == name)
    status = {Verdict.PASS: Status.COMPLETED, None: Status.OMITTED}.get(verdict, Status.FAILED)
    times = {} if verdict is None else {"started": at - 1, "ended": at}
    return StepResult(
        index=step.index,
        id=step.id,
        step_type=step.type,
        description="",
        phase=step.phase,
        status=status,
        verdict=verdict,
        cause=Cause.PRODUCT if verdict is Verdict.FAIL else None,
        error="it broke" if verdict is Verdict.FAIL else None,
        source=step.source,
        **times,
    )


def told(phases: Phases, plan: Plan, *ends: tuple[str, float, Verdict | None]) -> list[list[str]]:
    """Which phases are told of when each step ends, and when all is over."""
    found = [[each.name for each in phases.ends(ended(plan, *end), end[1])] for end in ends]
    return [*found, [each.name for each in phases.over()]]


def test_a_phase_is_over_with_its_last_step() -> None:
    """And takes from the begin of the first to the end of the last."""
    plan = compiled(command("a", "one"), command("b", "one"), command("c", "two"))
    phases = Phases(plan)
    ends = [("a", 11.0, Verdict.PASS), ("b", 14.0, Verdict.PASS), ("c", 20.0, Verdict.PASS)]
    assert told(phases, plan, *ends) == [[], ["one"], ["two"], []]
    one = phases.outcomes["one"]
    assert (one.started, one.ended, one.seconds, one.verdict) == (10.0, 14.0, 4.0, Verdict.PASS)


def test_a_phase_that_failed_is_told_at_the_end() -> None:
    """Those after it were never begun, and are not told of."""
    plan = compiled(command("a", "one"), command("b", "one"), command("c", "two"))
    phases = Phases(plan)
    assert told(phases, plan, ("a", 11.0, Verdict.FAIL)) == [[], ["one"]]
    assert phases.outcomes["one"].verdict is Verdict.FAIL
    assert phases.outcomes["one"].error == "01-a: it broke"
    assert list(phases.outcomes) == ["one"]


def test_a_rescue_belongs_to_the_phase() -> None:
    """What it made good is no failure of the phase, and until it has ended the phase is not over."""
    group: dict[str, Any] = {
        "step": "group",
        "phase": "one",
        "steps": [command("a")],
        "rescue": [command("r")],
        "on_rescue": "continue",
    }
    plan = compiled(group, command("c", "two"))
    phases = Phases(plan)
    ends: Sequence[tuple[str, float, Verdict | None]] = [("a", 11.0, Verdict.FAIL), ("r", 15.0, Verdict.PASS)]
    assert told(phases, plan, *ends)[:2] == [[], ["one"]]
    assert phases.outcomes["one"].verdict is Verdict.PASS


def test_steps_left_out_take_no_time() -> None:
    """A phase of which all were left out was never begun."""
    plan = compiled(command("a", "one"), command("b", "one"), command("c", "two"))
    phases = Phases(plan)
    assert told(phases, plan, ("a", 11.0, Verdict.PASS), ("b", 0, None), ("c", 0, None)) == [
        [],
        ["one"],
        [],
        [],
    ]
    assert phases.outcomes["one"].seconds == 1.0


def test_a_later_phase_ends_those_before_it() -> None:
    """They are told of when its first step begins."""
    plan = compiled(command("a", "one"), command("b", "one"), command("c", "two"))
    phases = Phases(plan)
    phases.ends(ended(plan, "a", 11.0), 11.0)
    assert [each.name for each in phases.begins("03-c", 12.0)] == ["one"]
    assert phases.phase("03-c") == "two"


def test_nothing_of_a_rehearsal_is_a_verdict() -> None:
    """It goes through the phases none the less."""
    plan = compiled(command("a", "one"), command("c", "two"))
    phases = Phases(plan, rehearsed=True)
    assert told(phases, plan, ("a", 11.0, None), ("c", 12.0, None)) == [["one"], ["two"], []]
    assert {outcome.verdict for outcome in phases.outcomes.values()} == {None}
