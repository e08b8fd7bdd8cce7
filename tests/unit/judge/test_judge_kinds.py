"""Every kind of event that Ansible can emit, after a step and before its statistics: what each does to the verdict."""

from __future__ import annotations

from typing import Any

import pytest
from judge_events import command, event, journal_of_step, journal_of_test, ok, plan, stats

from e2e_ansible.engine.event import Kind
from e2e_ansible.judge.record import records
from e2e_ansible.judge.test import judge_test

PLAN = plan(command(1))
STEP = PLAN.steps[0]
RESULT: dict[str, Any] = {"task": "Act", "play": "Play", "duration": 0.5, "res": {"msg": "it broke", "rc": 1}}
PASS, PRODUCT, HARNESS = ("pass", None), ("fail", "product"), ("fail", "harness")
INFRASTRUCTURE = ("fail", "infrastructure")
#: All others say nothing about the verdict.
DECIDES = {
    Kind.FAILED: PRODUCT,
    Kind.ERROR: PRODUCT,
    Kind.ASYNC_FAILED: PRODUCT,
    Kind.UNREACHABLE: INFRASTRUCTURE,
    Kind.NO_HOSTS: HARNESS,
    Kind.NO_HOSTS_MATCHED: HARNESS,
}


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_of_event_has_its_verdict_and_cause(kind: Kind) -> None:
    more = stats() if kind is Kind.STATS else event(kind, host="n11", stdout="said", **RESULT)
    record = records(journal_of_test(journal_of_step(STEP, at=1.0)))
    result = judge_test(PLAN, record, {(STEP.id, 1): (ok("n11"), more, stats())})
    assert (result.verdict, result.cause) == DECIDES.get(kind, PASS), result.error


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.STATS])
def test_no_kind_of_event_stands_for_the_end_of_a_playbook(kind: Kind) -> None:
    record = records(journal_of_test(journal_of_step(STEP, at=1.0)))
    last = event(kind, host="n11", stdout="said", **RESULT)
    result = judge_test(PLAN, record, {(STEP.id, 1): (ok("n11"), last)})
    assert not result.success
