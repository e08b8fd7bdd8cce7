"""Real virtual machines: the suite `crash-vm` on one, then its power, its inventory and its end, by hand.

One machine is made for all of it. It is emulated where no guest boots with KVM; then this takes some minutes, and while
the suite runs, the machines of a user without rights are tried: one of our own image, and one of a cloud's.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from cloud_image import cloud_image
from libvirt_daemon import libvirt_daemon, session_daemon, virsh
from real_runs import Desk, Done, a_desk
from role_nodes import REPOSITORY

from e2e_ansible.deadline import Deadline
from e2e_ansible.faults.ledger import read
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, Node, NodeSpec, Operation
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.libvirt.driver import LibvirtProvider

pytestmark = pytest.mark.nodes

SUITE = REPOSITORY / "suites/crash-vm.yaml"
INVENTORY = REPOSITORY / "inventories/libvirt.e2e.yml"
#: What only machines can have, put before the end of the suite; and how its effect is told.
FAULTS = """\
      - {step: fault, name: jump, fault: clock_jump, target: n11, options: {seconds: -600}, for_seconds: 0.1}
      - {step: fault, name: full, fault: disk_full, target: n11, options: {max_mb: 50000}, for_seconds: 0.1}
      - {step: fault, name: late, fault: latency, target: n11, options: {cut: all}, for_seconds: 0.1}
      - {step: fault, name: slow, fault: disk_slow, target: n11, for_seconds: 0.1}
      - {step: fault, name: panic, fault: panic, target: n11}
      - {step: heal, name: unpanic, fault: panic}
      - step: validate
        checks: [cluster_status, database_running]
        retry: {max_attempts: 30, delay_seconds: 2}
"""
EFFECTS = {
    "jump": r"the clock is off by -(599|600|601)\.\d s, measured by the uptime",
    "full": "ends with: no space left on device",
    "late": r"an answer takes \d{3}\.\d ms, and took \d{1,2}\.\d ms before",
    "slow": r"\d+ KiB a second are written, 512 are allowed",
    "panic": "",
}
POOL = "e2e-ansible"
_RUN_SECONDS = 1500
_BOOT_SECONDS = 240

_BOOT = "cat /proc/sys/kernel/random/boot_id"
#: What must be the same after each boot: host key, machine id, name.
_IDENTITY = "cat /etc/ssh/ssh_host_ed25519_key.pub /etc/machine-id /etc/hostname"
#: What cloud-init says of itself and of its log, and what it has made. A line for each.
_LOOK = f"""
cloud-init status --wait | tr -d .
sudo grep -o 'DataSourceNoCloud' /run/cloud-init/result.json | sort -u
sudo grep -c WARNING /var/log/cloud-init.log
systemctl list-units --failed --plain --no-legend | wc -l
hostname; id -un; sudo -n id -u
ip -4 -oneline address show scope global | awk '{{print $2, $4}}'
grep -ho 'ClientIdentifier=.*' /run/systemd/network/*.network
grep ^LANG= /etc/default/locale
ls /etc/ssh/ssh_host_*.pub
df --output=size --block-size=1 / | tail -n 1
{_IDENTITY}
{_BOOT}
"""


@dataclass(frozen=True)
class Vm:
    """The machine that the suite has left, and how the run of the suite went."""

    desk: Desk
    done: Done
    run: Path
    deployment: str

    @property
    def provider(self) -> LibvirtProvider:
        return LibvirtProvider(self.desk.home)

    @property
    def node(self) -> Node:
        (node,) = self.provider.nodes(self.deployment)
        return node

    @property
    def machine(self) -> str:
        return str(self.node.variables["e2e_machine"])

    def play(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of Ansible, as a user types it in the checkout."""
        command = [sys.executable, "-m", "ansible", *words]
        variables = {"E2E_DEPLOYMENT": self.deployment, "ANSIBLE_NOCOLOR": "1"}
        environment = {**self.desk.environment(), **variables}
        return subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=600
        )

    def ssh(self, command: str) -> str:
        """What a command says on the machine, '' while nobody answers."""
        return ssh(self.node, command)

    def boot(self, before: str = "") -> str:
        """The boot id, another one than `before`."""
        deadline = Deadline(_BOOT_SECONDS)

        def another() -> str:
            now = self.ssh("cat /proc/sys/kernel/random/boot_id")
            return now if now != before else ""

        return deadline.wait_for(another, 1)

    def registered(self) -> dict[str, str]:
        """What the suite's commands have printed, by name."""
        (file,) = self.run.glob("tests/*/plan/registered.json")
        outputs = json.loads(file.read_text())["e2e_registered"]
        return {name: output["stdout"]["__ansible_unsafe"] for name, output in outputs.items()}


@dataclass(frozen=True)
class Running:
    """The suite on its way."""

    desk: Desk
    process: subprocess.Popen[str]
    said: Future[tuple[str, str]]

    def end(self) -> Vm:
        """Wait for it."""
        out, err = self.said.result()
        run = self.desk.newest()
        deployment = json.loads((run / "run.json").read_text())["tests"][0]["deployment"]
        return Vm(self.desk, Done(self.process.returncode, out, err, 0), run, deployment)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The suite but for its last step, `destroy`, and the faults in place of that."""
    folder = tmp_path_factory.mktemp("vm")
    suite = folder / "crash-vm.yaml"
    kept, _, last = SUITE.read_text().rpartition("      - step: destroy")
    assert last.strip() == ""
    suite.write_text(kept.replace("keep: never", "keep: always") + FAULTS)
    with (
        libvirt_daemon(),
        a_desk(folder) as desk,
        ThreadPoolExecutor(1) as pool,
        desk.start("run", str(suite)) as process,
    ):
        began = Running(desk, process, pool.submit(process.communicate, timeout=_RUN_SECONDS))
        try:
            yield began
        finally:
            made = began.end()
            made.provider.destroy(made.deployment)


@pytest.fixture(scope="module")
def vm(running: Running) -> Vm:
    """The machine that the suite leaves, when it has ended."""
    return running.end()


@pytest.fixture
def session(running: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[LibvirtProvider]:
    """A user's own daemon, beside the suite. Of what a test deploys there, nothing is left."""
    with session_daemon() as (uri, home):
        monkeypatch.setenv("E2E_LIBVIRT_URI", uri)
        images = default_home() / "images"  # where others have built them, or will
        images.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "images").symlink_to(images)
        provider = LibvirtProvider(home)
        try:
            yield provider
        finally:
            assert provider.destroy("mine")
            assert virsh("list", "--all", "--name", uri=uri).split() == []
            assert list((home / "libvirt").glob("e2e.*")) == []


def test_a_cloud_image_takes_all_it_has_from_the_seed_and_keeps_it_when_the_power_is_cut(
    session: LibvirtProvider,
) -> None:
    image = cloud_image(default_home() / "images")
    node = _deployed(session, image=str(image), ssh_user="tester", root_volume_size=3)
    seen = _answers(node, _LOOK).splitlines()  # its first start may begin sshd anew
    assert seen[:4] == ["status: done", "DataSourceNoCloud", "0", "0"], seen
    assert seen[4:8] == ["n11", "tester", "0", "eth0 10.0.2.15/24"], seen
    assert seen[8:11] == ["ClientIdentifier=mac", "LANG=C.UTF-8", "/etc/ssh/ssh_host_ed25519_key.pub"], seen
    assert int(seen[11]) > 2.5 * 1024**3  # the image has 2 GB
    identity, boot = seen[12:15], seen[15]
    assert identity[0].split()[1] in _learned(node)

    session.power("mine", "n11", Operation.HARD_OFF, 30)
    session.power("mine", "n11", Operation.ON, 30)
    after = _answers(node, f"{_IDENTITY}; {_BOOT}").splitlines()
    assert after[:3] == identity
    assert after[3] != boot


def test_a_user_without_rights_makes_a_machine_of_our_image_and_resets_it(session: LibvirtProvider) -> None:
    node = _deployed(session)
    assert node.variables["ansible_host"] == "127.0.0.1"
    hostname, before = ssh(node, f"hostname; {_BOOT}").splitlines()
    assert hostname == "n11"
    assert session.power("mine", "n11", Operation.RESET, 60).changed
    assert _answers(node, _BOOT, but=before)
    assert session.power("mine", "n11", Operation.OFF, 120).after is PowerState.OFF


def test_the_suite_passes(vm: Vm) -> None:
    assert vm.done.code == 0, vm.done.out + vm.done.err
    (test,) = vm.desk.result().tests
    assert [step.verdict for step in test.workflow_steps] == ["pass"] * (19 + FAULTS.count("step:"))
    print({step.id: round(step.duration, 1) for step in test.workflow_steps}, round(test.duration))


def test_a_row_that_was_synced_is_there_and_one_that_was_not_is_lost(vm: Vm) -> None:
    """What the suite has seen, and the machine itself once more."""
    seen = vm.registered()
    assert seen["kept"] == "fsync is on"
    assert seen["setting"] == "off"
    assert seen["written"].splitlines()[-2:] == ["fsync is on", "fsync is off"]
    assert seen["left"] == "fsync is on"
    rows = vm.ssh("runuser -u postgres -- psql -Atc 'select row from public.proof'")
    assert rows == "fsync is on"


def test_postgresql_has_recovered_from_its_log(vm: Vm) -> None:
    """By the log of its last start; that of earlier ones may itself be lost, for nobody syncs it."""
    last = vm.ssh("cat /var/log/postgresql/*.log").rpartition("starting PostgreSQL")[2]
    recovered = last.partition("database system was not properly shut down; automatic recovery in progress")[
        2
    ]
    assert "database system is ready to accept connections" in recovered, last


def test_sysrq_ends_a_boot_and_another_one_begins(vm: Vm) -> None:
    """By the playbook, as a user calls it. The machine is not powered off: the daemon sees the same domain."""
    before, domain = vm.boot(), virsh("domid", vm.machine)
    wait = ["-e", "crash_node_await_return=true", "-e", f"crash_node_deadline_seconds={_BOOT_SECONDS}"]
    done = vm.play("playbook", "playbooks/crash_node.yml", "-i", str(INVENTORY), "-l", "n11", *wait)
    assert done.returncode == 0, done.stdout
    assert vm.boot() != before
    assert virsh("domid", vm.machine) == domain
    shut = vm.ssh("journalctl --boot=-1 --output=cat _PID=1 | grep -c 'Reached target shutdown.target'")
    assert shut == "0"


def test_the_inventory_lists_it_and_ansible_reaches_it(vm: Vm) -> None:
    graph = vm.play("inventory", "-i", str(INVENTORY), "--graph")
    assert "@power_on:\n  |  |--n11" in graph.stdout, graph.stdout
    ping = vm.play("adhoc", "all", "-i", str(INVENTORY), "-m", "ping")
    assert "n11 | SUCCESS" in ping.stdout, ping.stdout


def test_an_interrupt_that_cannot_be_masked_reaches_the_kernel(vm: Vm) -> None:
    result = vm.provider.power(vm.deployment, "n11", Operation.NMI, 30)
    assert (result.changed, result.after) == (True, PowerState.ON)
    assert Deadline(60).wait_for(lambda: "NMI received" in vm.ssh("dmesg"), 1)


@pytest.mark.parametrize("name", EFFECTS)
def test_a_fault_that_only_machines_can_have_is_proved_and_healed(vm: Vm, name: str) -> None:
    """In the suite, by what its ledger says."""
    (ledger,) = vm.run.glob("tests/*/faults.jsonl")
    (record,) = [record for record in read(ledger) if record.name == name]
    assert (record.effect_proved, record.open) == (True, False)
    (effect,) = [
        line
        for line in map(json.loads, ledger.read_text().splitlines())
        if line["fault_id"] == record.id and line["event"] == "effect"
    ]
    assert re.search(EFFECTS[name], effect["message"]), effect["message"]
    print(name, effect["message"], record.message, sep=" | ")


def test_off_asks_the_guest_and_on_brings_it_back_under_its_address(vm: Vm) -> None:
    before, address = vm.boot(), vm.node.address
    options = ["-i", str(INVENTORY), "-l", "n11", "-e"]
    off = vm.play("playbook", "playbooks/node_power.yml", *options, "node_power_operation=off")
    assert off.returncode == 0, off.stdout
    assert virsh("domstate", vm.machine).strip() == "shut off"
    assert vm.node.address == address  # by its lease, so that a heal finds it as soon as it is on
    graph = vm.play("inventory", "-i", str(INVENTORY), "--graph")
    assert "@power_off:\n  |  |--n11" in graph.stdout, graph.stdout
    on = vm.play("playbook", "playbooks/node_power.yml", *options, "node_power_operation=on")
    assert on.returncode == 0, on.stdout
    assert vm.boot(before)
    assert vm.node.address == address
    assert (
        vm.ssh("journalctl --boot=-1 --output=cat _PID=1 | grep -c 'Reached target shutdown.target'") == "1"
    )


def test_reboot_is_off_and_on(vm: Vm) -> None:
    domain = virsh("domid", vm.machine)
    result = vm.provider.power(vm.deployment, "n11", Operation.REBOOT, _BOOT_SECONDS)
    assert (result.before, result.after) == (PowerState.ON, PowerState.ON)
    assert virsh("domid", vm.machine) != domain


def test_destroy_leaves_nothing(vm: Vm) -> None:
    machine = vm.machine
    assert vm.desk.call("destroy", vm.run.name).code == 0
    assert machine not in virsh("list", "--all", "--name").split()
    assert f"e2e.{vm.deployment}" not in virsh("vol-list", POOL)
    assert vm.deployment not in virsh("net-list", "--all", "--name")
    assert not list(Path("/var/lib/libvirt/images").rglob(f"*{vm.deployment}*"))
    assert not (vm.desk.home / "clouds/libvirt" / vm.deployment).exists()
    assert _commands_with(machine) == []


def _deployed(provider: LibvirtProvider, **parameters: object) -> Node:
    """A small machine that answers."""
    small = {"libvirt_memory_gb": 1, "libvirt_vcpus": 1}
    spec = DeploymentSpec(id="mine", nodes=(NodeSpec(name="n11"),), parameters={**small, **parameters})
    provider.prepare(spec)
    provider.create("mine")
    (node,) = provider.nodes("mine")
    assert _answers(node, "true && echo yes") == "yes"
    return node


def _answers(node: Node, command: str, but: str = "") -> str:
    """What a command says as soon as somebody answers, and something else than `but`."""
    return Deadline(_BOOT_SECONDS).wait_for(lambda: said if (said := ssh(node, command)) != but else "", 1)


def _learned(node: Node) -> str:
    """The host keys that ssh holds this node to."""
    options = shlex.split(str(node.variables["ansible_ssh_common_args"]))
    (file,) = [word.partition("=")[2] for word in options if word.startswith("UserKnownHostsFile=")]
    return Path(file).read_text()


def ssh(node: Node, command: str) -> str:
    """What a command says on a node, '' while nobody answers."""
    variables = {name: str(value) for name, value in node.variables.items()}
    options = shlex.split(f"{variables['ansible_ssh_common_args']} {variables['ansible_ssh_extra_args']}")
    options += ["-i", variables["ansible_ssh_private_key_file"], "-p", variables.get("ansible_port", "22")]
    options += ["-o", "ConnectTimeout=5", "-o", "BatchMode=yes"]
    address = f"{variables['ansible_user']}@{variables['ansible_host']}"
    done = subprocess.run(
        ["ssh", *options, address, command],
        capture_output=True,
        text=True,
        check=False,
        timeout=_BOOT_SECONDS,
    )
    return done.stdout.strip()


def _commands_with(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command and entry.parent.name != str(os.getpid()):
            found.append(command)
    return found
