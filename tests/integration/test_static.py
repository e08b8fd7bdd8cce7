"""Machines that exist already: which node gets which, who may use them, and their power by Redfish."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, one_test, write_suite
from redfish_server import PASSWORD, Boards, boards
from role_nodes import REPOSITORY, cluster

from e2e_ansible.errors import E2EError, ProviderError, UnsupportedOperation, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, Node, NodeSpec, Operation
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.static.driver import StaticProvider
from e2e_ansible.providers.static.inventory import machines

ON, OFF, UNKNOWN = PowerState.ON, PowerState.OFF, PowerState.UNKNOWN
ADDRESSES = {"alpha": "203.0.113.11", "beta": "203.0.113.12", "plain": "203.0.113.13"}  # nobody has them


@dataclass
class Bench:
    """A provider with an inventory of two machines with boards and one without."""

    boards: Boards
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def provider(self) -> StaticProvider:
        """A new one each time: nothing is kept in memory."""
        return StaticProvider(self.home)

    def write(self, name: str = "hosts.ini", **more: dict[str, str]) -> Path:
        """The inventory; `more` are variables by host, '' for one that is not there."""
        lines = []
        for host, address in ADDRESSES.items():
            board = self.boards.variables(host) if host in self.boards.systems else {}
            variables = {"ansible_host": address, **board, **more.get(host, {})}
            words = [f"{key}={value}" for key, value in variables.items() if value]
            lines.append(" ".join([host, *words]))
        path = self.folder / name
        path.write_text("\n".join(["[rack]", *lines, ""]))
        return path

    def prepare(self, deployment: str = "one", size: int = 3, **more: dict[str, str]) -> Path:
        """Reserve machines for n11, n12 and so on."""
        nodes = tuple(NodeSpec(name=f"n{11 + index}") for index in range(size))
        parameters = {"inventory": str(self.write(**more))}
        return self.provider.prepare(DeploymentSpec(id=deployment, nodes=nodes, parameters=parameters))

    def node(self, name: str = "n11") -> Node:
        return next(node for node in self.provider.nodes("one") if node.name == name)

    def power(self, operation: Operation, name: str = "n11", seconds: float = 30) -> tuple[bool, PowerState]:
        done = self.provider.power("one", name, operation, seconds)
        return done.changed, done.after

    def refused(self, operation: Operation, seconds: float = 30) -> E2EError:
        """The error of an operation, which tells no secret."""
        with pytest.raises(E2EError) as error:
            self.power(operation, seconds=seconds)
        assert PASSWORD not in f"{error.value} {error.value.hint}"
        return error.value

    def call(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command of Ansible in the checkout, as one types it."""
        own = {"E2E_ANSIBLE_HOME": str(self.home), "PYTHONPATH": str(REPOSITORY), "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "ansible", *command],
            cwd=REPOSITORY,
            env={**os.environ, **own, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = done.stdout + done.stderr
        assert "Traceback" not in said and PASSWORD not in said, said
        return done


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boards]:
    with boards(tmp_path_factory.mktemp("redfish") / "boards", ["alpha", "beta"]) as made:
        yield made


@pytest.fixture
def bench(service: Boards, tmp_path: Path) -> Bench:
    service.behave()
    return Bench(service, tmp_path)


@pytest.fixture
def running(bench: Bench) -> Bench:
    """Both machines with boards are on."""
    bench.prepare()
    for name in ("n11", "n12"):
        bench.power(Operation.ON, name)
    return bench


# ---- power


def test_every_operation_reaches_the_state_that_the_service_reports(running: Bench) -> None:
    assert running.power(Operation.OFF) == (True, OFF)
    assert (running.node().power, running.node("n12").power) == (OFF, ON)
    assert running.power(Operation.ON) == (True, ON)
    assert running.power(Operation.HARD_OFF) == (True, OFF)
    assert running.power(Operation.RESET) == (True, ON)
    assert running.power(Operation.RESET) == (True, ON)
    assert running.power(Operation.REBOOT) == (True, ON)
    assert running.power(Operation.NMI) == (True, ON)
    asked = ["GracefulShutdown", "On", "ForceOff", "On", "ForceRestart", "GracefulRestart", "Nmi"]
    assert running.boards.resets("alpha")[-len(asked) :] == asked


def test_what_is_done_already_is_not_asked_for_again(running: Bench) -> None:
    asked = len(running.boards.resets("alpha"))
    assert running.power(Operation.ON) == (False, ON)
    running.power(Operation.HARD_OFF)
    assert running.power(Operation.OFF) == (False, OFF)
    assert running.power(Operation.HARD_OFF) == (False, OFF)
    assert len(running.boards.resets("alpha")) == asked + 1
    assert "it is off" in str(running.refused(Operation.REBOOT))
    assert "it is off" in str(running.refused(Operation.NMI))


def test_it_waits_for_the_state_and_no_longer_than_the_deadline(running: Bench) -> None:
    running.boards.behave(delay=2)
    begin = time.monotonic()
    assert running.power(Operation.RESET) == (True, ON)
    assert time.monotonic() - begin > 0.9
    running.boards.behave(delay=1000)
    begin = time.monotonic()
    error = running.refused(Operation.OFF, seconds=2)
    assert time.monotonic() - begin < 6
    assert isinstance(error, ProviderError)
    assert "off (GracefulShutdown) of n11 (alpha) was not done in time; Redfish says it is On" in str(error)
    assert "hard_off" in error.hint
    running.boards.behave()
    assert running.power(Operation.HARD_OFF) == (True, OFF)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_errors_that_go_away_are_waited_for(running: Bench, status: int) -> None:
    running.boards.behave(status=status, fails=2)
    assert running.power(Operation.HARD_OFF) == (True, OFF)


def test_errors_that_stay_end_at_the_deadline(running: Bench) -> None:
    running.boards.behave(status=503, fails=10_000)
    error = running.refused(Operation.OFF, seconds=2)
    assert isinstance(error, CloudError) and error.trouble is Trouble.TRANSIENT
    running.boards.behave()
    assert running.node().power is ON


def test_every_session_is_ended(running: Bench) -> None:
    running.power(Operation.RESET)
    running.boards.behave(nmi=False)
    running.refused(Operation.NMI)
    begun, ended = (running.boards.notes.count(f"session {word}") for word in ("begun", "ended"))
    assert begun == ended > 0


def test_a_service_without_sessions_gets_the_password_with_each_call(running: Bench) -> None:
    begun = running.boards.notes.count("session begun")
    running.boards.behave(sessions=False)
    assert running.power(Operation.HARD_OFF) == (True, OFF)
    assert running.boards.notes.count("session begun") == begun


@pytest.mark.parametrize("sessions", [True, False])
def test_a_wrong_password_is_told_at_once_and_never_shown(bench: Bench, sessions: bool) -> None:
    wrong = bench.folder / "wrong"
    wrong.write_text("another-Geheimnis\n")
    bench.prepare(alpha={"e2e_redfish_password_file": str(wrong)})
    bench.boards.behave(sessions=sessions)
    begin = time.monotonic()
    error = bench.refused(Operation.OFF)
    assert time.monotonic() - begin < 5
    assert isinstance(error, CloudError) and error.trouble is Trouble.FORBIDDEN
    assert "another-Geheimnis" not in f"{error} {error.hint}"
    assert "e2e_redfish_username" in error.hint
    node = bench.node()
    assert node.power is UNKNOWN
    assert "another-Geheimnis" not in str(node.variables)
    assert bench.node("n12").power is not UNKNOWN, "one board must not hide the others"


def test_a_service_that_repeats_the_password_is_not_quoted(bench: Bench) -> None:
    bench.prepare()
    bench.boards.behave(status=400, fails=1000, said={"error": {"message": f"{PASSWORD} is no password"}})
    assert "*** is no password" in str(bench.refused(Operation.OFF))


def test_what_is_no_redfish_service_is_told(bench: Bench) -> None:
    bench.prepare()
    bench.boards.behave(status=200, fails=1000, said="<html>Welcome</html>")
    assert "e2e_redfish_url" in bench.refused(Operation.OFF).hint
    bench.boards.behave()
    bench.provider.destroy("one")
    bench.prepare(alpha={"e2e_redfish_ca": "no/such/file"})
    assert "no/such/file" in str(bench.refused(Operation.OFF))


def test_a_certificate_that_nobody_trusts_is_refused(bench: Bench) -> None:
    bench.prepare(alpha={"e2e_redfish_ca": ""})
    error = bench.refused(Operation.OFF, seconds=5)
    assert "certificate verify failed" in str(error)
    assert "e2e_redfish_ca" in error.hint


def test_what_the_service_does_not_offer_or_cannot_do_is_an_error(running: Bench) -> None:
    running.boards.behave(nmi=False)  # the emulator as it is: it offers Nmi, and has none
    error = running.refused(Operation.NMI)
    assert isinstance(error, CloudError) and error.trouble is Trouble.OTHER
    assert "Nmi is not supported" in str(error)


def test_a_machine_without_redfish_is_unknown_and_cannot_be_powered(running: Bench) -> None:
    node = running.node("n13")
    assert (node.power, node.variables["e2e_provider_state"]) == (UNKNOWN, "no Redfish")
    with pytest.raises(
        UnsupportedOperation, match=r"hard_off of n13 \(plain\): .* names no Redfish"
    ) as error:
        running.power(Operation.HARD_OFF, "n13")
    assert "method ssh" in error.value.hint


def test_a_wrong_system_names_the_right_ones(bench: Bench) -> None:
    bench.prepare(alpha={"e2e_redfish_system": "chassis-9"})
    error = bench.refused(Operation.ON)
    assert "has no system 'chassis-9'" in str(error)
    assert bench.boards.systems["alpha"] in error.hint
    bench.provider.destroy("one")
    bench.prepare(alpha={"e2e_redfish_system": ""})
    assert "has 2 systems" in str(bench.refused(Operation.ON))


def test_a_vaulted_password_is_decrypted_only_when_it_is_used(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = bench.folder / "vault.password"
    key.write_text("to the vault\n")
    made = bench.call("vault", "encrypt_string", PASSWORD, ANSIBLE_VAULT_PASSWORD_FILE=str(key))
    (bench.folder / "host_vars").mkdir()
    (bench.folder / "host_vars/alpha.yml").write_text(f"e2e_redfish_password: {made.stdout}\n")
    folder = bench.prepare(alpha={"e2e_redfish_password_file": ""})
    assert PASSWORD not in (folder / "deployment.json").read_text()
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(key))
    assert bench.power(Operation.RESET) == (True, ON)
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE")
    error = bench.refused(Operation.RESET)
    assert "cannot be decrypted" in str(error) and "ANSIBLE_VAULT_PASSWORD_FILE" in error.hint


# ---- which node gets which machine


def test_hosts_of_the_right_name_come_first_then_the_others_in_order(bench: Bench) -> None:
    path = bench.folder / "order.yml"
    path.write_text(
        json.dumps(
            {
                "late": {"hosts": {"zeta": {"ansible_host": "203.0.113.1"}}},
                "site_a": {
                    "hosts": {
                        "alpha": {
                            "ansible_host": "203.0.113.2",
                            "ansible_port": 2222,
                            "other": "left behind",
                        },
                        "n11": {"ansible_host": "203.0.113.3"},
                    }
                },
            }
        )
    )
    nodes = tuple(NodeSpec(name=name) for name in ("n11", "n12", "n13"))
    spec = DeploymentSpec(id="one", nodes=nodes, parameters={"inventory": str(path), "ssh_user": "tester"})
    folder = bench.provider.prepare(spec)
    assert folder.stat().st_mode & 0o777 == 0o700
    made = bench.provider.nodes("one")
    assert [(node.name, node.variables["e2e_machine"]) for node in made] == [
        ("n11", "n11"),
        ("n12", "zeta"),
        ("n13", "alpha"),
    ]
    assert made[2].labels == ("database", "site_a")
    assert made[2].variables["ansible_port"] == 2222
    assert made[2].variables["ansible_user"] == "tester"
    assert "other" not in made[2].variables
    path.write_text("{}")  # what was chosen at first stays
    assert bench.provider.prepare(spec) == folder
    assert [node.variables["e2e_machine"] for node in bench.provider.nodes("one")] == ["n11", "zeta", "alpha"]
    fewer = spec.model_copy(update={"nodes": nodes[:1]})
    with pytest.raises(ProviderError, match="has the nodes n11, n12, n13, not n11"):
        bench.provider.prepare(fewer)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ansible_connection": "local"}, "alpha has the local connection, so it is this controller"),
        ({"ansible_connection": "ansible.builtin.local"}, "has the local connection"),
        ({"ansible_host": "127.0.0.1"}, "127.0.0.1 is an address of it"),
        ({"ansible_host": "localhost"}, "alpha is this controller"),
        ({"ansible_host": "203.0.113.12"}, "alpha and beta are the same machine (203.0.113.12:22)"),
        ({"ansible_host": "{{secret}}"}, "ansible_host of alpha is a template"),
        ({"ansible_port": "ssh"}, "ansible_port of alpha is 'ssh', which is no number"),
        ({"ansible_password": "open"}, "ansible_password of alpha cannot be used"),
        ({"e2e_redfish_password": "open"}, "e2e_redfish_password of alpha is not encrypted"),
        ({"e2e_redfish_url": "http://board.example.com"}, "must begin with https://"),
        ({"e2e_redfish_url": "https://me:open@board.example.com"}, "holds a user or password"),
        ({"e2e_redfish_url": ""}, "and no e2e_redfish_url"),
        ({"e2e_redfish_password_file": ""}, "neither e2e_redfish_password_file nor a vaulted"),
        ({"e2e_redfish_usernam": "me"}, "unknown variable e2e_redfish_usernam"),
    ],
)
def test_machines_that_cannot_be_used_are_refused_before_anything_is_reserved(
    bench: Bench, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError) as error:
        bench.prepare(alpha=variables)
    assert said in str(error.value)
    assert error.value.hint
    assert "open" not in str(error.value).replace(variables.get("e2e_redfish_url", "-"), "")
    assert bench.provider.deployments() == []


def test_an_address_of_this_machine_is_found_out(bench: Bench) -> None:
    def said(*words: str) -> list[dict[str, Any]]:
        done = subprocess.run(["ip", "-j", "-4", *words], capture_output=True, text=True, check=True)
        return list(json.loads(done.stdout))

    # Other links come and go with the nodes of other tests.
    lasting = {"lo", *(route["dev"] for route in said("route", "show", "default"))}
    own = [
        info["local"] for link in said("address") if link["ifname"] in lasting for info in link["addr_info"]
    ]
    assert "127.0.0.1" in own
    for address in own:
        with pytest.raises(UsageError, match="is this controller"):
            bench.prepare(alpha={"ansible_host": address})


def test_an_inventory_that_is_not_there_or_too_small_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="4 nodes are wanted, and the inventory has 3 machines"):
        bench.prepare(size=4)
    one = (NodeSpec(name="n11"),)
    with pytest.raises(UsageError, match="needs to know the inventory"):
        bench.provider.prepare(DeploymentSpec(id="one", nodes=one))
    monkeypatch.setenv("E2E_SUITE_FOLDER", str(bench.folder))
    with pytest.raises(UsageError, match=r"there is no inventory file .*host\.ini") as error:
        bench.provider.prepare(DeploymentSpec(id="one", nodes=one, parameters={"inventory": "host.ini"}))
    assert error.value.hint == f"did you mean {bench.folder}/hosts.ini?"
    bench.provider.prepare(DeploymentSpec(id="one", nodes=one, parameters={"inventory": "hosts.ini"}))
    (bench.folder / "bad.yml").write_text("all: [")
    with pytest.raises(UsageError, match="cannot be read as an inventory"):
        bench.provider.prepare(DeploymentSpec(id="two", nodes=one, parameters={"inventory": "bad.yml"}))


def test_a_machine_belongs_to_one_test_at_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.prepare("one", size=2)
    with pytest.raises(ProviderError, match=r"alpha \(203\.0\.113\.11\) is in use: it is n11 of one"):
        bench.prepare("two", size=1)
    other = bench.folder / "other.ini"
    other.write_text("another-name ansible_host=203.0.113.12\n")
    spec = DeploymentSpec(id="two", nodes=(NodeSpec(name="n11"),), parameters={"inventory": str(other)})
    with pytest.raises(ProviderError, match="is in use: it is n12 of one"):
        bench.provider.prepare(spec)
    monkeypatch.setenv("E2E_STATIC_INVENTORY", str(bench.write()))
    with pytest.raises(ProviderError, match="is in use: it is n11 of one"):
        bench.provider.power("inventory", "alpha", Operation.ON, 10)
    assert bench.provider.deployments() == ["one", "inventory"]
    assert [thing for each in bench.provider.deployed() for thing in each.things] == [
        "reservation of n11 (alpha)",
        "reservation of n12 (beta)",
    ]
    assert bench.provider.destroy("one")
    assert not bench.provider.destroy("one")
    bench.provider.prepare(spec)


def test_to_create_is_only_to_look(running: Bench) -> None:
    asked = list(running.boards.notes)
    running.power(Operation.HARD_OFF)
    running.power(Operation.HARD_OFF, "n12")
    running.provider.destroy("one")
    running.prepare(size=2)
    with pytest.raises(ProviderError, match=r"n11 \(alpha\) is Off; n12 \(beta\) is Off") as error:
        running.provider.create("one")
    assert "node_power_operation=on" in error.value.hint
    told = [line for line in running.boards.notes[len(asked) :] if line.startswith("reset")]
    assert [line.split()[2] for line in told] == ["ForceOff", "ForceOff"]


# ---- by hand


def test_the_inventory_lists_stopped_machines_with_their_state(running: Bench) -> None:
    running.power(Operation.HARD_OFF)
    listed = running.call("inventory", "-i", "inventories/static.e2e.yml", "--list", E2E_DEPLOYMENT="one")
    found = json.loads(listed.stdout)
    hosts = found["_meta"]["hostvars"]
    assert {name: hosts[name]["e2e_power"] for name in hosts} == {"n11": "off", "n12": "on", "n13": "unknown"}
    assert found["rack"]["hosts"] == ["n11", "n12", "n13"]
    assert found["power_off"]["hosts"] == ["n11"]
    assert not [key for variables in hosts.values() for key in variables if key.startswith("e2e_redfish")]
    graph = running.call("inventory", "-i", "inventories/static.e2e.yml", "--graph", E2E_DEPLOYMENT="one")
    assert "|--@power_off:\n  |  |--n11\n" in graph.stdout


def test_machines_are_powered_by_hand_without_any_run(bench: Bench) -> None:
    path = bench.write()
    module = ["adhoc", "-i", "inventories/static.e2e.yml", "alpha", "-m", "node_power", "-a"]

    def node_power(operation: str, *options: str) -> str:
        done = bench.call(*module, f"operation={operation}", *options, E2E_STATIC_INVENTORY=str(path))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    node_power("on")
    assert "after: 'off'" in node_power("hard_off", "--check")
    assert "after: 'on'" in node_power("state")
    assert "changed: true" in node_power("hard_off")
    assert "changed: false" in node_power("hard_off")
    play = ["playbook", "-i", "inventories/static.e2e.yml", "playbooks/node_power.yml", "-l"]
    state = ["-e", "node_power_operation=state"]
    shown = bench.call(*play, "alpha", *state, E2E_STATIC_INVENTORY=str(path))
    assert shown.returncode == 0 and "alpha is off" in shown.stdout, shown.stdout
    assert not (bench.home / "static/inventory").exists()
    refused = bench.call(*module[:3], "plain", *module[4:], "operation=off", E2E_STATIC_INVENTORY=str(path))
    assert refused.returncode == 2 and "names no Redfish" in refused.stdout


def test_the_sdk_is_named_when_it_is_missing(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without/sushy.py").write_text("raise ImportError('it is not installed')\n")
    path = bench.write()
    command = [
        "adhoc",
        "-i",
        "inventories/static.e2e.yml",
        "alpha",
        "-m",
        "node_power",
        "-a",
        "operation=off",
    ]
    variables = {"PYTHONPATH": f"{tmp_path / 'without'}:{REPOSITORY}", "E2E_STATIC_INVENTORY": str(path)}
    said = bench.call(*command, **variables)
    assert said.returncode == 2
    assert "pip install 'e2e-ansible[static]'" in said.stdout.replace("\\u0027", "'")


# ---- a whole suite


@pytest.mark.nodes
def test_a_suite_runs_on_machines_that_exist_and_leaves_them_alive(desk: Desk, tmp_path: Path) -> None:
    """The nodes of provider `local` are the machines; provider `static` knows only their inventory."""
    desk.variables["E2E_ANSIBLE_HOME"] = str(tmp_path / "home")
    with cluster(["one", "two"], tmp_path) as machines:
        shutil.copy(machines.inventory(["one", "two"]), desk.folder / "machines.yml")
        test = one_test(
            [
                {"step": "deploy"},
                {"step": "restart_node", "target_node": "n12", "method": "ssh"},
                {
                    "step": "validate",
                    "checks": ["cluster_status", "all_nodes_running", "data_integrity"],
                    "retry": {"max_attempts": 10, "delay_seconds": 1},
                },
                {"step": "destroy"},
            ],
            size=2,
            inventory="machines.yml",
        )
        suite = write_suite(desk.folder / "suite.json", ours={"provider": "static", **test})
        done = desk.call("run", str(suite))
        assert done.code == 0, done.said
        assert [str(each.verdict) for each in desk.result().tests] == ["pass"]
        assert StaticProvider(tmp_path / "home").deployments() == []
        assert {node.power for node in machines.nodes.values()} == {ON}
        for name in ("one", "two"):
            assert machines.sql(name, "SELECT 1") == "1", "what was installed stays, too"


def test_the_example_and_its_inventory_can_be_used() -> None:
    shown = [sys.executable, "-m", "e2e_ansible", "validate", str(REPOSITORY / "examples/static.yaml")]
    done = subprocess.run(shown, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = machines(REPOSITORY / "examples/static.ini")
    assert [machine.host for machine in found] == [f"db{number}.example.com" for number in (1, 2, 3)]
    boards_of = [machine.redfish for machine in found if machine.redfish]
    assert [each.system for each in boards_of] == ["", "", "blade-3"]
    assert {each.password_file for each in boards_of} == {str(REPOSITORY / "examples/redfish.password")}
