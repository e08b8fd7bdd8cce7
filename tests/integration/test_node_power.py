"""The vocabulary of power by its role: each act is proved or refused, and followed to a new address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_sshd import loopback_sshd

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.local.driver import LocalProvider

ROOT = Path(__file__).parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
#: A provider over a file: its machine has another address each time it is started, and only one of them is real.
PAPER = """
import json, os
from pathlib import Path
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers import registry
from e2e_ansible.providers.base import Node, PowerResult

STATE = Path(os.environ["PAPER"])

class Paper:
    name = "PROVIDER"
    def deployments(self):
        return ["demo"]
    def nodes(self, deployment):
        now = json.loads(STATE.read_text())
        variables = {**now["login"], "ansible_host": now["address"]}
        return [Node(name="n12", labels=(), power=PowerState(now["power"]), variables=variables)]
    def power(self, deployment, node, operation, seconds):
        now = json.loads(STATE.read_text())
        before = PowerState(now["power"])
        now["calls"].append(operation.value)
        now["power"] = "off" if "off" in operation.value else "on"
        if operation.value == "on":
            now["address"] = "127.0.0.1"
        STATE.write_text(json.dumps(now))
        return PowerResult(changed=True, before=before, after=now["power"], address_changed=operation.value == "on",
                           side_effects=("the address is 127.0.0.1",))

registry._DRIVERS["PROVIDER"] = "sitecustomize:Paper"
"""


class Ran:
    """What a run of the playbook has said, and its exit status."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.said = " ".join((done.stdout + done.stderr).split())


def run(*options: str, inventory: str, **variables: str) -> Ran:
    """`playbooks/node_power.yml` as an operator types it."""
    done = subprocess.run(
        [str(PLAYBOOK), "playbooks/node_power.yml", "-i", inventory, "-l", "n12", *options],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "PYTHONPATH": str(ROOT), **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done)


class Paper:
    """The state of the provider on paper, and the playbook run with it."""

    def __init__(self, folder: Path, name: str, login: dict[str, str]) -> None:
        self._folder, self._file = folder, folder / "state.json"
        (folder / "sitecustomize.py").write_text(PAPER.replace("PROVIDER", name))
        (folder / "paper.e2e.yml").write_text(f"plugin: e2e\nprovider: {name}\ndeployment: demo\n")
        self.write(power="off", address="127.0.0.9", login=login, calls=[])

    def write(self, **state: Any) -> None:
        self._file.write_text(json.dumps(state))

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._file.read_text())
        return found

    def run(self, *options: str) -> Ran:
        words = [word for option in options for word in ("-e", option)]
        return run(
            *words,
            inventory=str(self._folder / "paper.e2e.yml"),
            PAPER=str(self._file),
            PYTHONPATH=f"{self._folder}:{ROOT}",
        )


@pytest.fixture
def login(tmp_path: Path) -> Iterator[dict[str, str]]:
    """How to reach this machine over ssh at 127.0.0.1, and at no other address."""
    with loopback_sshd(tmp_path) as text:
        port, user, key, *_ = text.split()
        yield dict(word.split("=", 1) for word in (port, user, key)) | {"ansible_control_path": "none"}


def test_a_node_is_followed_to_its_new_address(tmp_path: Path, login: dict[str, str]) -> None:
    paper = Paper(tmp_path, "paper", login)
    done = paper.run(
        "node_power_operation=on", "node_power_deadline_seconds=30", "node_power_settle_seconds=1"
    )
    assert done.code == 0, done.said
    assert "the address is 127.0.0.1" in done.said
    assert paper.state()["calls"] == ["on"]


def test_one_that_is_this_machine_is_refused_by_every_act(tmp_path: Path, login: dict[str, str]) -> None:
    paper = Paper(tmp_path, "paper", login)
    for words in (["off"], ["reboot"], ["reset"], ["nmi"], ["off", "node_power_mode=hard"]):
        paper.write(power="on", address="127.0.0.1", login=login, calls=[])
        done = paper.run(f"node_power_operation={words[0]}", *words[1:])
        assert "refused: " in done.said, done.said
        assert done.code != 0
        assert paper.state()["calls"] == []


@pytest.mark.parametrize(
    ("provider", "options", "said"),
    [
        ("yandex", ["node_power_operation=reset"], "cannot do node_power reset (the API has no reset"),
        ("hetzner", ["node_power_operation=nmi"], "cannot do node_power nmi (the API has no NMI"),
        (
            "yandex",
            ["node_power_operation=off", "node_power_mode=hard"],
            "cannot do crash_node method destroy",
        ),
        ("aws", ["node_power_operation=on", "node_power_mode=hard"], "mode hard is for off and reboot"),
    ],
)
def test_what_a_provider_cannot_do_is_refused_before_it_is_asked(
    tmp_path: Path, provider: str, options: list[str], said: str
) -> None:
    paper = Paper(tmp_path, provider, {})
    done = paper.run(*options)
    assert done.code != 0
    assert said in done.said, done.said
    assert paper.state()["calls"] == []


@pytest.fixture(scope="module")
def deployment() -> Iterator[str]:
    """One node of this machine."""
    provider = LocalProvider()
    name = f"power-{uuid.uuid4().hex[:8]}"
    try:
        provider.prepare(DeploymentSpec(id=name, nodes=(NodeSpec(name="n12"),)))
        provider.create(name)
        done = by_hand(name, "on")
        assert done.code == 0, done.said
        yield name
    finally:
        provider.destroy(name)


def by_hand(deployment: str, operation: str, mode: str = "graceful", *more: str) -> Ran:
    words = ["-e", f"node_power_operation={operation}", "-e", f"node_power_mode={mode}", *more]
    return run(*words, inventory="inventories/local.e2e.yml", E2E_DEPLOYMENT=deployment)


@pytest.mark.nodes
@pytest.mark.parametrize(
    ("operation", "mode"), [("reboot", "graceful"), ("reset", "graceful"), ("reboot", "hard")]
)
def test_another_boot_proves_it(deployment: str, operation: str, mode: str) -> None:
    done = by_hand(deployment, operation, mode, "-v")
    assert done.code == 0, done.said
    assert "it answers from another boot" in done.said


@pytest.mark.nodes
def test_a_container_has_no_nmi_and_nothing_is_done(deployment: str) -> None:
    done = by_hand(deployment, "nmi", "graceful", "-v")
    assert done.code != 0
    assert "cannot do node_power nmi (a container has no kernel of its own" in done.said


@pytest.mark.nodes
def test_off_with_the_mode_hard_is_hard_off_and_check_mode_is_neither(deployment: str) -> None:
    provider = LocalProvider()
    checked = by_hand(deployment, "off", "hard", "--check", "-v")
    assert checked.code == 0, checked.said
    assert [node.power for node in provider.nodes(deployment)] == [PowerState.ON]
    done = by_hand(deployment, "off", "hard", "-v")
    assert done.code == 0, done.said
    assert "operation: hard_off" in done.said
    assert [node.power for node in provider.nodes(deployment)] == [PowerState.OFF]
    assert by_hand(deployment, "on").code == 0
