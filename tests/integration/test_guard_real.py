"""The destructive roles, really pointed at this machine: each refuses, and this machine goes on.

The trigger scripts are replaced by one that only leaves a mark: a broken guard is seen without being felt.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_sshd import loopback_sshd

from e2e_ansible.nodes import probe

pytestmark = pytest.mark.nodes

ROOT = Path(__file__).parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
ROLES: dict[str, dict[str, Any]] = {
    "crash_node": {"crash_node_method": "ssh", "crash_node_deadline_seconds": 2},
    "crash_node destroy": {"crash_node_method": "destroy", "crash_node_deadline_seconds": 2},
    "reboot_node": {"reboot_node_method": "ssh", "reboot_node_deadline_seconds": 2},
    "reboot_node graceful": {"reboot_node_method": "graceful", "reboot_node_deadline_seconds": 2},
    "node_power": {"node_power_operation": "off", "node_power_deadline_seconds": 2},
    "node_power hard_off": {"node_power_operation": "hard_off", "node_power_deadline_seconds": 2},
    "node_power reset": {"node_power_operation": "reset", "node_power_deadline_seconds": 2},
}


@pytest.fixture
def harmless_roles(tmp_path: Path) -> Path:
    """A copy of the roles whose scripts write `fired` instead of taking a machine down."""
    roles = tmp_path / "roles"
    shutil.copytree(ROOT / "roles", roles)
    for script in roles.glob("*/files/*.sh"):
        script.write_text(f"touch {tmp_path}/fired\n")
    return roles


def _play(
    folder: Path, roles: Path, inventory: str, role: str, task: str = ""
) -> subprocess.CompletedProcess[str]:
    hosts = folder / "hosts.ini"
    hosts.write_text(inventory)
    name, variables = role.split(maxsplit=1)[0], ROLES[role]
    play = folder / "play.yml"
    play.write_text(
        "- hosts: '{{ target }}'\n  gather_facts: false\n  tasks:\n"
        f"    - ansible.builtin.include_role:\n        name: {name}\n{task}"
    )
    extra = [f"-e{key}={value}" for key, value in variables.items()]
    target = inventory.split(maxsplit=1)[0] if inventory.strip() else "localhost"
    return subprocess.run(
        [str(PLAYBOOK), "-i", str(hosts), str(play), f"-etarget={target}", *extra],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_ROLES_PATH": str(roles),
            "PYTHONPATH": str(ROOT),
            "ANSIBLE_NOCOLOR": "1",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(autouse=True)
def _this_machine_goes_on(tmp_path: Path) -> Iterator[None]:
    before = probe.identity()
    yield
    assert probe.identity() == before
    assert not (tmp_path / "fired").exists()


def _refused(done: subprocess.CompletedProcess[str]) -> str:
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, said
    assert "refused: " in said
    return said


@pytest.mark.parametrize("role", ROLES)
def test_a_node_whose_connection_is_local(role: str, tmp_path: Path, harmless_roles: Path) -> None:
    said = _refused(_play(tmp_path, harmless_roles, "n12 ansible_connection=local\n", role))
    assert "local connection" in said


@pytest.mark.parametrize("role", ROLES)
def test_a_task_delegated_to_this_machine(role: str, tmp_path: Path, harmless_roles: Path) -> None:
    task = "        apply:\n          delegate_to: localhost\n"
    said = _refused(_play(tmp_path, harmless_roles, "n12 ansible_host=10.255.255.1\n", role, task))
    assert "delegated" in said


@pytest.mark.parametrize("role", ROLES)
def test_the_implicit_localhost(role: str, tmp_path: Path, harmless_roles: Path) -> None:
    assert "not a host of the inventory" in _refused(_play(tmp_path, harmless_roles, "", role))


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[str]:
    """Host variables that reach this very machine over a real ssh connection."""
    with loopback_sshd(tmp_path) as variables:
        yield variables


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("address", "reason"),
    [("127.0.0.1", "machine id of the controller"), ("localtest", "machine id of the controller")],
    ids=["loopback", "a name that hides the loopback"],
)
def test_a_node_that_is_this_machine_over_ssh(
    role: str, address: str, reason: str, own_sshd: str, tmp_path: Path, harmless_roles: Path
) -> None:
    if address == "localtest":  # ssh resolves the name itself, so nothing but the identity can give it away
        own_sshd = own_sshd.replace("-o User", "-o HostName=127.0.0.1 -o User")
    else:
        reason = "this machine by name"
    inventory = f"n12 ansible_host={address} {own_sshd}\n"
    assert reason in _refused(_play(tmp_path, harmless_roles, inventory, role))
