"""The suite `patroni-vm` on three virtual machines: a kernel that crashes, a power that is cut, and who leads after it.

The file has a name that only `make test-vm` asks for: three emulated machines take two processors for minutes.
Nothing in it depends on how fast they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from libvirt_daemon import libvirt_daemon, virsh
from real_runs import Desk, a_desk
from role_nodes import REPOSITORY

from e2e_ansible.faults.ledger import FaultRecord, read
from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.outage import OutageWindow
from e2e_ansible.judge.result import CheckResult, StepResult, TestResult
from e2e_ansible.nodes.observation import NodeObservation, PowerState
from e2e_ansible.providers.libvirt.driver import LibvirtProvider

pytestmark = pytest.mark.nodes

SUITE = REPOSITORY / "suites/patroni-vm.yaml"
NODES = {"n11", "n12", "n13"}
POOL = "e2e-ansible"
_RUN_SECONDS = 7200
_CLIENTS = ("app", "integrity")


@dataclass(frozen=True)
class Ran:
    """The suite after its end."""

    test: TestResult
    folder: Path

    def step(self, name: str) -> StepResult:
        """The step of a name, which has passed."""
        (step,) = (step for step in self.test.workflow_steps if step.id.partition("-")[2] == name)
        assert step.verdict == "pass", f"{step.id}: {step.error}"
        return step

    def said(self, step: str, check: str) -> CheckResult:
        """What a check said last in a step."""
        (found,) = (each for each in self.step(step).validation_results if each.check == check)
        return found

    def leader(self, step: str) -> tuple[str, int]:
        """Who led at the end of a step, and on which timeline."""
        messages = [each.message for each in self.step(step).validation_results]
        (told,) = filter(None, (re.match(r"(n\d+) leads on timeline (\d+)", each) for each in messages))
        return told[1], int(told[2])

    def seen(self, step: str, node: str) -> NodeObservation:
        """A node as the last look of a step saw it."""
        observation = self.step(step).observation
        found = observation.node(node) if observation else None
        assert found is not None
        return found

    def boots(self, step: str) -> dict[str, str]:
        """The boot id of each node that answered."""
        seen = {node: self.seen(step, node).identity for node in NODES}
        return {node: identity.boot_id for node, identity in seen.items() if identity}

    def fault(self, node: str, step: str, fault: str) -> FaultRecord:
        """What the ledger has of a fault."""
        (found,) = (
            each
            for each in read(self.folder / "faults.jsonl")
            if (each.node, each.step.partition("-")[2], each.fault) == (node, step, fault)
        )
        return found

    def client(self, name: str) -> ClientResult:
        """A client by its name."""
        (found,) = (each for each in self.test.clients if each.name == name)
        return found

    def outage(self, client: str, timeline: int) -> OutageWindow:
        """The outage of writes that ended when somebody answered on a new timeline."""
        windows = [each for each in self.client(client).outages if f"timeline {timeline} " in each.ended_by]
        return min((each for each in windows if each.kind == "writes"), key=lambda each: each.start)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with libvirt_daemon(), a_desk(tmp_path_factory.mktemp("patroni")) as desk:
        try:
            done = desk.call("run", str(SUITE), seconds=_RUN_SECONDS)
            (test,) = desk.result().tests
            print(done.out)
            assert done.code == 0, done.said
            yield Ran(test, next(desk.newest().glob("tests/*")))
        finally:
            _remove(desk)


def _remove(desk: Desk) -> None:
    """What a suite that was ended has left."""
    for manifest in desk.runs.glob("*/run.json"):
        for test in json.loads(manifest.read_text())["tests"]:
            LibvirtProvider(desk.home).destroy(test["deployment"])


def test_the_suite_passes_and_leaves_nothing(ran: Ran) -> None:
    print({step.id: round(step.duration, 1) for step in ran.test.workflow_steps}, round(ran.test.duration))
    assert (ran.test.verdict, ran.test.cause) == ("pass", None)
    deployment = ran.test.deployment_id
    assert deployment not in virsh("list", "--all", "--name")
    assert deployment not in virsh("vol-list", POOL)


def test_a_kernel_crashed_and_booted_and_no_other(ran: Ran) -> None:
    crash = ran.fault("n11", "kernel-crash", "crash_node")
    assert crash.effect_proved
    assert "crash by sysrq" in (ran.folder / "events.jsonl").read_text()
    before, after = ran.boots("healthy"), ran.boots("failover")
    assert {node for node in NODES if before[node] != after[node]} == {"n11"}


def test_another_node_leads_after_the_crash_and_the_old_leader_follows(ran: Ran) -> None:
    assert ran.leader("healthy") == ("n11", 1)
    second, timeline = ran.leader("failover")
    assert (second in NODES - {"n11"}, timeline) == (True, 2)
    assert ran.leader("healed") == (second, timeline)
    patroni = ran.seen("healed", "n11").patroni
    assert patroni is not None
    assert (patroni.role, patroni.timeline) == ("replica", timeline)
    assert "n11" in ran.said("failover", "cluster_degraded").message


def test_another_node_leads_after_the_power_was_cut_and_the_machine_comes_back(ran: Ran) -> None:
    second, timeline = ran.leader("healed")
    cut = ran.fault(second, "power-cut", "power_off")
    assert (cut.effect_proved, cut.open) == (True, False)
    assert ran.seen("failover-again", second).power is PowerState.OFF
    third, later = ran.leader("failover-again")
    assert (third != second, later) == (True, timeline + 1)
    assert ran.leader("healed-again") == (third, later)
    before, after = ran.boots("healed"), ran.boots("healed-again")
    assert {node for node in NODES if before[node] != after[node]} == {second}


@pytest.mark.parametrize("client", _CLIENTS)
def test_a_client_saw_both_outages_end_on_a_later_timeline(ran: Ran, client: str) -> None:
    second, timeline = ran.leader("failover")
    faults = ran.fault("n11", "kernel-crash", "crash_node"), ran.fault(second, "power-cut", "power_off")
    windows = [ran.outage(client, timeline), ran.outage(client, timeline + 1)]
    for window, fault in zip(windows, faults, strict=True):
        print(f"{client}: writes were away for {window.seconds:.1f} s; {window.ended_by}")
        assert window.start >= fault.intended
        assert fault.id in window.faults
    first, last = windows
    assert first.end is not None
    assert first.end < last.start


@pytest.mark.parametrize("client", _CLIENTS)
def test_no_acknowledged_row_is_lost_and_one_node_at_a_time_wrote(ran: Ran, client: str) -> None:
    told = ran.client(client)
    print(
        f"{client}: {told.acknowledged} acknowledged, {told.lost_count} lost, {told.unknown} of unknown fate"
    )
    assert told.acknowledged > 0
    assert (told.lost_count, told.resurrected_count, told.findings) == (0, 0, ())
    assert client in ran.said("healed-again", "no_lost_rows").message
    assert "one node at a time" in ran.said("healed-again", "one_writer").message
