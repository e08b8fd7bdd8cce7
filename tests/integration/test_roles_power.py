"""The roles on real local nodes: every act is proved, and an act that did nothing is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.nodes.observation import NodeObservation, PowerState, Unreachable
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec, Operation, Provider
from e2e_ansible.providers.registry import get_provider

pytestmark = pytest.mark.nodes

ROOT = Path(__file__).parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: "{{ role }}"
    - ansible.builtin.include_role:
        name: "{{ role }}"
      when: twice | default(false) | bool
    - ansible.builtin.copy:
        dest: "{{ out }}/{{ inventory_hostname }}.json"
        content: "{{ {'result': vars[role ~ '_result'] | default({}),
          'settled': vars[role ~ '_settled'] | default(none)} | to_json }}"
        mode: "0600"
      delegate_to: localhost
      vars:
        ansible_connection: local
"""


@pytest.fixture(scope="module")
def provider() -> Provider:
    made = get_provider("local")
    assert [finding.detail for finding in made.doctor() if not finding.ok] == []
    return made


@pytest.fixture(scope="module")
def deployment(provider: Provider) -> Iterator[str]:
    name = f"plug-{uuid.uuid4().hex[:8]}"
    try:
        provider.prepare(DeploymentSpec(id=name, nodes=(NodeSpec(name="n11"), NodeSpec(name="n12"))))
        provider.create(name)
        yield name
    finally:
        provider.destroy(name)


@pytest.fixture
def nodes(provider: Provider, deployment: str) -> str:
    """The deployment with every node on."""
    for node in provider.nodes(deployment):
        if node.power is not PowerState.ON:
            provider.power(deployment, node.name, Operation.ON, 30)
    return deployment


class Ran:
    """One play: its exit code, what it said, and the registered results per host."""

    def __init__(self, done: subprocess.CompletedProcess[str], out: Path, seconds: float) -> None:
        self.code = done.returncode
        self.said = " ".join((done.stdout + done.stderr).split())
        self.results: dict[str, Any] = {
            path.stem: json.loads(path.read_text()) for path in out.glob("n*.json")
        }
        self.seconds = seconds

    def proof(self, host: str = "n12") -> dict[str, Any]:
        assert self.code == 0, self.said
        proof: dict[str, Any] = self.results[host]["result"]["e2e_proof"]
        return proof

    def observation(self, host: str = "n12") -> NodeObservation:
        assert self.code == 0, self.said
        return NodeObservation.model_validate(self.results[host]["result"]["observation"])


def _run(
    folder: Path, deployment: str, role: str, *more: str, roles: Path | None = None, **extra: Any
) -> Ran:
    (folder / "play.yml").write_text(PLAY)
    values = {"role": role, "out": str(folder), **extra}
    begin = time.monotonic()
    done = subprocess.run(
        [str(PLAYBOOK), str(folder / "play.yml"), "-l", "n12", "-e", json.dumps(values), *more],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_ROLES_PATH": str(roles or ROOT / "roles"),
            "E2E_DEPLOYMENT": deployment,
            "PYTHONPATH": str(ROOT),
            "ANSIBLE_NOCOLOR": "1",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done, folder, time.monotonic() - begin)


def _power(provider: Provider, deployment: str) -> PowerState:
    return next(node.power for node in provider.nodes(deployment) if node.name == "n12")


def _await_ssh(folder: Path, deployment: str) -> NodeObservation:
    for _ in range(20):
        seen = _run(folder, deployment, "observe").observation()
        if seen.reachable and seen.system_state == "running":
            return seen
        time.sleep(0.3)
    pytest.fail("n12 does not answer")


def test_crash_by_ssh_is_proved_and_happens_in_the_node(
    provider: Provider, nodes: str, tmp_path: Path
) -> None:
    boot = _await_ssh(tmp_path, nodes).identity
    ran = _run(tmp_path, nodes, "crash_node")
    proof = ran.proof()
    assert proof["act"] == "crash"
    assert proof["proved"] is True
    assert proof["after"]["power"] == "off"
    assert boot is not None
    assert proof["before"]["boot"] == list(boot.boot)
    assert _power(provider, nodes) is PowerState.OFF


def test_crash_by_destroy_twice_is_fine(provider: Provider, nodes: str, tmp_path: Path) -> None:
    _await_ssh(tmp_path, nodes)
    ran = _run(tmp_path, nodes, "crash_node", crash_node_method="destroy", twice=True)
    assert ran.proof()["proved"] is True
    assert "n12 is off already" in ran.said
    assert _power(provider, nodes) is PowerState.OFF


def test_a_host_of_another_name_is_crashed_as_the_node_that_it_says(
    provider: Provider, nodes: str, tmp_path: Path
) -> None:
    """As in inventories that call hosts as machines; one node is never two hosts."""
    _await_ssh(tmp_path, nodes)
    known = {node.name: dict(node.variables) for node in provider.nodes(nodes)}
    hosts = {"named": {**known["n12"], "e2e_node": "n12"}, "next": known["n11"]}

    def crash(**more: Any) -> Ran:
        (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": {**hosts, **more}}}))
        inventory = ("-i", str(tmp_path / "hosts.yml"), "-l", "named")
        return _run(tmp_path, nodes, "crash_node", *inventory, crash_node_method="destroy")

    refused = crash(next={**known["n11"], "e2e_node": "n12"})
    assert refused.code != 0
    assert "refused: named, next are all said to be the node n12" in refused.said
    assert _power(provider, nodes) is PowerState.ON
    assert crash().proof("named")["proved"]
    assert [node.power for node in provider.nodes(nodes)] == [PowerState.ON, PowerState.OFF]


def test_a_crash_that_does_nothing_fails(provider: Provider, nodes: str, tmp_path: Path) -> None:
    _await_ssh(tmp_path, nodes)
    roles = tmp_path / "roles"
    shutil.copytree(ROOT / "roles", roles)
    (roles / "crash_node/files/crash.sh").write_text("true\n")
    ran = _run(tmp_path, nodes, "crash_node", roles=roles, crash_node_deadline_seconds=2)
    assert ran.code != 0
    assert "crash not proved within 2 s" in ran.said
    assert "it still runs the boot that was to end" in ran.said
    assert _power(provider, nodes) is PowerState.ON


def test_the_trigger_refuses_a_machine_that_the_guard_did_not_see(nodes: str, tmp_path: Path) -> None:
    _await_ssh(tmp_path, nodes)
    roles = tmp_path / "roles"
    shutil.copytree(ROOT / "roles", roles)
    script = roles / "crash_node/files/crash.sh"
    script.write_text('set -- another-machine "$2" "$3" "$4"\n' + script.read_text())
    ran = _run(tmp_path, nodes, "crash_node", roles=roles, crash_node_deadline_seconds=2)
    assert ran.code != 0
    assert "this is not the machine and boot that the guard saw" in ran.said


@pytest.mark.parametrize("method", ["ssh", "graceful"])
def test_reboot_is_proved_and_settles(nodes: str, tmp_path: Path, method: str) -> None:
    _await_ssh(tmp_path, nodes)
    ran = _run(tmp_path, nodes, "reboot_node", reboot_node_method=method, reboot_node_deadline_seconds=30)
    proof = ran.proof()
    assert proof["proved"] is True
    assert proof["after"]["boot"] != proof["before"]["boot"]
    assert ran.results["n12"]["settled"] is True


def test_reboot_twice_in_one_play(nodes: str, tmp_path: Path) -> None:
    _await_ssh(tmp_path, nodes)
    assert _run(tmp_path, nodes, "reboot_node", twice=True, reboot_node_deadline_seconds=30).proof()["proved"]


def test_power_off_and_on_and_state(provider: Provider, nodes: str, tmp_path: Path) -> None:
    _await_ssh(tmp_path, nodes)
    off = _run(tmp_path, nodes, "node_power", node_power_operation="off", twice=True)
    assert off.code == 0, off.said
    assert _power(provider, nodes) is PowerState.OFF
    assert off.results["n12"]["result"]["changed"] is False
    state = _run(tmp_path, nodes, "node_power", node_power_operation="state")
    assert state.results["n12"]["result"]["after"] == "off"
    on = _run(tmp_path, nodes, "node_power", node_power_operation="on")
    assert on.code == 0, on.said
    assert on.results["n12"]["settled"] is True
    assert on.results["n12"]["result"]["before"] == "off"


def test_check_mode_changes_nothing(provider: Provider, nodes: str, tmp_path: Path) -> None:
    boot = _await_ssh(tmp_path, nodes).identity
    ran = _run(tmp_path, nodes, "crash_node", "--check")
    assert ran.code == 0, ran.said
    ran = _run(tmp_path, nodes, "node_power", "--check", node_power_operation="hard_off")
    assert ran.code == 0, ran.said
    assert _await_ssh(tmp_path, nodes).identity == boot


def test_observe_sees_all_fields(nodes: str, tmp_path: Path) -> None:
    _await_ssh(tmp_path, nodes)
    seen = _run(tmp_path, nodes, "observe", observe_integrity=True, observe_admin_ui=True).observation()
    assert seen.node == "n12"
    assert seen.power is PowerState.ON
    assert seen.labels == ("database",)
    assert seen.identity is not None
    assert seen.identity.container == "systemd-nspawn"
    assert seen.system_state == "running"
    assert seen.failed_units == ()
    assert seen.postgres is not None
    assert seen.admin_ui is not None
    assert seen.admin_ui.status == 0
    assert seen.admin_ui.error


def test_observe_a_node_that_is_off(provider: Provider, nodes: str, tmp_path: Path) -> None:
    _await_ssh(tmp_path, nodes)
    provider.power(nodes, "n12", Operation.HARD_OFF, 30)
    ran = _run(tmp_path, nodes, "observe")
    seen = ran.observation()
    assert seen.power is PowerState.OFF
    assert not seen.reachable
    assert "off" in seen.reason


def test_observe_a_dead_node_behind_a_stale_ssh_master_in_bounded_time(
    provider: Provider, nodes: str, tmp_path: Path
) -> None:
    _await_ssh(tmp_path, nodes)
    provider.power(nodes, "n12", Operation.HARD_OFF, 30)
    # Without a provider nothing says that it is off: ssh has to find out, over the master of the dead node.
    ran = _run(tmp_path, nodes, "observe", e2e_provider="")
    seen = ran.observation()
    assert seen.power is PowerState.UNKNOWN
    assert not seen.reachable
    assert seen.unreachable is Unreachable.TIMEOUT
    assert ran.seconds < 25, "an ssh that waits for a dead master takes minutes"


def test_observe_with_a_wrong_key_is_the_fault_of_the_controller(nodes: str, tmp_path: Path) -> None:
    _await_ssh(tmp_path, nodes)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", key], check=True)
    seen = _run(
        tmp_path,
        nodes,
        "observe",
        ansible_ssh_private_key_file=str(key),
        ansible_control_path="none",
        ansible_ssh_extra_args="-o IdentitiesOnly=yes",
    ).observation()
    assert seen.unreachable is Unreachable.AUTH
