"""A journal as one record."""

from __future__ import annotations

import pytest
from judge_events import DONE

from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.record import (
    AttemptEnded,
    AttemptStarted,
    CleanUpEnded,
    Entry,
    Evidence,
    Interrupted,
    StepEnded,
    StepStarted,
    TestEnded,
    TestRecord,
    TestStarted,
    Trouble,
    records,
)

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
