"""Verdicts of groups, watches, preconditions and conditions; each goes red when its subject is broken."""

from __future__ import annotations

import pytest
from judge_events import DONE, OFF, journal_of_step, journal_of_test, observed, plan, stats, step, validate

from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, FlowWait, PlannedStep
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.condition import holds, told
from e2e_ansible.judge.entry import StepOmitted
from e2e_ansible.judge.flow import is_forgiven, missing, speaking, steps_of, verdict_of
from e2e_ansible.judge.record import records
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import judge_step
from e2e_ansible.judge.test import judge_test
from e2e_ansible.suite.condition import parse_condition
from e2e_ansible.suite.model import SourceRef
from e2e_ansible.verdict import Cause, Status, Verdict

SOURCE = SourceRef(file="s.yaml", line=1, column=1)
CANCELED = Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")


def result(name: str, verdict: Verdict | None = Verdict.PASS, cause: Cause | None = None) -> StepResult:
    status = {Verdict.PASS: Status.COMPLETED, None: Status.SKIPPED}.get(verdict, Status.FAILED)
    facts = {"index": 1, "id": name, "step_type": "x", "description": "", "source": SOURCE}
    return StepResult(**facts, status=status, verdict=verdict, cause=cause)  # type: ignore[arg-type]


def items(text: str) -> tuple[FlowItem, ...]:
    return tuple(FlowStep(step=name) for name in text.split())


def group(body: str, *, rescue: str = "", final: str = "", go_on: bool = False) -> FlowGroup:
    return FlowGroup(
        id="g",
        name="",
        source=SOURCE,
        body=items(body),
        rescue=items(rescue),
        final=items(final),
        on_rescue="continue" if go_on else "fail",
    )


FAIL, UNKNOWN = Verdict.FAIL, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("verdicts", "against"),
    [
        ({"a": Verdict.PASS, "b": Verdict.PASS}, []),
        ({"a": UNKNOWN, "b": FAIL}, ["b", "a"]),
        ({"a": FAIL, "b": FAIL}, ["a", "b"]),
        ({"a": FAIL, "r": Verdict.PASS}, ["a"]),
        ({"a": Verdict.PASS, "f": FAIL}, ["f"]),
        ({"a": FAIL, "r": FAIL, "f": UNKNOWN}, ["a", "r", "f"]),
    ],
)
def test_who_speaks_against_a_group(verdicts: dict[str, Verdict], against: list[str]) -> None:
    results = {name: result(name, verdict) for name, verdict in verdicts.items()}
    found = speaking([group("a b", rescue="r", final="f")], results)
    assert [each.id for each in found] == against


@pytest.mark.parametrize(
    ("rescue", "forgiven"), [(Verdict.PASS, True), (FAIL, False), (UNKNOWN, False), (None, False)]
)
def test_only_a_rescue_that_passed_makes_good(rescue: Verdict | None, forgiven: bool) -> None:
    results = {"a": result("a", FAIL), "r": result("r", rescue)}
    assert is_forgiven(group("a", rescue="r", go_on=True), results) is forgiven
    assert not is_forgiven(group("a", rescue="r"), results)


def test_a_rescue_that_was_left_out_makes_nothing_good() -> None:
    left_out = result("r", None).model_copy(update={"status": Status.OMITTED})
    results = {"a": result("a", FAIL), "r": left_out}
    assert not is_forgiven(group("a", rescue="r", go_on=True), results)
    assert verdict_of([group("a", rescue="r", go_on=True)], results) is FAIL
    results["s"] = result("s")
    assert is_forgiven(group("a", rescue="r s", go_on=True), results), "one of its steps has passed"


def test_what_cut_off_an_interrupt_decides_last() -> None:
    results = {"a": result("a", UNKNOWN, Cause.INTERRUPT), "b": result("b", UNKNOWN, Cause.PRODUCT)}
    assert [each.id for each in speaking(items("a b"), results)] == ["b", "a"]


def test_what_is_missing_of_a_flow() -> None:
    done = {name: result(name) for name in "ab"}
    assert list(missing([group("a b", rescue="r", final="f")], done)) == ["f"]
    failed = {"a": result("a", FAIL), "r": result("r")}
    assert list(missing([group("a b", rescue="r", go_on=True)], failed)) == []
    assert list(steps_of([group("a", rescue="r", final="f")])) == ["a", "r", "f"]


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ({"a": Verdict.PASS, "b": Verdict.PASS}, Verdict.PASS),
        ({"a": Verdict.PASS}, UNKNOWN),
        ({"a": UNKNOWN, "b": Verdict.PASS}, UNKNOWN),
        ({"a": UNKNOWN, "b": FAIL}, FAIL),
        ({}, UNKNOWN),
    ],
)
def test_what_items_come_to(verdicts: dict[str, Verdict], verdict: Verdict) -> None:
    results = {name: result(name, each) for name, each in verdicts.items()}
    assert verdict_of(items("a b"), results) is verdict


def test_to_wait_for_a_step_is_no_step_of_its_own() -> None:
    flow = (*items("a"), FlowWait(steps=("a",), source=SOURCE))
    assert list(steps_of(flow)) == ["a"]
    assert list(missing(flow, {})) == ["a"]
    assert [each.id for each in speaking(flow, {"a": result("a", FAIL)})] == ["a"]
    assert verdict_of(flow, {"a": result("a")}) is Verdict.PASS


# ---- a watch


def watched(*good: bool, last: Outcome = DONE) -> StepResult:
    """A watch with these looks."""
    planned = validate("cluster_status").model_copy(update={"watch": True})
    made = plan(planned)
    outcomes = [*[DONE] * (len(good) - 1), last]
    events: dict[tuple[str, int], list[Event]] = {
        (planned.id, number): [observed("n11") if fine else observed("n11", **OFF), stats()]
        for number, fine in enumerate(good, start=1)
    }
    record = records(journal_of_test(journal_of_step(planned, outcomes))).steps[planned.id]
    return judge_step(made, planned, record, events)


def test_a_watch_passes_when_every_look_holds() -> None:
    assert watched(True, True, True).verdict is Verdict.PASS


@pytest.mark.parametrize("looks", [(False, True, True), (True, False, True), (True, True, False)])
def test_a_watch_that_failed_in_one_look_has_failed(looks: tuple[bool, ...]) -> None:
    found = watched(*looks)
    assert (found.verdict, found.attempts) == (FAIL, 3)
    assert str(found.error).startswith(f"look {looks.index(False) + 1} of 3, after 0.0 s: cluster_status: ")


def test_a_look_that_an_interrupt_cut_off_is_no_failure_and_no_pass() -> None:
    assert (watched(True, True, last=CANCELED).verdict, watched(True, True, last=CANCELED).cause) == (
        UNKNOWN,
        Cause.INTERRUPT,
    )
    assert watched(False, True, last=CANCELED).verdict is FAIL


# ---- a precondition


def test_a_steady_state_that_did_not_hold_before_is_no_finding() -> None:
    planned = validate("cluster_status").model_copy(update={"precondition": True})
    events = {(planned.id, 1): [observed("n11", **OFF), stats()]}
    record = records(journal_of_test(journal_of_step(planned))).steps[planned.id]
    found = judge_step(plan(planned), planned, record, events)
    assert (found.verdict, found.cause) == (UNKNOWN, Cause.INFRASTRUCTURE)
    assert "the experiment did not begin" in str(found.error)


# ---- left out


def test_a_step_that_was_left_out_decides_nothing_and_says_why() -> None:
    first, second = step(1), step(2)
    omitted = StepOmitted(at=3.0, step=second.id, reason="01-step is pass")
    events = {(first.id, 1): [observed("n11"), stats()]}
    found = judge_test(
        plan(first, second), records(journal_of_test(journal_of_step(first), [omitted])), events
    )
    assert found.verdict is Verdict.PASS
    left: StepResult = found.workflow_steps[1]
    assert (left.status, left.verdict, left.omitted) == (Status.OMITTED, None, "01-step is pass")


def test_a_step_that_is_only_missing_is_no_pass() -> None:
    steps: list[PlannedStep] = [step(1), step(2)]
    events = {(steps[0].id, 1): [observed("n11"), stats()]}
    found = judge_test(plan(*steps), records(journal_of_test(journal_of_step(steps[0]))), events)
    assert (found.verdict, found.error) == (UNKNOWN, "the run was killed before 02-step")


# ---- conditions


OUTPUTS = {"who": {"stdout": "n12", "stderr": "", "rc": 0}, "all": {"stdout": '{"a":  1}'}}


def ended(name: str) -> Verdict | None:
    return {"good": Verdict.PASS, "bad": FAIL, "open": UNKNOWN}.get(name)


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("${steps.who.stdout} == n12", True),
        ("${steps.who.stdout} != n12", False),
        ("${steps.who.rc} == 0", True),
        ("'${steps.who.stdout}:x' in [n11:x, n12:x]", True),
        ("${steps.who.stdout} not in [n12]", False),
        ("${steps.who.stderr} == ''", True),
        ("""${steps.all.json} == '{"a": 1}'""", True),
        ("passed good", True),
        ("passed bad", False),
        ("passed never", False),
        ("failed bad", True),
        ("failed open", True),
        ("failed good", False),
        ("failed never", False),
    ],
)
def test_conditions(text: str, true: bool) -> None:
    condition = parse_condition(text)
    assert holds(condition, OUTPUTS, ended) is true
    assert told(condition, OUTPUTS, ended)


def test_a_condition_without_its_output_is_an_error_and_not_false() -> None:
    for text in ("${steps.other.stdout} == a", "${steps.who.json} == a"):
        with pytest.raises(HarnessError, match="when: "):
            holds(parse_condition(text), OUTPUTS, ended)
