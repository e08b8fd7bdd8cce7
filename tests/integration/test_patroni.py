"""Patroni on real nodes: the shipped suite with what breaks a cluster in between, and every check that must see it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_runs import a_desk, traces
from role_nodes import REPOSITORY

from e2e_ansible.judge.result import CheckResult, RunResult

pytestmark = pytest.mark.nodes
SUITE = REPOSITORY / "suites/patroni.yaml"
ALL = [
    "cluster_status",
    "cluster_degraded",
    "cluster_critical",
    "patroni_healthy",
    "patroni_leader",
    "patroni_leader:n12",
]


def on(node: str, name: str, command: str) -> dict[str, Any]:
    return {
        "step": "custom_command",
        "name": name,
        "target_node": node,
        "shell": True,
        "custom_command": [command],
    }


def look(name: str, *must: str) -> dict[str, Any]:
    """A step that must see `must`, within a minute, and tells what every other check says."""
    others = [check for check in ALL if check not in must]
    retry = {"max_attempts": 60, "delay_seconds": 0.3}
    return {"step": "validate", "name": name, "checks": list(must), "allow_failures": others, "retry": retry}


def broken_suite() -> dict[str, Any]:
    """The shipped suite; paused before the crash, and etcd without a quorum at the end."""
    suite: dict[str, Any] = yaml.safe_load(SUITE.read_text())
    steps = suite["test_suites"]["patroni"]["workflow"]
    crash = next(index for index, step in enumerate(steps) if step["step"] == "crash_node")
    patronictl = "patronictl -c /etc/patroni/config.yml"
    paused = [
        on("n12", "pause", f"{patronictl} pause --wait"),
        look("paused", "cluster_degraded"),
        on("n12", "resume", f"{patronictl} resume --wait"),
        look("resumed", "patroni_healthy"),
    ]
    quorum = [
        on("n12", "stop-etcd-n12", "systemctl stop etcd"),
        on("n13", "stop-etcd-n13", "systemctl stop etcd"),
        look("no-quorum", "cluster_critical"),
        on("n12", "start-etcd-n12", "systemctl start etcd"),
        look("quorum", "cluster_degraded", "patroni_leader"),
        on("n13", "start-etcd-n13", "systemctl start etcd"),
        look("whole", "cluster_status", "patroni_healthy", "patroni_leader"),
    ]
    steps[crash:crash] = paused
    steps[-1:-1] = quorum
    return suite


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunResult, Path]]:
    with a_desk(tmp_path_factory.mktemp("patroni")) as desk:
        (desk.folder / "patroni.json").write_text(json.dumps(broken_suite()))
        done = desk.call("run", "patroni.json", seconds=600)
        assert done.code == 0, done.said
        yield desk.result(), desk.newest()


def outcomes(ran: tuple[RunResult, Path], name: str) -> dict[str, CheckResult]:
    """What each check said last in a step."""
    (step,) = (step for step in ran[0].tests[0].workflow_steps if step.id.partition("-")[2] == name)
    assert step.verdict == "pass", step.error
    return {result.check: result for result in step.validation_results}


def red(found: dict[str, CheckResult]) -> set[str]:
    return {name for name, result in found.items() if result.passed is False}


def leader(found: dict[str, CheckResult]) -> tuple[str, int]:
    """Who leads, and on which timeline."""
    told = re.match(r"(n\d+) leads on timeline (\d+)", found["patroni_leader"].message)
    assert told, found["patroni_leader"].message
    return told[1], int(told[2])


def test_the_suite_passes_and_leaves_nothing(ran: tuple[RunResult, Path]) -> None:
    (test,) = ran[0].tests
    print({step.id: round(step.duration, 1) for step in test.workflow_steps}, round(test.duration))
    assert (test.verdict, test.cause) == ("pass", None)
    assert traces(ran[1]) == []


def test_another_node_leads_on_a_later_timeline(ran: tuple[RunResult, Path]) -> None:
    first, begun = leader(outcomes(ran, "resumed"))
    second, later = leader(outcomes(ran, "failover"))
    assert first == "n11"
    assert second in ("n12", "n13")
    assert later == begun + 1
    healed = outcomes(ran, "healed")
    assert leader(healed) == (second, later)
    assert f"n11 replica on timeline {later}" in healed["patroni_healthy"].message
    assert "acknowledged rows" in healed["data_integrity"].message


def test_checks_are_red_while_the_leader_is_gone(ran: tuple[RunResult, Path]) -> None:
    outage = outcomes(ran, "outage")
    assert {"cluster_status", "patroni_healthy", "database_running"} <= red(outage)
    assert "n11 (power off) does not run" in outage["cluster_status"].message
    assert outcomes(ran, "failover")["cluster_degraded"].attempts > 1


def test_the_client_saw_the_outage_and_lost_nothing(ran: tuple[RunResult, Path]) -> None:
    (test,) = ran[0].tests
    (app,) = (client for client in test.clients if client.name == "app")
    (crash,) = (fault for fault in app.faults if fault.kind == "crash_node")
    window = next(each for each in app.outages if each.kind == "writes" and crash.fault in each.faults)
    print(f"writes were away for {window.seconds:.1f} s, {app.acknowledged} acknowledged rows")
    told = outcomes(ran, "served")
    assert f"writes were away for {window.seconds:.3f} s" in told["outage_writes:60:app"].message
    assert f"timeline {leader(outcomes(ran, 'failover'))[1]}" in window.ended_by
    assert crash.injected <= window.start + 1
    assert crash.healed is not None
    assert window.end is not None
    assert window.end < crash.healed
    assert (app.lost_count, app.resurrected_count) == (0, 0)
    assert not app.findings


def test_a_pause_is_told(ran: tuple[RunResult, Path]) -> None:
    paused = outcomes(ran, "paused")
    assert red(paused) == {"cluster_status", "cluster_critical", "patroni_healthy", "patroni_leader:n12"}
    assert "Patroni is paused" in paused["patroni_healthy"].message
    assert "Patroni's leader is n11, not n12" in paused["patroni_leader:n12"].message


def test_an_etcd_without_quorum_is_told(ran: tuple[RunResult, Path]) -> None:
    lost = outcomes(ran, "no-quorum")
    assert red(lost) >= {"cluster_status", "cluster_degraded", "patroni_healthy", "patroni_leader"}
    for node in ("n11", "n12", "n13"):
        assert f"etcd on {node} is not healthy" in lost["cluster_status"].message
    back = outcomes(ran, "quorum")
    assert red(back) >= {"cluster_status", "patroni_healthy"}
    assert "etcd on n13 is not healthy: no answer" in back["patroni_healthy"].message
