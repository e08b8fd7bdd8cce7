"""Which fault was there last, for those who must have seen it, and when one that nobody heals is over."""

from __future__ import annotations

import pytest

from e2e_ansible.compile.plan import FlowGroup, FlowStep, FlowWait
from e2e_ansible.faults.ledger import FaultRecord
from e2e_ansible.judge.result import GroupResult, Proof, StepResult
from e2e_ansible.judge.timeline import group_results, last_fault, returned
from e2e_ansible.suite.model import SourceRef
from e2e_ansible.verdict import Status


def test_the_last_fault_is_the_one_that_was_proved_last() -> None:
    cut = FaultRecord(id="1", fault="partition", node="n12", intended=1.0, injected=2.0, effect=5.0)
    kill = FaultRecord(id="2", fault="kill", node="n11", intended=3.0, injected=4.0)
    begun = FaultRecord(id="3", fault="crash_node", node="n13", intended=4.5)
    assert last_fault([cut, kill, begun]) == (5.0, "partition on n12")
    assert last_fault([kill, begun]) == (4.5, "crash_node on n13")
    assert last_fault([kill]) == (4.0, "kill on n11")
    assert last_fault([]) is None


CRASH = FaultRecord(id="1", fault="crash_node", node="n11", intended=10.0, injected=10.0, effect=11.0)


def step(ended: float | None, *proofs: tuple[str, str, bool]) -> StepResult:
    made = [Proof(host=host, act=act, proved=proved) for host, act, proved in proofs]
    return StepResult(
        index=1,
        id="01-step",
        step_type="start_node",
        description="",
        source=SourceRef(file="a.yaml", line=1, column=1),
        status=Status.COMPLETED,
        ended=ended,
        proofs=tuple(made),
    )


@pytest.mark.parametrize(
    ("steps", "over"),
    [
        ([step(20.0, ("n11", "on", True))], 20.0),
        ([step(30.0, ("n11", "reboot", True)), step(20.0, ("n11", "on", True))], 20.0),
        ([step(5.0, ("n11", "on", True))], None),
        ([step(20.0, ("n12", "on", True))], None),
        ([step(20.0, ("n11", "on", False))], None),
        ([step(20.0, ("n11", "off", True))], None),
        ([step(None, ("n11", "on", True))], None),
    ],
)
def test_a_crash_is_over_when_a_step_has_proved_the_return(
    steps: list[StepResult], over: float | None
) -> None:
    (found,) = returned([CRASH], steps)
    assert found.healed == over


def test_what_is_healed_by_the_ledger_is_told_by_the_ledger_alone() -> None:
    cut = CRASH.model_copy(update={"heal": {"kind": "shell"}})
    assert returned([cut], [step(20.0, ("n11", "on", True))]) == (cut,)


def test_the_act_of_a_role_is_over_with_the_fault_that_used_it() -> None:
    fault = FaultRecord(id="2-cut/n11", fault="power_off", node="n11", intended=9.0, heal={}, healed=33.0)
    act = CRASH.model_copy(update={"id": "2-cut/n11:crash_node"})
    assert [one.healed for one in returned([fault, act], [])] == [33.0, 33.0]
    assert [one.healed for one in returned([CRASH, fault], [])] == [None, 33.0]


def test_groups_are_told_with_all_steps_in_them_each_before_those_in_it() -> None:
    source = SourceRef(file="a.yaml", line=1, column=1)
    body, end = (FlowStep(step="02-b"),), (FlowStep(step="03-b"),)
    inner = FlowGroup(id="group-2", name="", parallel=True, body=body, final=end, source=source)
    outer = FlowGroup(
        id="group-1-outage",
        name="outage",
        body=(FlowStep(step="01-a"), inner, FlowWait(steps=("01-a",), source=source)),
        rescue=(FlowStep(step="04-c"),),
        final=(FlowStep(step="05-d"), FlowStep(step="06-e")),
        source=source,
    )
    assert list(group_results([FlowStep(step="00-first"), outer])) == [
        GroupResult(
            id="group-1-outage",
            name="outage",
            steps=("01-a", "02-b", "03-b", "04-c", "05-d", "06-e"),
            rescue=("04-c",),
            final=("05-d", "06-e"),
        ),
        GroupResult(id="group-2", name="", depth=1, parallel=True, steps=("02-b", "03-b"), final=("03-b",)),
    ]
