"""What a step that is taken up does of a fault or a crash that a run which died had begun: never the act twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.faults.again import Choice, begun, choice, inject_again, keep_choice, verify
from e2e_ansible.faults.base import NodeFacts
from e2e_ansible.faults.hands import Hands
from e2e_ansible.faults.inject import Injection, Order
from e2e_ansible.faults.ledger import VARIABLE, FaultRecord, Line, append, read
from e2e_ansible.nodes.awaiting import Proof, Until, Wait
from e2e_ansible.nodes.resumed import RESUMED

BEFORE = {
    "machine_id": "m" * 32,
    "boot_id": "b",
    "boot_time": 1,
    "kernel": "6.1",
    "pid1_start": 7,
    "pid_namespace": "p",
    "container": "lxc",
}
ORDER = Order(id="01-cut/n11", fault="pause", step="01-cut")
NODE = NodeFacts(name="n11", key="key")


@dataclass
class Node:
    """A node on which every script has the exit status that its text is looked up for."""

    codes: Mapping[str, int]
    ran: list[str] = field(default_factory=list)

    def execute(self, text: str, **more: Any) -> Mapping[str, Any]:
        """Run a script: which one it is shows in words of its own."""
        marks = {
            "kill -STOP": "inject",
            "none of the paused": "effect",
            "kill -CONT": "heal",
            "no process is": "healed",
        }
        name = next((name for mark, name in marks.items() if mark in text), "other")
        self.ran.append(name)
        return {"rc": self.codes.get(name, 0), "stdout": name, "stderr": ""}

    def hands(self) -> Hands:
        """Hands without waiting."""
        clock = iter(range(1000))
        return Hands(
            self.execute, lambda: None, clock=lambda: float(next(clock) * 20), sleep=lambda seconds: None
        )


def record(**more: Any) -> FaultRecord:
    """A fault that was begun."""
    heal = {
        "kind": "shell",
        "key": "key",
        "machine": "m",
        "heal": "kill -CONT",
        "healed": "no process is",
        "seconds": 1,
    }
    return FaultRecord.model_validate(
        {"id": ORDER.id, "fault": "pause", "node": "n11", "heal": heal, "before": BEFORE, **more}
    )


def again(found: FaultRecord | None, node: Node) -> tuple[dict[str, Any], list[Line]]:
    """Inject, and the lines of the ledger."""
    written: list[Line] = []
    return inject_again(found, Injection(ORDER, NODE, BEFORE, written.append), node.hands()), written


def test_a_fault_that_was_not_begun_is_injected() -> None:
    node = Node({})
    result, _ = again(None, node)
    assert result["e2e_proof"]["proved"]
    assert node.ran.count("inject") == 1


def test_a_fault_that_is_there_is_proved_and_not_injected() -> None:
    node = Node({})
    result, written = again(record(), node)
    assert result["e2e_proof"]["proved"]
    assert "inject" not in node.ran
    assert [(line.event, line.proved) for line in written] == [("effect", True)]


def test_half_of_a_fault_is_healed_and_then_it_is_injected() -> None:
    node = Node({"effect": 1})
    result, written = again(record(), node)
    assert [line.event for line in written][:2] == ["healed", "intended"]
    assert node.ran.index("heal") < node.ran.index("inject")
    assert result["failed"], "its effect is still not there"


def test_half_of_a_fault_that_cannot_be_healed_is_told() -> None:
    result, written = again(record(), node := Node({"effect": 1, "healed": 1}))
    assert "not healed" in result["msg"]
    assert "inject" not in node.ran
    assert [line.event for line in written] == ["failed"]


def test_a_fault_that_lasted_and_was_healed_is_not_injected_again() -> None:
    result, written = again(record(healed=9.0, effect_proved=True, message="cut"), node := Node({}))
    assert (node.ran, written) == ([], [])
    assert result["e2e_proof"]["proved"]


# ---- crashes and reboots


def looks(*proved: bool) -> tuple[list[Wait], Any]:
    """Waits as they were asked for, and a way to answer them one after the other."""
    waits: list[Wait] = []
    answers = iter(proved)

    def wait(wanted: Wait) -> Proof:
        waits.append(wanted)
        return Proof(act=wanted.act, proved=next(answers), how="h", before={}, after={}, seconds=0)

    return waits, wait


@pytest.mark.parametrize(
    ("act", "until"), [("crash_node", Until.OFF_OR_REBOOTED), ("reboot_node", Until.REBOOTED)]
)
def test_an_act_is_proved_by_the_boot_in_the_ledger(act: str, until: Until) -> None:
    waits, wait = looks(True)
    found = verify(record(), act, wait, lambda: True, 60)
    assert found["done"]
    assert found["e2e_proof"]["proved"]
    assert [(each.until, each.since) for each in waits] == [(until, ("b", 7))]


@pytest.mark.parametrize(
    ("proved", "answers", "done", "waited"),
    [
        ((False,), [True], False, 1),
        ((False, True), [False], True, 2),
        ((False, False), [False, False], False, 2),
    ],
)
def test_a_node_that_does_not_answer_is_waited_for(
    proved: Sequence[bool], answers: list[bool], done: bool, waited: int
) -> None:
    waits, wait = looks(*proved)
    found = verify(record(), "crash_node", wait, lambda: answers.pop(0), 60)
    assert (found["done"], len(waits)) == (done, waited)
    assert ("e2e_proof" in found) is done


def test_an_act_that_was_not_begun_is_not_looked_for() -> None:
    waits, wait = looks()
    assert not verify(None, "crash_node", wait, lambda: True, 60)["done"]
    assert not verify(record(before=None), "crash_node", wait, lambda: True, 60)["done"]
    assert waits == []


# ---- only when a step is taken up


def test_the_choice_of_nodes_stays_and_only_then(tmp_path: Path) -> None:
    plain = {VARIABLE: str(tmp_path / "faults.jsonl"), "E2E_STEP": "01-cut"}
    keep_choice(plain, Choice(("n12",), ("n12", "n13")))
    keep_choice({**plain, "E2E_STEP": "02-cut"}, Choice(("n11",), ("n11",)))
    assert choice(plain) is None
    assert choice({**plain, RESUMED: "1"}) == Choice(("n12",), ("n12", "n13"))
    assert choice({**plain, RESUMED: "1", "E2E_STEP": "03-cut"}) is None
    assert read(Path(plain[VARIABLE])) == [], "a choice is no fault"


def test_a_record_counts_only_when_a_step_is_taken_up(tmp_path: Path) -> None:
    ledger = tmp_path / "faults.jsonl"
    append(ledger, Line(at=1.0, fault_id="a/n11", event="intended", fault="pause", node="n11"))
    assert begun({}, ledger, "a/n11") is None
    assert begun({RESUMED: "1"}, ledger, "b/n11") is None
    found = begun({RESUMED: "1"}, ledger, "a/n11")
    assert found is not None
    assert found.node == "n11"
