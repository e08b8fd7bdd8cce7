"""What people do without a run: the playbooks of a plan in their order, and one role on one node."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, deployment_traces, one_test, write_suite
from role_nodes import MADE, REPOSITORY, Cluster, cluster

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.registry import get_provider

pytestmark = pytest.mark.nodes

ON, OFF = PowerState.ON, PowerState.OFF


def shell(command: str, folder: Path, **variables: str) -> tuple[int, str]:
    """A command line as a person types it; its status and all that it said."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plain = {"PATH": path, "PYTHONPATH": str(REPOSITORY), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env={**os.environ, **plain, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


def power(deployment: str) -> dict[str, PowerState]:
    return {node.name: node.power for node in get_provider("local").nodes(deployment)}


# ---- a plan

STEPS: list[dict[str, Any]] = [
    {"step": "init"},
    {"step": "deploy"},
    {"step": "validate", "checks": ["cluster_status", "data_integrity"]},
    {"step": "custom_command", "custom_command": ["hostname"], "target_node": "n12", "register": "who"},
    {"step": "custom_command", "custom_command": ["test", "${steps.who.stdout}", "=", "n12"]},
    {"step": "restart_node", "target_node": "n12"},
    {"step": "stop_node", "target_node": "n12"},
    {"step": "start_node", "target_node": "n12"},
    {"step": "crash_node", "target_node": "n12"},
    {"step": "start_cluster"},
    {"step": "stop_cluster"},
    {"step": "destroy"},
]


@pytest.fixture
def plan(desk: Desk) -> Iterator[tuple[Path, str]]:
    """A plan folder, and the name of a deployment that is removed whatever happens."""
    suite = write_suite(desk.folder / "suite.json", hand=one_test(STEPS, size=2))
    done = desk.call("plan", str(suite), "-o", "plan")
    assert done.code == 0, done.said
    deployment = f"hand-{desk.scratch.name[-8:].replace('_', '-')}"
    MADE.add((default_home(), deployment))
    try:
        yield desk.folder / "plan", deployment
    finally:
        get_provider("local").destroy(deployment)


def by_hand(playbook: Path, deployment: str) -> str:
    """Run a playbook with the very command that its comment says; what it printed."""
    (command,) = re.findall(r"^#   (E2E_DEPLOYMENT=NAME ansible-playbook .*)$", playbook.read_text(), re.M)
    code, said = shell(command.replace("NAME", deployment), playbook.parents[1])
    assert code == 0, said
    return said


def test_the_playbooks_of_a_plan_do_by_hand_what_the_run_does(plan: tuple[Path, str]) -> None:
    folder, deployment = plan
    playbooks = {path.stem: path for path in sorted((folder / "playbooks").glob("*.yml"))}
    said: dict[str, str] = {}
    powers: dict[str, dict[str, PowerState]] = {}
    for name, playbook in playbooks.items():
        if name == "collect-logs":  # has its own place, before the nodes are stopped
            continue
        if name == "05-custom-command":
            assert "# Needs the output of who in registered.json" in playbook.read_text()
            (folder / "registered.json").write_text(
                json.dumps({"e2e_registered": {"who": {"stdout": "n12"}}})
            )
        if name == "11-stop-cluster":
            by_hand(playbooks["collect-logs"], deployment)
        said[name] = by_hand(playbook, deployment)
        powers[name] = power(deployment) if name != "12-destroy" else {}

    assert '"in_recovery": true' in said["03-validate"]
    assert {name: set(seen.values()) for name, seen in powers.items() if OFF in seen.values()} == {
        "07-stop-node": {ON, OFF},
        "09-crash-node": {ON, OFF},
        "11-stop-cluster": {OFF},
    }
    assert powers["01-init"] == dict.fromkeys(("n11", "n12"), PowerState.ABSENT)
    assert (folder / "evidence/n11/journal.txt").stat().st_size > 0
    assert (folder / "evidence/n12/journal.txt").stat().st_size > 0
    assert deployment_traces(deployment) == []


# ---- a role


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(("n11", "n12"), tmp_path_factory.mktemp("inventory")) as nodes:
        yield nodes


@pytest.fixture
def nodes(made: Cluster) -> Cluster:
    """Two nodes that are on, whatever the test before has done."""
    for name, state in power(made.deployment).items():
        if state is OFF:
            made.power(name, Operation.ON)
    return made


def boots(nodes: Cluster) -> dict[str, str]:
    return {name: nodes.ssh(name, "stat -c %Y.%Z /proc/1; hostname") for name in ("n11", "n12")}


def is_off(nodes: Cluster, folder: Path) -> None:
    assert power(nodes.deployment) == {"n11": ON, "n12": OFF}


def has_booted_again(nodes: Cluster, folder: Path) -> None:
    assert power(nodes.deployment) == {"n11": ON, "n12": ON}
    assert float(nodes.ssh("n12", "ps -o etimes= -p 1")) < float(nodes.ssh("n11", "ps -o etimes= -p 1"))


def has_logs(nodes: Cluster, folder: Path) -> None:
    assert sorted(path.name for path in (folder / "logs").iterdir()) == ["n12"]
    assert (folder / "logs/n12/journal.txt").stat().st_size > 0


def takes_writes(nodes: Cluster, folder: Path) -> None:
    assert nodes.sql("n12", "create table by_hand as select 1; select pg_is_in_recovery()") == "f"
    assert nodes.try_ssh("n11", "ls /etc/postgresql/*/main").returncode != 0


def is_as_before(nodes: Cluster, folder: Path) -> None:
    assert power(nodes.deployment) == {"n11": ON, "n12": ON}


Effect = Callable[[Cluster, Path], None]
ACTS: list[tuple[str, str, Effect]] = [
    ("crash_node", "", is_off),
    ("crash_node", "-e crash_node_method=destroy", is_off),
    ("node_power", "-e node_power_operation=off", is_off),
    ("node_power", "-e node_power_operation=hard_off", is_off),
    ("reboot_node", "", has_booted_again),
    ("observe", "", is_as_before),
    ("collect_logs", "-e collect_logs_dest={folder}/logs", has_logs),
    ("postgresql", "-e postgresql_primary=n12", takes_writes),
]


@pytest.mark.parametrize(
    ("role", "options", "effect"), ACTS, ids=[f"{role} {options}".strip() for role, options, _ in ACTS]
)
def test_a_playbook_acts_on_the_one_node_that_it_is_limited_to(
    nodes: Cluster, tmp_path: Path, role: str, options: str, effect: Effect
) -> None:
    command = f"ansible-playbook playbooks/{role}.yml -l n12 {options.format(folder=tmp_path)}"
    code, said = shell(command, REPOSITORY, E2E_DEPLOYMENT=nodes.deployment)
    assert code == 0, said
    assert "n11 " not in said.partition("PLAY RECAP")[2]
    effect(nodes, tmp_path)


@pytest.mark.parametrize("role", ["crash_node", "reboot_node", "node_power"])
def test_a_playbook_that_takes_nodes_away_refuses_all_of_them(nodes: Cluster, role: str) -> None:
    before = boots(nodes)
    for limit in ("", "-l all", "-l n11,n12"):
        command = f"ansible-playbook playbooks/{role}.yml {limit} -e node_power_operation=off"
        code, said = shell(command, REPOSITORY, E2E_DEPLOYMENT=nodes.deployment)
        assert code == 2, said
        assert "refused: this hits 2 hosts" in " ".join(said.split())
    assert boots(nodes) == before


def test_the_command_role_looks_at_a_node_and_crashes_it(nodes: Cluster, desk: Desk) -> None:
    there = ("--on", "n12", "--deployment", nodes.deployment)
    seen = desk.call("role", "observe", *there)
    assert seen.code == 0, seen.said
    assert "node: n12" in seen.out
    assert "reachable: true" in seen.out
    crashed = desk.call("role", "crash_node", *there)
    assert crashed.code == 0, crashed.said
    is_off(nodes, desk.folder)
    away = desk.call("role", "observe", *there)
    assert away.code == 0, away.said
    assert "power: 'off'" in away.out
    assert "reachable: false" in away.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("crash_nod", "--on", "n12"), "there is no role named 'crash_nod' hint: did you mean 'crash_node'?"),
        (("crash_node", "--on", "n99"), "n99"),
        (("crash_node", "--on", "all"), "refused: this hits 2 hosts"),
    ],
)
def test_the_command_role_says_what_is_wrong_and_does_nothing(
    nodes: Cluster, desk: Desk, arguments: tuple[str, ...], words: str
) -> None:
    before = boots(nodes)
    done = desk.call("role", *arguments, "--deployment", nodes.deployment)
    assert done.code != 0
    assert words in done.said
    assert boots(nodes) == before
