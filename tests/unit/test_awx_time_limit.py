"""What the times of jobs mean for the time of a test's class."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.api import plan
from e2e_ansible.awx.time_limit import TimeLimit
from e2e_ansible.compile.plan import PlannedStep
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.record import Entry, TimeUp
from e2e_ansible.suite.load import parse_suite

COMMAND = {"step": "custom_command", "custom_command": ["true"]}
FAILED = Outcome(ended=Ended.COMPLETED, rc=2, engine="awx")


def limit(**more: Any) -> tuple[TimeLimit, PlannedStep, PlannedStep, list[Entry]]:
    """With a step that must end in time, and one of a `finally`."""
    body = {"step": "group", "steps": [COMMAND], "finally": [COMMAND]}
    (made,) = plan(parse_suite(json.dumps({"workflow": [body], **more}).encode(), "s.json"))
    written: list[Entry] = []
    found = TimeLimit(made, written.append)
    found.begin(None)
    found.begin(1010.0)
    found.begin(1000.0)
    found.begin(1020.0)
    return found, *made.steps, written


def test_it_counts_from_the_first_of_branches_that_begin_at_once() -> None:
    found, step, final, _ = limit(time_class="fast")
    assert [found.over(step, at) for at in (1001, 1299.9, 1300, 5000)] == [False, False, True, True]
    assert not found.over(final, 5000), "an end runs whatever happened"
    assert not limit()[0].over(step, 5000)


def test_nothing_is_over_before_a_job_has_said_that_it_began() -> None:
    found, step, _, _ = limit(time_class="fast")
    found.begun = None
    assert not found.over(step, 1e9)


@pytest.mark.parametrize(
    ("outcome", "cut", "at", "ended"),
    [
        (FAILED, {"n11": "Install it"}, 1301.0, Ended.TIMEOUT),
        (FAILED, {}, 1301.0, Ended.COMPLETED),
        (FAILED, {"n11": "Install it"}, 1200.0, Ended.COMPLETED),
        (FAILED.model_copy(update={"rc": 0}), {"n11": "x"}, 1301.0, Ended.COMPLETED),
        (Outcome(ended=Ended.TIMEOUT, rc=None, engine="awx"), {}, 1331.0, Ended.TIMEOUT),
        (Outcome(ended=Ended.CANCELED, rc=None, engine="awx"), {"n11": "x"}, 1331.0, Ended.CANCELED),
        (Outcome(ended=Ended.LOST, rc=None, engine="awx"), {"n11": "x"}, 1331.0, Ended.LOST),
    ],
)
def test_only_what_the_time_has_ended_is_told_so(
    outcome: Outcome, cut: dict[str, str], at: float, ended: Ended
) -> None:
    found, step, _, _ = limit(time_class="fast")
    told = found.outcome(outcome, step, at, cut)
    assert told.ended is ended
    words = "not done when the time of class fast, 300 s, was over"
    assert told.message.startswith(words) is (ended is Ended.TIMEOUT)
    if cut and ended is Ended.TIMEOUT:
        assert told.message.endswith("; n11: 'Install it' was under way")


def test_it_is_written_down_once() -> None:
    found, step, _, written = limit(time_class="fast")
    assert "over after 301 s: no other step begins" in found.tell(1301.25, step.id)
    assert found.tell(1400.0) == ""
    (entry,) = written
    assert isinstance(entry, TimeUp)
    assert (entry.time_class, entry.limit, entry.used, entry.step) == ("fast", 300, 301.25, step.id)
    assert found.up
