"""Attempts, troubles and the end of a step to its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from judge_events import (
    DONE,
    OFF,
    command,
    crash,
    failed,
    journal_of_step,
    not_proved,
    observed,
    ok,
    plan,
    proved,
    stats,
    step,
    validate,
)

from e2e_ansible.compile.plan import PlannedStep
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.entry import (
    AttemptEnded,
    AttemptStarted,
    Entry,
    Resumed,
    StepEnded,
    StepResumed,
    Trouble,
)
from e2e_ansible.judge.record import records
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import judge_step, log_path
from e2e_ansible.verdict import Cause, Status, Verdict

LATE = Outcome(ended=Ended.TIMEOUT, rc=None, message="not done after 60 s")
CANCELED = Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")
RC_2 = Outcome(ended=Ended.COMPLETED, rc=2)
PASS = (Status.COMPLETED, Verdict.PASS, None)
GOOD = (ok(), stats())
BAD = (failed(), stats(failures=["n11"]))
WRITER_DIED = Trouble(at=2.5, message="the writer died", step="01-step")
DISK_FULL = Trouble(at=2.5, message="no space", step="01-step", infrastructure=True)


def judged(planned: PlannedStep, journal: Sequence[Entry], *attempts: Sequence[Event]) -> StepResult:
    """The step, with the events of each of its attempts."""
    events = {(planned.id, number): each for number, each in enumerate(attempts, start=1)}
    return judge_step(plan(planned), planned, records(journal).steps.get(planned.id), events)


@dataclass(frozen=True)
class Case:
    name: str
    expected: tuple[Status, Verdict | None, Cause | None]
    outcomes: Sequence[Outcome] = (DONE,)
    events: Sequence[Event] = GOOD
    troubles: Sequence[Trouble] = ()
    cut: int = 0
    says: str | None = None


CASES = [
    Case("it passed", PASS),
    Case(
        "it failed",
        (Status.FAILED, Verdict.FAIL, Cause.INFRASTRUCTURE),
        (RC_2,),
        BAD,
        says="n11: 'Act' failed: it broke",
    ),
    Case(
        "interrupted in its playbook",
        (Status.INTERRUPTED, Verdict.UNKNOWN, Cause.INTERRUPT),
        (CANCELED,),
        says="interrupted",
    ),
    Case(
        "interrupted before its playbook",
        (Status.INTERRUPTED, Verdict.UNKNOWN, Cause.INTERRUPT),
        (),
        says="interrupted before it was run",
    ),
    Case(
        "killed before its playbook",
        (Status.INTERRUPTED, Verdict.UNKNOWN, Cause.HARNESS),
        (),
        cut=1,
        says="the run was killed in this step",
    ),
    Case(
        "killed in its playbook",
        (Status.INTERRUPTED, Verdict.UNKNOWN, Cause.HARNESS),
        cut=2,
        says="the run was killed in this step",
    ),
    Case("killed after its playbook", (Status.INTERRUPTED, Verdict.PASS, None), cut=1),
    Case(
        "trouble spoils a pass",
        (Status.FAILED, Verdict.FAIL, Cause.HARNESS),
        troubles=[WRITER_DIED],
        says="the writer died",
    ),
    Case(
        "trouble with machines spoils a pass",
        (Status.FAILED, Verdict.FAIL, Cause.INFRASTRUCTURE),
        troubles=[DISK_FULL, WRITER_DIED],
        says="no space\nthe writer died",
    ),
    Case(
        "trouble explains what is undecided",
        (Status.FAILED, Verdict.FAIL, Cause.HARNESS),
        (),
        troubles=[WRITER_DIED],
        says="the writer died",
    ),
    Case(
        "trouble takes nothing from a failure",
        (Status.FAILED, Verdict.FAIL, Cause.INFRASTRUCTURE),
        (RC_2,),
        BAD,
        [WRITER_DIED],
        says="n11: 'Act' failed: it broke",
    ),
    Case(
        "trouble, and killed before its playbook",
        (Status.INTERRUPTED, Verdict.FAIL, Cause.HARNESS),
        (),
        troubles=[WRITER_DIED],
        cut=1,
        says="the writer died",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case) -> None:
    planned = step()
    whole = journal_of_step(planned, case.outcomes)
    result = judged(planned, [*whole[: len(whole) - case.cut], *case.troubles], case.events)
    assert (result.status, result.verdict, result.cause) == case.expected
    assert result.error == case.says


def test_a_step_that_never_began_says_only_what_it_would_be() -> None:
    result = judge_step(plan(), step(), None, {("01-step", 1): BAD})
    assert (result.status, result.verdict, result.cause) == (Status.SKIPPED, None, None)
    assert (result.attempts, result.failures, result.started, result.log) == (0, (), None, "")
    assert (result.id, result.hosts, result.playbook) == ("01-step", ("n11",), "plan/playbooks/01-step.yml")
    assert result.source.line == 7


def test_times_and_log_of_a_step() -> None:
    planned = step()
    result = judged(planned, journal_of_step(planned, at=10.0), GOOD)
    assert (result.started, result.ended, result.duration) == (10.0, 12.0, 2.0)
    assert result.log == log_path(planned) == "steps/01-step/ansible.log"
    killed = judged(planned, journal_of_step(planned, at=10.0)[:-1], GOOD)
    assert (killed.started, killed.ended, killed.duration) == (10.0, None, 0.0)


def test_no_attempt_leaves_no_log() -> None:
    planned = step()
    assert judged(planned, journal_of_step(planned, ())).log == ""


def test_failures_come_before_what_is_not_proved() -> None:
    planned = crash()
    result = judged(planned, journal_of_step(planned, [RC_2]), [not_proved(), failed("n12"), stats()])
    assert [(failure.host, failure.message) for failure in result.failures] == [
        ("n12", "it broke"),
        ("n11", "not proved"),
    ]


def test_proofs_and_the_slowest_tasks_are_kept() -> None:
    planned = crash()
    result = judged(planned, journal_of_step(planned), [proved(), stats()])
    assert [(proof.host, proof.act, proof.proved, proof.seconds) for proof in result.proofs] == [
        ("n11", "crash", True, 1.5)
    ]
    assert [(timing.task, timing.seconds) for timing in result.slowest] == [("Act", 0.5)]


def test_output_is_kept_only_where_the_step_asks_for_it() -> None:
    events = [ok(rc=0, stdout="db1"), stats()]
    asks, silent = command(register_as="who"), command()
    kept = judged(asks, journal_of_step(asks), events)
    assert kept.registered == {"stdout": "db1", "stderr": "", "rc": 0}
    assert judged(silent, journal_of_step(silent), events).registered is None


# several looks

HEALTHY = (observed(), stats())
DOWN = (observed(**OFF), stats())
LOOKS: dict[str, tuple[Sequence[Outcome], Sequence[Sequence[Event]], tuple[Verdict, Cause | None], int]] = {
    "at once": ([DONE], [HEALTHY], (Verdict.PASS, None), 1),
    "at last": ([DONE, DONE, DONE], [DOWN, DOWN, HEALTHY], (Verdict.PASS, None), 3),
    "for good since the second look": ([DONE, DONE, DONE], [DOWN, HEALTHY, HEALTHY], (Verdict.PASS, None), 2),
    "not for good before the last": ([DONE, DONE, DONE], [HEALTHY, DOWN, HEALTHY], (Verdict.PASS, None), 3),
    "never": ([DONE, DONE], [DOWN, DOWN], (Verdict.FAIL, Cause.PRODUCT), 2),
    "not any more": ([DONE, DONE], [HEALTHY, DOWN], (Verdict.FAIL, Cause.PRODUCT), 2),
    "no more time for a last look": ([DONE, LATE], [DOWN, ()], (Verdict.FAIL, Cause.PRODUCT), 2),
}


@pytest.mark.parametrize(("outcomes", "events", "verdict", "looks"), LOOKS.values(), ids=LOOKS)
def test_looks(
    outcomes: Sequence[Outcome],
    events: Sequence[Sequence[Event]],
    verdict: tuple[Verdict, Cause | None],
    looks: int,
) -> None:
    planned = validate("all_nodes_running")
    result = judged(planned, journal_of_step(planned, outcomes), *events)
    assert (result.verdict, result.cause) == verdict
    assert result.attempts == len(outcomes)
    assert [(check.check, check.attempts) for check in result.validation_results] == [
        ("all_nodes_running", looks)
    ]


def test_each_check_counts_its_own_looks() -> None:
    stopped = "node_status:n12:stopped"
    planned = validate("all_nodes_running", "node_status:n11", hosts=("n11", "n12"), allow=[stopped])
    one_off = (observed("n11"), observed("n12", **OFF), stats())
    both = (observed("n11"), observed("n12"), stats())
    result = judge_step(
        plan(planned, nodes=("n11", "n12")),
        planned,
        records(journal_of_step(planned, [DONE, DONE])).steps[planned.id],
        {(planned.id, 1): one_off, (planned.id, 2): both},
    )
    found = {check.check: (check.passed, check.attempts) for check in result.validation_results}
    assert found == {"all_nodes_running": (True, 2), "node_status:n11": (True, 1), stopped: (False, 2)}


def test_a_look_cut_short_takes_back_nothing_of_the_one_before() -> None:
    planned = validate("all_nodes_running", "node_status:n11")
    result = judged(planned, journal_of_step(planned, [DONE, LATE]), DOWN, ())
    assert result.observation is not None
    assert [node.power for node in result.observation.nodes] == ["off"]
    assert "all_nodes_running" in (result.error or "")


@pytest.mark.parametrize("outcome", [LATE, CANCELED], ids=["no time", "interrupted"])
def test_the_only_look_decides_even_if_it_is_cut_short(outcome: Outcome) -> None:
    planned = validate("all_nodes_running")
    result = judged(planned, journal_of_step(planned, [outcome]), ())
    assert result.error == outcome.message
    assert (result.validation_results, result.observation) == ((), None)


def test_an_interrupt_of_the_last_look_leaves_the_step_undecided() -> None:
    planned = validate("all_nodes_running")
    result = judged(planned, journal_of_step(planned, [DONE, CANCELED]), DOWN, ())
    assert (result.status, result.verdict, result.cause) == (
        Status.INTERRUPTED,
        Verdict.UNKNOWN,
        Cause.INTERRUPT,
    )


def test_a_kill_in_the_last_look_leaves_the_step_undecided() -> None:
    planned = validate("all_nodes_running")
    result = judged(planned, journal_of_step(planned, [DONE, DONE])[:-2], DOWN, HEALTHY)
    assert (result.verdict, result.cause) == (Verdict.UNKNOWN, Cause.HARNESS)


# ---- a steady state before an experiment


@pytest.mark.parametrize(
    ("outcome", "events", "cause"),
    [(DONE, HEALTHY, None), (CANCELED, (), Cause.INTERRUPT), (DONE, DOWN, Cause.INFRASTRUCTURE)],
    ids=["it held", "interrupted", "it did not hold"],
)
def test_only_a_steady_state_that_did_not_hold_keeps_an_experiment_from_its_beginning(
    outcome: Outcome, events: Sequence[Event], cause: Cause | None
) -> None:
    planned = validate("all_nodes_running", "node_status:n11").model_copy(update={"precondition": True})
    result = judged(planned, journal_of_step(planned, [outcome]), events)
    assert result.cause is cause
    assert ("the experiment did not begin" in (result.error or "")) is (cause is Cause.INFRASTRUCTURE)


# ---- a run that died in a step and goes on


def resumed(planned: PlannedStep, entry: StepResumed, *more: Entry) -> list[Entry]:
    """The run died in the first attempt and was dead for ten seconds."""
    return [*journal_of_step(planned)[:2], Resumed(at=12.0, dead=10.0), entry, *more]


def test_a_step_that_may_not_be_repeated_is_not_known() -> None:
    planned = step()
    entry = StepResumed(at=12.0, step=planned.id, how="never", reason="nobody knows how far it came")
    result = judged(planned, resumed(planned, entry, StepEnded(at=12.5, step=planned.id)), GOOD)
    assert (result.status, result.verdict, result.cause) == (
        Status.FAILED,
        Verdict.UNKNOWN,
        Cause.HARNESS,
    )
    assert result.error == "nobody knows how far it came"
    assert result.resumed.startswith("the run had died in it, and it may not be repeated: nobody knows")


def test_a_step_that_was_played_once_more_is_judged_by_that_alone() -> None:
    planned = step()
    again: list[Entry] = [
        AttemptStarted(at=12.0, step=planned.id, attempt=2),
        AttemptEnded(at=13.0, step=planned.id, attempt=2, outcome=DONE),
        StepEnded(at=14.0, step=planned.id),
    ]
    entry = StepResumed(at=12.0, step=planned.id, how="again")
    result = judged(planned, resumed(planned, entry, *again), BAD, GOOD)
    assert (result.verdict, result.attempts, result.failures) == (Verdict.PASS, 1, ())
    assert (result.duration, result.dead) == (3.0, 10.0)
    assert result.resumed == "the run had died in it, and it was played once more"
