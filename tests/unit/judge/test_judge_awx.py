"""The events of a job as AWX gives them are judged by the same code; recorded from AWX 24.6.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from judge_events import DONE, attempt, command, plan

from e2e_ansible.engine.event import Event
from e2e_ansible.engine.fake import load_recording
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.attempt import Judged, judge_attempt
from e2e_ansible.judge.cause import cause_of
from e2e_ansible.judge.result import Failure
from e2e_ansible.verdict import Cause, Verdict

FILE = Path(__file__).parents[2] / "data" / "events" / "awx.jsonl"
HOSTS = ("n11", "n12")
RC_2 = Outcome(ended=Ended.COMPLETED, rc=2)


def raw() -> list[dict[str, Any]]:
    """Job events as the REST API has them."""
    return [json.loads(line) for line in FILE.read_text().splitlines()]


def judged(events: list[dict[str, Any]], outcome: Outcome = DONE) -> Judged:
    planned = command().model_copy(update={"hosts": HOSTS})
    found = [Event.model_validate(event) for event in events]
    return judge_attempt(plan(planned, nodes=HOSTS), planned, attempt(outcome), found)


def test_a_job_that_went_well_is_a_pass() -> None:
    result = judged(raw())
    assert (result.verdict, result.cause, result.error) == (Verdict.PASS, None, None)
    assert result.facts.finished
    assert result.facts.hosts == {*HOSTS}
    timings = [(timing.host, timing.task, timing.status) for timing in result.facts.timings]
    assert timings == [
        ("n11", "r1 : Validating arguments against arg spec 'main' - x", "ok"),
        ("n11", "r1 : dbg", "ok"),
        ("n12", "r1 : dbg", "ok"),
        ("n11", "stats", "ok"),
    ]
    assert all(timing.seconds > 0 for timing in result.facts.timings)


def test_a_file_of_job_events_is_a_recording() -> None:
    events, outcome = load_recording(FILE)
    assert [event.counter for event in events] == [event["counter"] for event in raw()]
    assert outcome == DONE


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("runner_on_failed", Cause.PRODUCT),
        ("runner_on_error", Cause.PRODUCT),
        ("runner_on_unreachable", Cause.INFRASTRUCTURE),
    ],
)
def test_a_job_in_which_a_host_failed_is_none(kind: str, cause: Cause) -> None:
    events = raw()
    (last,) = (
        event for event in events if event["event"] == "runner_on_ok" and event["event_data"]["host"] == "n12"
    )
    last["event"] = kind
    result = judged(events, RC_2)
    assert (result.verdict, result.cause) == (Verdict.FAIL, cause)
    assert result.facts.failures[0].host == "n12"


def test_a_job_without_its_recap_is_no_pass() -> None:
    assert judged(raw()[:-1]).cause is Cause.HARNESS


@pytest.mark.parametrize(
    ("action", "role", "message", "cause"),
    [
        ("join_node", "", "deployment 'd' has no node n11", Cause.INFRASTRUCTURE),
        ("suite_step", "", "there is no step 'crash_nod'", Cause.HARNESS),
        ("hold_checks", "", "there is no check 'x'", Cause.HARNESS),
        ("hold_load", "", "what the load tool said cannot be read: 3 errors", Cause.HARNESS),
        ("assert", "", "refused: this hits 3 hosts", Cause.HARNESS),
        ("assert", "", "it is not so", Cause.PRODUCT),
        ("assert", "postgresql", "refused: this version", Cause.PRODUCT),
    ],
)
def test_what_only_jobs_do_has_its_cause(action: str, role: str, message: str, cause: Cause) -> None:
    failure = Failure(
        host="localhost", task="t", message=message, kind="failed", playbook="p", action=action, role=role
    )
    assert cause_of(failure, Cause.PRODUCT) is cause


def test_a_job_that_nobody_can_tell_of_is_unknown() -> None:
    result = judged(raw(), Outcome(ended=Ended.LOST, rc=None, message="AWX does not answer"))
    assert (result.verdict, result.cause, result.error) == (
        Verdict.UNKNOWN,
        Cause.INFRASTRUCTURE,
        "AWX does not answer",
    )
