"""The steps of a test to the result of the test, and tests to the result of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from judge_events import (
    command,
    failed,
    journal_of_step,
    journal_of_test,
    ok,
    plan,
    stats,
    step,
)

from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.entry import (
    CleanUpEnded,
    Entry,
    Evidence,
    Interrupted,
    TestEnded,
    TestStarted,
    Trouble,
)
from e2e_ansible.judge.record import TestRecord, records
from e2e_ansible.judge.result import LeftOut, TestResult
from e2e_ansible.judge.run import judge_run
from e2e_ansible.judge.test import judge_test
from e2e_ansible.verdict import Cause, Status, Verdict

ONE, TWO = step(1), command(2)
PLAN = plan(ONE, TWO)
GOOD: Mapping[tuple[str, int], Sequence[Event]] = {(each.id, 1): (ok("n11"), stats()) for each in (ONE, TWO)}
BAD = {**GOOD, (TWO.id, 1): (failed(), stats(failures=["n11"]))}
CANCELED = Outcome(ended=Ended.CANCELED, rc=None)
BROKEN = CleanUpEnded(at=90.0, ok=False, kept=False, message="n11 would not go")
KEPT = CleanUpEnded(at=90.0, ok=True, kept=True, message="kept")
ABANDONED = CleanUpEnded(at=90.0, ok=False, kept=True, message="left as it is")
BEGIN = TestStarted(at=0.5, deployment="case-1", plan_hash="hash")
STEPS = [*journal_of_step(ONE, at=1.0), *journal_of_step(TWO, at=4.0)]
WHOLE = journal_of_test(STEPS)
PASS = (Verdict.PASS, None, None)
DISK = Trouble(at=5.0, message="no space", infrastructure=True)
CRASHED = Trouble(at=5.0, message="KeyError: 'x'")

CASES: dict[str, tuple[list[Entry], Mapping[tuple[str, int], Sequence[Event]], tuple[object, ...]]] = {
    "all of it passed": (WHOLE, GOOD, PASS),
    "the nodes were kept": (journal_of_test(STEPS, clean_up=KEPT), GOOD, PASS),
    "a step failed": (
        WHOLE,
        BAD,
        (Verdict.FAIL, Cause.PRODUCT, "02-custom_command: n11: 'Act' failed: it broke"),
    ),
    "the worst step decides, as several may run at once": (
        journal_of_test(journal_of_step(ONE, [CANCELED]), journal_of_step(TWO)),
        BAD,
        (
            Verdict.FAIL,
            Cause.PRODUCT,
            "02-custom_command: n11: 'Act' failed: it broke\nalso 01-step: interrupted",
        ),
    ),
    "the clean-up failed": (
        journal_of_test(STEPS, clean_up=BROKEN),
        GOOD,
        (Verdict.FAIL, Cause.CLEAN_UP, "n11 would not go"),
    ),
    "the clean-up failed after a step": (
        journal_of_test(STEPS, clean_up=BROKEN),
        BAD,
        (
            Verdict.FAIL,
            Cause.PRODUCT,
            "02-custom_command: n11: 'Act' failed: it broke\nclean-up: n11 would not go",
        ),
    ),
    "left as it is after a step": (
        journal_of_test(STEPS, clean_up=ABANDONED),
        BAD,
        (Verdict.FAIL, Cause.PRODUCT, "02-custom_command: n11: 'Act' failed: it broke"),
    ),
    "trouble outside of all steps": (
        journal_of_test(STEPS, [CRASHED, DISK]),
        GOOD,
        (Verdict.FAIL, Cause.HARNESS, "KeyError: 'x'"),
    ),
    "trouble with a disk": (
        journal_of_test(STEPS, [DISK]),
        GOOD,
        (Verdict.FAIL, Cause.INFRASTRUCTURE, "no space"),
    ),
    "a failed step says more than trouble": (
        journal_of_test(STEPS, [DISK]),
        BAD,
        (Verdict.FAIL, Cause.PRODUCT, "02-custom_command: n11: 'Act' failed: it broke"),
    ),
    "interrupted between two steps": (
        journal_of_test(journal_of_step(ONE), [Interrupted(at=4.0)]),
        GOOD,
        (Verdict.UNKNOWN, Cause.INTERRUPT, "interrupted before 02-custom_command"),
    ),
    "interrupted when nothing was left to do": (journal_of_test(STEPS, [Interrupted(at=8.0)]), GOOD, PASS),
    "killed before the first step": (
        [BEGIN],
        GOOD,
        (Verdict.UNKNOWN, Cause.HARNESS, "the run was killed before 01-step"),
    ),
    "killed between two steps": (
        [BEGIN, *journal_of_step(ONE)],
        GOOD,
        (Verdict.UNKNOWN, Cause.HARNESS, "the run was killed before 02-custom_command"),
    ),
    "killed before the clean-up": (
        [BEGIN, *STEPS],
        GOOD,
        (Verdict.UNKNOWN, Cause.HARNESS, "the run was killed in its clean-up"),
    ),
    "killed after the clean-up": (
        WHOLE[:-1],
        GOOD,
        (Verdict.UNKNOWN, Cause.HARNESS, "the run was killed in its clean-up"),
    ),
    "the end without a clean-up": (
        [BEGIN, *STEPS, TestEnded(at=9.0)],
        GOOD,
        (Verdict.UNKNOWN, Cause.HARNESS, "the run was killed in its clean-up"),
    ),
    "the end, though a step never began": (
        journal_of_test(journal_of_step(ONE)),
        GOOD,
        (Verdict.UNKNOWN, Cause.HARNESS, "the run was killed before 02-custom_command"),
    ),
    "trouble when the result was written": (
        [*WHOLE, DISK],
        GOOD,
        (Verdict.FAIL, Cause.INFRASTRUCTURE, "no space"),
    ),
    "nothing at all": ([], GOOD, (Verdict.UNKNOWN, Cause.HARNESS, "the run was killed before 01-step")),
}


@pytest.mark.parametrize(("journal", "events", "expected"), CASES.values(), ids=CASES)
def test_verdict_of_a_test(
    journal: list[Entry],
    events: Mapping[tuple[str, int], Sequence[Event]],
    expected: tuple[Verdict, Cause | None, str | None],
) -> None:
    result = judge_test(PLAN, records(journal), events)
    assert (result.verdict, result.cause, result.error) == expected
    assert result.success is (result.verdict is Verdict.PASS)


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_no_beginning_of_a_journal_is_a_pass(length: int) -> None:
    result = judge_test(PLAN, records(WHOLE[:length]), GOOD)
    assert (result.verdict, result.cause) == (Verdict.UNKNOWN, Cause.HARNESS)


def test_steps_after_the_failed_one_are_skipped() -> None:
    bad = {(ONE.id, 1): (failed(), stats(failures=["n11"]))}
    result = judge_test(PLAN, records(journal_of_test(journal_of_step(ONE))), bad)
    assert [each.status for each in result.workflow_steps] == [Status.FAILED, Status.SKIPPED]


def test_what_a_test_carries() -> None:
    evidence = Evidence(at=8.0, folder="evidence", message="logs of n11")
    record = records(journal_of_test(STEPS, [evidence], clean_up=KEPT))
    result = judge_test(PLAN, record, GOOD, folder="tests/case")
    assert (result.deployment_id, result.plan_hash, result.folder) == ("case-1", "hash", "tests/case")
    assert (result.started, result.ended, result.duration) == (0.5, 91.0, 90.5)
    assert (result.kept, result.clean_up, result.evidence) == (True, "kept", ("evidence",))


def test_a_killed_test_lasted_until_its_last_word() -> None:
    result = judge_test(PLAN, records([BEGIN, *journal_of_step(ONE, at=2.0)]), GOOD)
    assert (result.started, result.ended, result.duration) == (0.5, None, 3.5)
    assert (result.kept, result.clean_up) == (False, "")


def test_a_test_without_its_beginning_took_no_time() -> None:
    for record in (TestRecord(), records(WHOLE[1:])):
        result = judge_test(PLAN, record, GOOD)
        assert (result.started, result.ended, result.duration) == (None, record.ended, 0)


def test_what_is_said_after_the_end_adds_no_time() -> None:
    result = judge_test(PLAN, records([*WHOLE, CRASHED.model_copy(update={"at": 95.0})]), GOOD)
    assert (result.ended, result.duration) == (91.0, 90.5)


def test_nodes_that_were_removed_are_not_kept() -> None:
    result = judge_test(PLAN, records(WHOLE), GOOD)
    assert (result.kept, result.clean_up) == (False, "removed")


# runs


def of(
    verdict: Verdict, cause: Cause | None = None, *, started: float = 1.0, ended: float = 2.0
) -> TestResult:
    """A test with this verdict."""
    return TestResult(
        deployment_id="d",
        name="t",
        provider="local",
        success=verdict is Verdict.PASS,
        verdict=verdict,
        cause=cause,
        started=started,
        ended=ended,
    )


GREEN = of(Verdict.PASS)
RUNS: dict[str, tuple[list[TestResult], list[str], float | None, tuple[Verdict, Cause | None], int]] = {
    "all passed": ([GREEN, GREEN], [], 9.0, (Verdict.PASS, None), 0),
    "one failed": ([GREEN, of(Verdict.FAIL, Cause.CLEAN_UP)], [], 9.0, (Verdict.FAIL, Cause.CLEAN_UP), 6),
    "of two failures the one that is about the product": (
        [of(Verdict.FAIL, Cause.INFRASTRUCTURE), of(Verdict.FAIL, Cause.PRODUCT)],
        [],
        9.0,
        (Verdict.FAIL, Cause.PRODUCT),
        1,
    ),
    "a failure weighs more than what is unknown": (
        [of(Verdict.UNKNOWN, Cause.PRODUCT), of(Verdict.FAIL, Cause.HARNESS)],
        [],
        9.0,
        (Verdict.FAIL, Cause.HARNESS),
        5,
    ),
    "one is unknown": (
        [GREEN, of(Verdict.UNKNOWN, Cause.PRODUCT)],
        [],
        9.0,
        (Verdict.UNKNOWN, Cause.PRODUCT),
        3,
    ),
    "a failure without a cause": ([of(Verdict.FAIL)], [], 9.0, (Verdict.FAIL, Cause.HARNESS), 5),
    "stopped after a failure": (
        [of(Verdict.FAIL, Cause.PRODUCT)],
        ["other"],
        9.0,
        (Verdict.FAIL, Cause.PRODUCT),
        1,
    ),
    "interrupted between two tests": ([GREEN], ["other"], 9.0, (Verdict.UNKNOWN, Cause.INTERRUPT), 130),
    "interrupted before the first test": ([], ["one"], 9.0, (Verdict.UNKNOWN, Cause.INTERRUPT), 130),
    "killed between two tests": ([GREEN], ["other"], None, (Verdict.UNKNOWN, Cause.HARNESS), 3),
    "killed before the first test": ([], ["one"], None, (Verdict.UNKNOWN, Cause.HARNESS), 3),
    "no test at all": ([], [], 9.0, (Verdict.UNKNOWN, Cause.HARNESS), 3),
}


def left(name: str) -> LeftOut:
    return LeftOut(name=name, reason="it was not its turn")


@pytest.mark.parametrize(("tests", "not_run", "ended", "verdict", "code"), RUNS.values(), ids=RUNS)
def test_verdict_of_a_run(
    tests: list[TestResult],
    not_run: list[str],
    ended: float | None,
    verdict: tuple[Verdict, Cause | None],
    code: int,
) -> None:
    result = judge_run(
        "run", "suite.yaml", tests, left_out=[left(name) for name in not_run], started=0.5, ended=ended
    )
    assert (result.verdict, result.cause) == verdict
    assert result.exit_code == code
    assert result.finished is (ended is not None)
    assert result.total_tests == result.passed + result.failed + result.unknown + len(result.not_run)
    assert [each.name for each in result.left_out] == list(result.not_run) == not_run


WEIGHT = [Cause.PRODUCT, Cause.INFRASTRUCTURE, Cause.HARNESS, Cause.CLEAN_UP, Cause.INTERRUPT]


@pytest.mark.parametrize(("more", "less"), [*pairwise(WEIGHT)])
def test_of_tests_with_the_same_verdict_the_weightier_cause_counts(more: Cause, less: Cause) -> None:
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        tests = [of(verdict, less), of(verdict, more), of(verdict, less)]
        assert judge_run("run", "suite.yaml", tests, ended=9.0).cause is more


def test_counts_of_a_run() -> None:
    tests = [GREEN, GREEN, of(Verdict.FAIL, Cause.PRODUCT), of(Verdict.UNKNOWN, Cause.HARNESS)]
    result = judge_run("run", "suite.yaml", tests, left_out=[left("late")], started=0.5, ended=9.0)
    assert (result.passed, result.failed, result.unknown, result.total_tests) == (2, 1, 1, 5)
    assert (result.not_run, result.duration) == (("late",), 8.5)


def test_a_killed_run_lasted_until_the_last_word_of_its_tests() -> None:
    running = of(Verdict.UNKNOWN, Cause.HARNESS, started=7.0).model_copy(update={"ended": None})
    assert judge_run("run", "s", [of(Verdict.PASS, ended=4.0), running], started=1.0).duration == 6.0
    assert judge_run("run", "s", [of(Verdict.PASS, ended=8.0), running], started=1.0).duration == 7.0
    assert judge_run("run", "s", [], left_out=[left("one")], started=1.0).duration == 0.0
    assert judge_run("run", "s", []).duration == 0.0


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    assert judge_run("run", "s", [GREEN], started=5.0, ended=4.0).duration == 0.0
