"""A test whose class had no time left: where it was, whose time that was, and what its journal tells of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from judge_events import DONE, crash, journal_of_step, journal_of_test, plan, proved, stats, step

from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.entry import Entry, QuotaReleased, QuotaReserved, TimeUp
from e2e_ansible.judge.overtime import over_time
from e2e_ansible.judge.record import TestRecord, records
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.judge.test import judge_test
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.verdict import Cause, Status, Verdict
from tests.unit.load_results import a_step

FAIL = Verdict.FAIL
DEPLOY = step(1, type="deploy", judgement=Judgement(timeout_cause=Cause.INFRASTRUCTURE))
DRIVE = step(2, type="drive", judgement=Judgement(timeout_cause=Cause.PRODUCT))
PLAN = plan(DEPLOY, DRIVE)


def up(where: str = "", used: float = 310.0) -> TimeUp:
    return TimeUp(at=5, time_class="fast", limit=300, used=used, step=where)


def took(index: int, name: str, seconds: float, cause: Cause | None = None) -> StepResult:
    return a_step(name, index, duration=seconds, cause=cause)


def never(index: int, name: str) -> StepResult:
    return a_step(name, index, status=Status.SKIPPED, verdict=None, started=None, ended=None, duration=0.0)


def test_the_step_that_was_ended_gives_the_cause_and_not_the_longest() -> None:
    steps = [took(1, "deploy", 290), took(2, "drive", 20)]
    assert over_time(PLAN, up("02-drive"), steps, "02-drive: not done") == (
        FAIL,
        Cause.PRODUCT,
        "it was to take 300 s at most, as a test of class fast, and was ended after 310.0 s in 02-drive, "
        "which had taken 20.0 s\n02-drive: not done",
    )
    assert over_time(PLAN, up("01-deploy"), [took(1, "deploy", 310)], None)[1] is Cause.INFRASTRUCTURE


@pytest.mark.parametrize(
    ("seconds", "longest", "cause"),
    [((290, 20), "01-deploy", Cause.INFRASTRUCTURE), ((20, 290), "02-drive", Cause.PRODUCT)],
)
def test_between_two_steps_it_is_the_time_of_the_longest(
    seconds: tuple[float, float], longest: str, cause: Cause
) -> None:
    steps = [took(1, "deploy", seconds[0]), took(2, "drive", seconds[1])]
    verdict, found, error = over_time(PLAN, up(), steps, None)
    assert (verdict, found) == (FAIL, cause)
    assert error.endswith(f"and 310.0 s were over between two steps; {longest} took longest, 290.0 s")


@pytest.mark.parametrize(
    ("own", "cause"),
    [(Cause.HARNESS, Cause.HARNESS), (Cause.INTERRUPT, Cause.PRODUCT), (None, Cause.PRODUCT)],
)
def test_a_cause_of_the_steps_own_is_kept_but_for_an_interrupt(own: Cause | None, cause: Cause) -> None:
    assert over_time(PLAN, up("02-drive"), [took(2, "drive", 310, own)], None)[1] is cause


def test_time_that_was_over_before_any_step_is_the_harness() -> None:
    verdict, cause, error = over_time(PLAN, up(), [never(1, "deploy"), never(2, "drive")], None)
    assert (verdict, cause) == (FAIL, Cause.HARNESS)
    assert "310.0 s were over before any step began; not begun: 01-deploy, 02-drive" in error


@pytest.mark.parametrize(("count", "end"), [(5, "05-x"), (6, "05-x and 1 more"), (8, "05-x and 3 more")])
def test_what_did_not_begin_is_named_up_to_five(count: int, end: str) -> None:
    steps = [took(1, "deploy", 310), *(never(index, "x") for index in range(1, count + 1))]
    error = over_time(PLAN, up("01-deploy"), steps, None)[2]
    assert error.partition("; not begun: ")[2] == f"01-x, 02-x, 03-x, 04-x, {end}"


# ---- from a journal


def judged(*entries: Entry, events: Sequence[Event] = (stats(),), time_class: str = "fast") -> TestResult:
    one = crash()
    all_events = {(one.id, 1): events}
    return judge_test(plan(one, time_class=time_class), records(journal_of_test(entries)), all_events)


def test_a_test_that_took_too_long_has_failed_though_each_step_has_passed() -> None:
    passed: list[Entry] = journal_of_step(crash())
    well = judged(*passed, events=[proved(), stats()])
    assert (well.verdict, well.time_class) == (Verdict.PASS, "fast")
    late = judged(*passed, up(), events=[proved(), stats()])
    assert (late.verdict, late.success) == (FAIL, False)
    assert late.workflow_steps[0].verdict is Verdict.PASS
    assert str(late.error).startswith("it was to take 300 s at most")


def test_what_the_step_that_was_ended_says_is_told_too() -> None:
    ended = Outcome(ended=Ended.TIMEOUT, rc=None, message="not done when the time was over")
    late = judged(*journal_of_step(crash(), [ended]), up("01-crash_node"))
    first, second = str(late.error).splitlines()
    assert "was ended after 310.0 s in 01-crash_node" in first
    assert second.startswith("01-crash_node: ")


def ended_between_two_steps(*entries: Entry) -> TestResult:
    one = crash()
    return judge_test(plan(one, DRIVE), records(entries), {(one.id, 1): [proved(), stats()]})


def test_steps_that_had_no_time_left_were_not_killed() -> None:
    late = ended_between_two_steps(*journal_of_test([*journal_of_step(crash()), up()]))
    assert late.verdict is FAIL
    (said,) = str(late.error).splitlines()
    assert "between two steps" in said
    assert said.endswith("not begun: 02-drive")


def test_who_was_killed_after_the_time_was_over_is_told_so() -> None:
    (*entries, _clean_up, _end) = journal_of_test([*journal_of_step(crash()), up()])
    late = ended_between_two_steps(*entries)
    assert (late.verdict, str(late.error).splitlines()[1]) == (FAIL, "the run was killed in its clean-up")


def test_the_first_time_that_it_was_over_counts() -> None:
    record = records([up("01-deploy"), up("", used=900)])
    assert record.time_up is not None
    assert (record.time_up.step, record.time_up.used) == ("01-deploy", 310)
    assert TestRecord().time_up is None


def test_what_was_reserved_is_held_until_it_was_given_back() -> None:
    reserved = QuotaReserved(at=1, nodes=2, millicpus=2000, memory_mb=512, disk_mb=0, waited=3.5)
    assert records([reserved]).quota == reserved
    assert records([reserved, QuotaReleased(at=9)]).quota is None
    again = reserved.model_copy(update={"at": 20.0})
    assert records([reserved, QuotaReleased(at=9), again]).quota == again
    assert records(journal_of_test(journal_of_step(crash(), [DONE]))).quota is None
