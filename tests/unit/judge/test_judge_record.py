"""A journal as one record."""

from __future__ import annotations

import pytest
from judge_events import DONE

from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.entry import (
    AttemptEnded,
    AttemptStarted,
    CleanUpEnded,
    Entry,
    Evidence,
    FaultsHealed,
    Interrupted,
    Resumed,
    StepEnded,
    StepOmitted,
    StepResumed,
    StepStarted,
    TestEnded,
    TestStarted,
    Trouble,
)
from e2e_ansible.judge.record import TestRecord, records

ENTRIES: list[Entry] = [
    TestStarted(at=1, deployment="case-1", plan_hash="hash"),
    StepStarted(at=2, step="01-look"),
    AttemptStarted(at=3, step="01-look", attempt=1),
    AttemptEnded(at=4, step="01-look", attempt=1, outcome=Outcome(ended=Ended.TIMEOUT, rc=None)),
    AttemptStarted(at=5, step="01-look", attempt=2),
    AttemptEnded(at=6, step="01-look", attempt=2, outcome=DONE),
    Trouble(at=7, message="the writer died", step="01-look"),
    StepEnded(at=8, step="01-look"),
    Trouble(at=9, message="of no step"),
    Trouble(at=9, message="of a step that never began", step="02-other"),
    Interrupted(at=10),
    Evidence(at=11, folder="evidence", message="logs of n11"),
    CleanUpEnded(at=12, ok=True, kept=False, message="removed"),
    TestEnded(at=13),
]


def test_everything_finds_its_place() -> None:
    record = records(ENTRIES)
    assert (record.deployment, record.plan_hash, record.started, record.ended) == ("case-1", "hash", 1, 13)
    look = record.steps["01-look"]
    assert (look.started, look.ended) == (2, 8)
    assert [each.ended and each.ended.outcome.ended for each in look.attempts] == [
        Ended.TIMEOUT,
        Ended.COMPLETED,
    ]
    assert [trouble.message for trouble in look.troubles] == ["the writer died"]
    assert [trouble.message for trouble in record.troubles] == ["of no step", "of a step that never began"]
    assert record.interrupted
    assert [evidence.folder for evidence in record.evidence] == ["evidence"]
    assert record.clean_up is not None
    assert record.clean_up.message == "removed"


@pytest.mark.parametrize("length", range(len(ENTRIES) + 1))
def test_any_beginning_is_a_record(length: int) -> None:
    record = records(ENTRIES[:length])
    assert record.last == (ENTRIES[length - 1].at if length else None)
    assert (record.ended is None) is (length < len(ENTRIES))


def test_nothing_is_an_empty_record() -> None:
    assert records([]) == TestRecord()


@pytest.mark.parametrize("missing", [1, 2])
def test_an_end_without_its_beginning_is_told(missing: int) -> None:
    with pytest.raises(HarnessError, match=r"attempt_(started|ended) at .* not how that began"):
        records([*ENTRIES[:missing], *ENTRIES[missing + 1 :]])


def test_a_step_that_was_left_out_says_why_and_took_no_time() -> None:
    left = records([*ENTRIES[:1], StepOmitted(at=2, step="01-look", reason="look is pass")]).steps["01-look"]
    assert (left.omitted, left.started, left.ended, left.attempts) == ("look is pass", 2, 2, [])


# ---- a run that died and goes on

BEGUN = ENTRIES[:3]
SECOND = AttemptStarted(at=31, step="01-look", attempt=2)


def taken_up(at: float = 30) -> StepResumed:
    return StepResumed(at=at, step="01-look", how="again", reason="it looks only")


def test_the_time_in_which_a_run_was_dead_counts_for_the_steps_under_way() -> None:
    done: list[Entry] = [StepStarted(at=1.5, step="00-first"), StepEnded(at=1.75, step="00-first")]
    record = records([*ENTRIES[:1], *done, *BEGUN[1:], Resumed(at=30, dead=26), Resumed(at=40, dead=9)])
    assert {name: step.dead for name, step in record.steps.items()} == {"00-first": 0, "01-look": 35}
    assert [each.dead for each in record.resumed] == [26, 9]


def test_what_ended_the_run_before_is_over_when_it_goes_on() -> None:
    kept = CleanUpEnded(at=12, ok=False, kept=True, message="a second interrupt")
    dead = [*ENTRIES[:8], Interrupted(at=11), kept, TestEnded(at=13)]
    assert records(dead).interrupted
    record = records([*dead, Resumed(at=30, dead=17)])
    assert (record.interrupted, record.clean_up, record.ended) == (False, None, None)


@pytest.mark.parametrize("left", [True, False])
def test_faults_that_an_interrupt_left_are_healed_again_and_others_stay_healed(left: bool) -> None:
    healed = FaultsHealed(at=11, ok=not left, message="partition on n12", left=left)
    record = records([*ENTRIES[:8], healed, Resumed(at=30, dead=17)])
    assert record.healed == (None if left else healed)


@pytest.mark.parametrize(
    ("clean_up", "over"),
    [
        (CleanUpEnded(at=12, ok=True, kept=False, message="removed"), True),
        (CleanUpEnded(at=12, ok=False, kept=False, message="not removed"), True),
        (CleanUpEnded(at=12, ok=True, kept=True, message="kept on purpose"), True),
        (CleanUpEnded(at=12, ok=False, kept=True, message="left by a second interrupt"), False),
    ],
)
def test_a_test_is_over_when_nothing_is_left_to_do(clean_up: CleanUpEnded, over: bool) -> None:
    assert not records([*ENTRIES[:-2], clean_up]).over
    assert records([*ENTRIES[:-2], clean_up, TestEnded(at=13)]).over is over


def test_an_attempt_that_death_cut_off_decides_nothing_and_a_whole_one_stays() -> None:
    step = records([*BEGUN, Resumed(at=30, dead=26), taken_up(), SECOND]).steps["01-look"]
    assert [(each.number, each.whole, each.cut) for each in step.attempts] == [
        (1, False, True),
        (2, False, False),
    ]
    assert [each.how for each in step.resumed] == ["again"]
    whole = records([*ENTRIES[:4], taken_up()]).steps["01-look"]
    assert [(each.whole, each.cut) for each in whole.attempts] == [(True, False)]


def test_a_step_that_a_second_interrupt_ended_goes_on_and_was_dead_in_between() -> None:
    canceled = AttemptEnded(
        at=4, step="01-look", attempt=1, outcome=Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")
    )
    ended = StepEnded(at=5, step="01-look")
    step = records([*BEGUN, canceled, ended, Resumed(at=30, dead=24), taken_up(31)]).steps["01-look"]
    assert (step.ended, step.dead) == (None, 26)
    assert [(each.whole, each.cut) for each in step.attempts] == [(False, True)]
