"""Every rule by which one run of a playbook gets its verdict: one case where it speaks, one where it is silent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_events import (
    DONE,
    OFF,
    SILENT,
    attempt,
    command,
    crash,
    event,
    failed,
    not_proved,
    observed,
    ok,
    plan,
    proved,
    start,
    stats,
    step,
    unreachable,
    validate,
)

from e2e_ansible.checks.registry import isolated, validation_registry
from e2e_ansible.compile.plan import PlannedStep
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.attempt import Judged, judge_attempt
from e2e_ansible.judge.entry import CustomOutcome
from e2e_ansible.judge.record import AttemptRecord
from e2e_ansible.verdict import Cause, Verdict

PASS = (Verdict.PASS, None)
UNPROVED = (Verdict.UNKNOWN, Cause.INFRASTRUCTURE)
INFRASTRUCTURE = (Verdict.FAIL, Cause.INFRASTRUCTURE)
HARNESS = (Verdict.FAIL, Cause.HARNESS)
PRODUCT = (Verdict.FAIL, Cause.PRODUCT)

RC_2 = Outcome(ended=Ended.COMPLETED, rc=2)
RC_4 = Outcome(ended=Ended.COMPLETED, rc=4)


def judged(
    planned: PlannedStep, events: Sequence[Event], record: AttemptRecord | Outcome = DONE, **plan_changes: Any
) -> Judged:
    record = attempt(record) if isinstance(record, Outcome) else record
    nodes = plan_changes.pop("nodes", planned.hosts)
    return judge_attempt(plan(planned, nodes=nodes, **plan_changes), planned, record, events)


@dataclass(frozen=True)
class Case:
    name: str
    step: PlannedStep
    events: Sequence[Event]
    verdict: tuple[Verdict, Cause | None]
    says: str = ""
    outcome: Outcome = DONE


def _ends(how: Ended, message: str, rc: int | None = None) -> Outcome:
    return Outcome(ended=how, rc=rc, message=message)


ENDS = [
    Case("it came to its end", step(), [ok(), stats()], PASS),
    Case(
        "interrupted",
        step(),
        [ok()],
        (Verdict.UNKNOWN, Cause.INTERRUPT),
        "interrupted",
        _ends(Ended.CANCELED, ""),
    ),
    Case(
        "interrupted, with a word from the engine",
        step(),
        [ok()],
        (Verdict.UNKNOWN, Cause.INTERRUPT),
        "ended by hand",
        _ends(Ended.CANCELED, "ended by hand"),
    ),
    Case("Ansible could not run it", step(), [], HARNESS, "no events", _ends(Ended.ERROR, "no events")),
    Case(
        "Ansible could not run it for want of disk",
        step(),
        [],
        INFRASTRUCTURE,
        "No space left on device",
        _ends(Ended.ERROR, "[Errno 28] No space left on device"),
    ),
    Case(
        "not done in time, where machines are to blame",
        step(),
        [ok()],
        INFRASTRUCTURE,
        "not done after 60 s",
        _ends(Ended.TIMEOUT, "not done after 60 s"),
    ),
    Case(
        "not done in time, where the command is to blame",
        command(),
        [event(Kind.HOST_START, "n11", task="Run the command")],
        PRODUCT,
        "n11: 'Run the command' was under way",
        _ends(Ended.TIMEOUT, "not done after 60 s"),
    ),
]

FAILURES = [
    Case("a task failed", step(), [failed(), stats(failures=["n11"])], INFRASTRUCTURE, "n11: 'Act'", RC_2),
    Case("a command failed", command(), [failed(), stats(failures=["n11"])], PRODUCT, "it broke", RC_2),
    Case(
        "a command failed with words that machines use as well",
        command(),
        [
            failed("n11", "non-zero return code", result={"rc": 2, "stderr": "psql: Connection refused"}),
            stats(failures=["n11"]),
        ],
        PRODUCT,
        "n11: 'Act' failed: psql: Connection refused",
        RC_2,
    ),
    Case("a failure was ignored", step(), [failed(ignore_errors=True), stats()], PASS),
    Case("a failure was rescued", step(), [failed(), ok(), stats(rescued=["n11"])], PASS),
    Case(
        "a failure was rescued, another was not",
        step(),
        [failed(), failed("n11", "for good"), stats(failures=["n11"], rescued=["n11"])],
        INFRASTRUCTURE,
        "it broke",
        RC_2,
    ),
    Case("nobody answers", command(), [unreachable(), stats()], INFRASTRUCTURE, "is unreachable", RC_4),
    Case(
        "nobody answers, and a rescue elsewhere does not change that",
        command(),
        [failed(), ok(), unreachable(), stats(rescued=["n11"])],
        INFRASTRUCTURE,
        "is unreachable",
        RC_4,
    ),
    Case(
        "a node that is crashed does not answer",
        crash(),
        [proved(), unreachable(), stats()],
        PASS,
        outcome=RC_4,
    ),
    Case(
        "another node than the crashed one does not answer",
        crash(),
        [proved(), unreachable("n12"), stats()],
        INFRASTRUCTURE,
        "n12: 'Act' is unreachable",
        RC_4,
    ),
    Case(
        "the first node decides, not those that only followed it",
        step(hosts=("n11", "n12")),
        [failed("n11", "another node of the play failed"), failed("n12", "the root"), stats()],
        INFRASTRUCTURE,
        "n12: 'Act' failed: the root",
        RC_2,
    ),
    Case(
        "all of them only followed",
        step(),
        [failed("n11", "another node of the play failed"), stats()],
        INFRASTRUCTURE,
        "another node",
        RC_2,
    ),
    Case(
        "an error of the engine's newer kinds",
        step(),
        [event(Kind.ASYNC_FAILED, "n11", res={"msg": "lost"}), stats()],
        INFRASTRUCTURE,
        "lost",
        RC_2,
    ),
    Case("AWX's own kind", step(), [event(Kind.ERROR, "n11", res={"msg": "lost"}), stats()], INFRASTRUCTURE),
]

PROOFS = [
    Case("a crash that is proved", crash(), [proved(), stats()], PASS),
    Case(
        "a crash that nothing proves",
        crash(),
        [ok(), stats()],
        UNPROVED,
        "nothing proves what was done to n11",
    ),
    Case("a crash that was awaited in vain", crash(), [not_proved(), stats()], UNPROVED, "not proved", RC_2),
    Case(
        "a crash after which the node is unreachable for ever",
        crash(),
        [unreachable(), stats()],
        UNPROVED,
        "nothing proves",
        RC_4,
    ),
    Case(
        "a proof that says no, in a task that did not fail",
        crash(),
        [proved(truth=False), stats()],
        UNPROVED,
        "nothing proves",
    ),
    Case("true, but not True", crash(), [proved(truth="yes"), stats()], UNPROVED, "nothing proves"),
    Case(
        "one act of two is proved",
        crash(),
        [proved(), proved(act="return", truth=False), stats()],
        UNPROVED,
        "nothing proves",
    ),
    Case("only that it settled", crash(), [proved(act="settled"), stats()], UNPROVED, "nothing proves"),
    Case(
        "proved, though it did not settle",
        start(),
        [proved(act="on"), proved(act="settled", truth=False), stats()],
        PASS,
    ),
    Case("a proof of another node", crash(), [ok(), proved("n12"), stats()], UNPROVED, "nothing proves"),
    Case("a start that nothing proves", start(), [ok(), stats()], INFRASTRUCTURE, "nothing proves"),
    Case(
        "a start that was awaited in vain",
        start(),
        [not_proved(act="on"), stats()],
        INFRASTRUCTURE,
        "not proved",
    ),
    Case(
        "one node of two is proved",
        start(hosts=("n11", "n12")),
        [proved("n11", act="on"), ok("n12"), stats()],
        INFRASTRUCTURE,
        "nothing proves what was done to n12",
    ),
    Case(
        "a proof of a host that owes none is an ordinary failure",
        step(),
        [not_proved(), stats()],
        INFRASTRUCTURE,
        "not proved",
        RC_2,
    ),
    Case("a proof that cannot be read", crash(), [ok(e2e_proof="yes"), stats()], UNPROVED, "nothing proves"),
]

ENDINGS = [
    Case("a bad end that nothing explains", step(), [ok(), stats()], HARNESS, "status 2", RC_2),
    Case(
        "a bad end that Ansible explains",
        step(),
        [event(Kind.ERROR_MESSAGE, stdout=" the playbook is not valid \n"), ok(), stats()],
        HARNESS,
        "the playbook is not valid",
        Outcome(ended=Ended.COMPLETED, rc=4),
    ),
    Case(
        "a bad end that a full disk explains",
        step(),
        [event(Kind.VERBOSE, stdout="\x1b[0;31m[ERROR]: No space left on device"), ok(), stats()],
        INFRASTRUCTURE,
        "No space left",
        Outcome(ended=Ended.COMPLETED, rc=250),
    ),
    Case(
        "an end without status", step(), [ok(), stats()], HARNESS, "status None", _ends(Ended.COMPLETED, "")
    ),
    Case(
        "another status than that of failed hosts",
        crash(),
        [proved(), unreachable(), stats()],
        HARNESS,
        "status 1",
        Outcome(ended=Ended.COMPLETED, rc=1),
    ),
    Case("no recap", step(), [ok()], HARNESS, "the playbook did not run to its end"),
    Case(
        "no host matched",
        step(),
        [event(Kind.NO_HOSTS_MATCHED), event(Kind.WARNING, stdout="no inventory"), stats()],
        HARNESS,
        "no inventory",
    ),
    Case("no host left", step(), [ok(), event(Kind.NO_HOSTS), stats()], HARNESS, "did not run to its end"),
    Case(
        "nothing was run on one host",
        step(hosts=("n11", "n12", "n13")),
        [ok("n12"), stats()],
        HARNESS,
        "nothing was run on n11, n13",
    ),
    Case("a host that skipped everything was looked at", step(), [event(Kind.SKIPPED, "n11"), stats()], PASS),
    Case(
        "words that are no error",
        step(),
        [event(Kind.VERBOSE, stdout="Using ansible.cfg"), ok(), stats()],
        PASS,
    ),
]


@pytest.mark.parametrize("case", [*ENDS, *FAILURES, *PROOFS, *ENDINGS], ids=lambda case: case.name)
def test_rule(case: Case) -> None:
    result = judged(case.step, case.events, case.outcome)
    assert (result.verdict, result.cause) == case.verdict
    assert case.says in (result.error or "")


def test_killed_in_the_middle() -> None:
    result = judged(step(), [ok(), stats()], AttemptRecord(number=1, started=1.0))
    assert (result.verdict, result.cause) == (Verdict.UNKNOWN, Cause.HARNESS)
    assert result.error == "the run was killed in this step"


def test_an_earlier_rule_decides() -> None:
    late = Outcome(ended=Ended.TIMEOUT, rc=2, message="not done after 60 s")
    assert judged(crash(), [failed()], late).error == "not done after 60 s"
    both = [ok(), failed("n11", "it broke"), stats(failures=["n11"])]
    assert "it broke" in (judged(crash(), both, RC_2).error or "")


# checks

TWO = ("n11", "n12")
BOTH = [observed("n11"), observed("n12"), stats()]
ONE_OFF = [observed("n11"), observed("n12", **OFF), stats()]
ONE_SILENT = [observed("n11"), observed("n12", **SILENT), stats()]


def test_checks_that_hold() -> None:
    result = judged(validate("cluster_status", "all_nodes_running", hosts=TWO), BOTH)
    assert (result.verdict, result.cause, result.error) == (*PASS, None)
    assert [(check.check, check.passed) for check in result.checks] == [
        ("cluster_status", True),
        ("all_nodes_running", True),
    ]
    assert result.observation is not None
    assert [node.node for node in result.observation.nodes] == ["n11", "n12"]


def test_nodes_are_judged_in_the_order_of_the_plan() -> None:
    planned = validate("all_nodes_running", hosts=TWO)
    one, other = judged(planned, BOTH), judged(planned, [*reversed(BOTH[:2]), stats()])
    assert one == other or one.observation == other.observation
    assert one.checks == other.checks


def test_a_check_that_does_not_hold_is_the_product() -> None:
    result = judged(validate("database_running", "all_nodes_running", hosts=TWO), ONE_OFF)
    assert (result.verdict, result.cause) == PRODUCT
    assert result.error == "\n".join(f"{check.check}: {check.message}" for check in result.checks)


def test_allowed_failures_are_recorded_and_decide_nothing() -> None:
    planned = validate("node_status:n11", hosts=TWO, allow=["all_nodes_running"])
    result = judged(planned, ONE_OFF)
    assert (result.verdict, result.cause) == PASS
    recorded = {check.check: (check.passed, check.allow_failure) for check in result.checks}
    assert recorded == {"node_status:n11": (True, False), "all_nodes_running": (False, True)}


def test_a_check_that_is_asked_for_and_allowed_to_fail_is_held_once() -> None:
    planned = validate("all_nodes_running", hosts=TWO, allow=["all_nodes_running"])
    result = judged(planned, ONE_OFF)
    assert result.verdict is Verdict.PASS
    assert len(result.checks) == 1


def test_an_undecided_check_is_unknown_and_nobody_elses_fault() -> None:
    result = judged(validate("data_integrity", hosts=TWO), BOTH)
    assert (result.verdict, result.cause) == UNPROVED
    assert "no row was acknowledged" in (result.error or "")


def test_acknowledged_rows_are_what_integrity_is_held_against() -> None:
    planned = validate("data_integrity", hosts=TWO)
    assert judged(planned, BOTH, attempt(acknowledged=((1, 9),))).verdict is Verdict.PASS
    lost = judged(planned, BOTH, attempt(acknowledged=((1, 12),)))
    assert (lost.verdict, lost.cause) == PRODUCT
    assert "10-12" in (lost.error or "")


def test_a_failed_check_speaks_before_an_undecided_one() -> None:
    result = judged(validate("data_integrity", "all_nodes_running", hosts=TWO), ONE_OFF)
    assert (result.verdict, result.cause) == PRODUCT


def test_a_check_without_arguments_it_needs_is_undecided() -> None:
    result = judged(validate("node_status", "no_such_check", hosts=TWO), BOTH)
    assert result.verdict is Verdict.UNKNOWN
    assert [check.passed for check in result.checks] == [None, None]


@pytest.mark.parametrize("checks", [["node_status:n11"], []], ids=["a check of the other node", "no check"])
def test_a_node_that_nobody_looked_at_is_never_a_pass(checks: list[str]) -> None:
    planned = validate(*checks, hosts=("n11",))
    result = judged(planned, [observed("n11"), stats()], nodes=TWO)
    assert (result.verdict, result.cause) == (Verdict.UNKNOWN, Cause.HARNESS)
    assert result.error == "there is no observation of n12"


def test_an_observation_that_cannot_be_read_is_none() -> None:
    result = judged(validate("cluster_status"), [ok(observation={"node": "n11"}), stats()])
    assert (result.verdict, result.cause) == (Verdict.UNKNOWN, Cause.HARNESS)
    assert "the observation cannot be read" in result.facts.messages[0]


def test_the_last_look_at_a_node_counts() -> None:
    events = [observed("n11", **OFF), observed("n11"), stats()]
    assert judged(validate("all_nodes_running"), events).verdict is Verdict.PASS


RECORDED = {
    "holds": (CustomOutcome(passed=True, message="fine"), PASS),
    "fails": (CustomOutcome(passed=False, message="bad"), PRODUCT),
    "fails, machines": (CustomOutcome(passed=False, message="bad", infrastructure=True), INFRASTRUCTURE),
    "undecided": (CustomOutcome(passed=None, message="?", infrastructure=True), UNPROVED),
    "fails, allowed": (CustomOutcome(passed=False, message="bad", allow_failure=True), PASS),
}


@pytest.mark.parametrize(("outcome", "verdict"), RECORDED.values(), ids=RECORDED)
def test_what_a_foreign_check_said_is_taken_from_the_record(
    outcome: CustomOutcome, verdict: tuple[Verdict, Cause | None]
) -> None:
    result = judged(validate("of_someone"), [observed(), stats()], attempt(custom={"of_someone": outcome}))
    assert (result.verdict, result.cause) == verdict
    assert result.checks[0].message == outcome.message


def test_a_foreign_check_without_record_is_undecided_even_where_its_code_is() -> None:
    with isolated():
        validation_registry.register("of_someone", "mine", lambda context: True, allow_failure=False)
        validation_registry.register("of_no_weight", "mine", lambda context: True, allow_failure=True)
        result = judged(validate("of_someone", "of_no_weight"), [observed(), stats()])
    assert result.verdict is Verdict.UNKNOWN
    assert [(check.passed, check.allow_failure) for check in result.checks] == [(None, False), (None, True)]


# what must hold for any sequence of events

HOSTS = st.sampled_from(TWO)
EVENTS: dict[str, Callable[[str], Event]] = {
    "ok": ok,
    "failed": failed,
    "unreachable": unreachable,
    "ignored": lambda host: failed(host, "ignored", ignore_errors=True),
    "not proved": not_proved,
    "proof that says no": lambda host: proved(host, truth=False),
    "settled": lambda host: proved(host, act="settled"),
    "observed": observed,
    "skipped": lambda host: event(Kind.SKIPPED, host),
    "began": lambda host: event(Kind.HOST_START, host, task="Act"),
    "recap": lambda host: stats(rescued=[host]),
    "recap with failures": lambda host: stats(failures=[host]),
    "no hosts": lambda host: event(Kind.NO_HOSTS),
    "words": lambda host: event(Kind.VERBOSE, stdout="ERROR! no"),
}
UNPROVING = st.builds(lambda name, host: EVENTS[name](host), st.sampled_from(sorted(EVENTS)), HOSTS)
OUTCOMES = st.builds(
    Outcome, ended=st.sampled_from(Ended), rc=st.sampled_from([None, 0, 1, 2, 4]), message=st.just("")
)


@given(st.lists(UNPROVING, max_size=12), OUTCOMES)
def test_no_events_without_a_proof_pass_a_crash(events: list[Event], outcome: Outcome) -> None:
    assert judged(crash(), [*events, stats()], outcome).verdict is not Verdict.PASS
    assert judged(start(hosts=TWO), [proved("n11"), *events, stats()], outcome).verdict is not Verdict.PASS


@given(st.lists(UNPROVING | st.builds(proved, HOSTS), max_size=12), OUTCOMES)
def test_a_pass_has_a_proof_of_each_host_and_a_good_end(events: list[Event], outcome: Outcome) -> None:
    planned = start(hosts=TWO)
    result = judged(planned, events, outcome)
    if result.verdict is Verdict.PASS:
        assert outcome.ended is Ended.COMPLETED
        assert {proof.host for proof in result.facts.proofs if proof.proved and proof.act == "crash"} == {
            *TWO
        }
        assert result.facts.finished
    assert (result.verdict is Verdict.PASS) == (result.cause is None) == (result.error is None)


@given(st.lists(UNPROVING | st.builds(proved, HOSTS), max_size=12), OUTCOMES)
def test_judging_is_repeatable(events: list[Event], outcome: Outcome) -> None:
    for planned in (crash(), validate("all_nodes_running", "data_integrity", hosts=TWO), command()):
        assert judged(planned, events, outcome) == judged(planned, events, outcome)
