"""Faults in the judge: chosen nodes must prove, what is left open is a failure of the clean-up."""

from __future__ import annotations

from typing import Any

import pytest
from judge_events import failed, journal_of_step, journal_of_test, ok, plan, stats, step

from e2e_ansible.engine.event import Event
from e2e_ansible.judge.cause import cause_of
from e2e_ansible.judge.entry import FaultsHealed, TestEnded
from e2e_ansible.judge.record import records
from e2e_ansible.judge.result import Failure
from e2e_ansible.judge.test import judge_test
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.verdict import Cause, Verdict

CHOSEN = step(1, ("n11", "n12"), type="fault", judgement=Judgement(chooses=True))
CHOICE: dict[str, Any] = {"act": "chosen", "proved": True, "how": "primary: n12"}
PROOF: dict[str, Any] = {"act": "fault kill", "proved": True, "how": "process 7 has ended"}
PROVED = ok("n12", e2e_proof=PROOF)
CHOICE_MADE = ok("n11", e2e_targets=["n12"], e2e_proof=CHOICE)


def judged(*events: Event, healed: FaultsHealed | None = None) -> tuple[Verdict, Cause | None, str]:
    entries = journal_of_test(journal_of_step(CHOSEN))
    if healed is not None:
        place = next(index for index, entry in enumerate(entries) if entry.kind == "clean_up_ended")
        entries.insert(place, healed)
    assert isinstance(entries[-1], TestEnded)
    result = judge_test(plan(CHOSEN), records(entries), {(CHOSEN.id, 1): (*events, stats())})
    return result.verdict, result.cause, result.error or ""


def test_the_chosen_node_has_to_prove_and_no_other() -> None:
    assert judged(CHOICE_MADE, ok("n11"), PROVED)[:2] == (Verdict.PASS, None)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ((CHOICE_MADE, ok("n12")), "nothing proves what was done to n12"),
        ((CHOICE_MADE, ok("n11", e2e_proof=PROOF), ok("n12")), "nothing proves what was done to n12"),
        ((ok("n11"), PROVED), "nothing tells which nodes were chosen"),
        (
            (ok("n12", e2e_targets=["n12"], e2e_proof=CHOICE), ok("n11")),
            "nothing proves what was done to n12",
        ),
    ],
)
def test_without_the_proof_of_a_chosen_node_it_is_unknown(events: tuple[Event, ...], why: str) -> None:
    verdict, cause, error = judged(*events)
    assert (verdict, cause) == (Verdict.UNKNOWN, Cause.INFRASTRUCTURE)
    assert why in error


def test_what_may_still_be_there_spoils_a_pass() -> None:
    left = FaultsHealed(at=80.0, ok=False, message="cut on n12 may still be there")
    assert judged(CHOICE_MADE, ok("n11"), PROVED, healed=left) == (Verdict.FAIL, Cause.CLEAN_UP, left.message)


def test_what_was_healed_spoils_nothing() -> None:
    done = FaultsHealed(at=80.0, ok=True, message="cut on n12 was healed")
    assert judged(CHOICE_MADE, ok("n11"), PROVED, healed=done)[0] is Verdict.PASS


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("not healed: cut on n12: connection refused", Cause.CLEAN_UP),
        ("refused: n12 has the machine id of the controller", Cause.HARNESS),
        ("no node is a replica", Cause.INFRASTRUCTURE),
    ],
)
def test_whose_trouble_a_failed_fault_is(message: str, cause: Cause) -> None:
    failure = Failure(host="n12", task="Heal", message=message, kind="failed", role="fault", action="fault")
    assert cause_of(failure, Cause.INFRASTRUCTURE) is cause


def test_a_failed_task_with_a_proof_of_a_chosen_node_is_unproved() -> None:
    bad = failed("n12", "no effect", result={"e2e_proof": {**PROOF, "proved": False}})
    verdict, cause, error = judged(CHOICE_MADE, ok("n11"), bad)
    assert (verdict, cause) == (Verdict.UNKNOWN, Cause.INFRASTRUCTURE)
    assert "no effect" in error
