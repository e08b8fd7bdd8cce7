"""The playbooks of operations as AWX runs them: the inventory of the provider, a limit, and a few variables."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from role_nodes import REPOSITORY, Cluster, cluster


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(["n11", "n12"], tmp_path_factory.mktemp("operations")) as made:
        yield made


def play(nodes: Cluster, name: str, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), f"playbooks/{name}.yml", *arguments],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(nodes.folder / "cp"),
            "E2E_DEPLOYMENT": nodes.deployment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def power(nodes: Cluster) -> list[str]:
    return [node.power.value for node in nodes.nodes.values()]


def test_operations_do_what_their_names_say_and_checks_see_it(nodes: Cluster) -> None:
    assert "refused: this hits 2 hosts" in play(nodes, "stop_node", code=2)
    assert power(nodes) == ["on", "on"]
    play(nodes, "stop_node", "-l", "n11")
    assert power(nodes) == ["off", "on"]
    play(nodes, "validate", "-e", "validate_checks=node_status:n11:stopped,node_status:n12")
    said = play(nodes, "validate", "-e", "validate_checks=all_nodes_running", code=2)
    assert "all_nodes_running does not hold: n11 (power off)" in " ".join(said.split())
    said = play(nodes, "validate", "-e", "validate_checks=all_node_running", code=2)
    assert "there is no check 'all_node_running'" in " ".join(said.split())
    play(nodes, "start_node", "-l", "n11")
    play(nodes, "validate", "-e", "validate_checks=all_nodes_running")
    play(nodes, "restart_node", "-l", "n12")
    play(nodes, "stop_cluster")
    assert power(nodes) == ["off", "off"]
    play(nodes, "start_cluster")
    assert power(nodes) == ["on", "on"]


def test_nodes_are_made_and_removed_by_variables(nodes: Cluster) -> None:
    made = f"{nodes.deployment}-b"
    variables = f'{{"provision_deployment": "{made}", "provision_nodes": [{{"name": "n21"}}]}}'
    try:
        assert re.search(r"changed=1 ", play(nodes, "provision", "-e", variables))
        assert [node.name for node in nodes.provider.nodes(made)] == ["n21"]
    finally:
        play(nodes, "provision", "-e", variables, "-e", "provision_state=absent")
    assert made not in nodes.provider.deployments()
