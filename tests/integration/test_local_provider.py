"""Three real containers: made, reached, crashed, started again and removed without a trace."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import CleanUpError, ProviderError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, Node, NodeSpec, Operation
from e2e_ansible.providers.local import deployment as work
from e2e_ansible.providers.local import processes
from e2e_ansible.providers.local.driver import LocalProvider
from e2e_ansible.providers.local.record import DeploymentRecord, Store

pytestmark = pytest.mark.nodes
NAMES = ("n11", "n12", "n13")


def fresh_id() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


def prepare(provider: LocalProvider, deployment: str, names: tuple[str, ...] = NAMES) -> DeploymentRecord:
    provider.prepare(DeploymentSpec(id=deployment, nodes=tuple(NodeSpec(name=name) for name in names)))
    return Store(provider.home).load(deployment).record


@pytest.fixture(scope="module")
def provider() -> LocalProvider:
    """Shares the default home for its image; deployments have random ids."""
    made = LocalProvider()
    assert [finding.detail for finding in made.doctor() if not finding.ok] == []
    return made


@pytest.fixture(scope="module")
def deployment(provider: LocalProvider) -> Iterator[str]:
    name = fresh_id()
    try:
        prepare(provider, name)
        provider.create(name)
        yield name
    finally:
        provider.destroy(name)


def ssh(node: Node, command: str) -> subprocess.CompletedProcess[str]:
    arguments = shlex.split(str(node.variables["ansible_ssh_common_args"]))
    key = str(node.variables["ansible_ssh_private_key_file"])
    argv = [
        "ssh",
        "-i",
        key,
        *arguments,
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=2",
        f"root@{node.address}",
    ]
    return subprocess.run([*argv, command], capture_output=True, text=True, timeout=30, check=False)


def answer(node: Node, command: str, seconds: float = 20) -> str:
    result = Deadline(seconds).wait_for(lambda: r if (r := ssh(node, command)).returncode == 0 else None)
    assert result is not None, ssh(node, command).stderr
    return result.stdout.strip()


def node_of(provider: LocalProvider, deployment: str, name: str = "n11") -> Node:
    return next(node for node in provider.nodes(deployment) if node.name == name)


def boot_id(node: Node) -> str:
    return answer(node, "cat /proc/sys/kernel/random/boot_id")


def state(provider: LocalProvider, deployment: str, name: str = "n11") -> PowerState:
    return node_of(provider, deployment, name).power


def ensure_on(provider: LocalProvider, deployment: str, name: str = "n11") -> Node:
    provider.power(deployment, name, Operation.ON, 30)
    node = node_of(provider, deployment, name)
    answer(node, "true")
    return node


def traces(record: DeploymentRecord, home: Path) -> str:
    """What is seen of a deployment on the controller, by other means than the provider's own."""
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/mounts").read_text()
    lines = [
        line for line in (links + tables + mounts).splitlines() if record.tag in line or record.id in line
    ]
    lines += [str(process.pid) for process in processes.marked({"E2E_DEPLOYMENT": record.id})]
    # Groups of others may go while this walks, which Path.glob does not stand.
    groups = (f"{top}/{name}" for top, names, _ in os.walk("/sys/fs/cgroup") for name in names)
    lines += [group for group in groups if Path(group).name.startswith(f"e2e-{record.tag}-")]
    lines += [str(path) for path in (home / "deployments").glob(f"*{record.id}*")]
    return "\n".join(lines)


def test_nodes_are_reached_soon_and_are_themselves(provider: LocalProvider) -> None:
    name = fresh_id()
    try:
        record = prepare(provider, name)
        began = time.monotonic()
        assert provider.create(name)
        assert not provider.create(name)
        for node in provider.nodes(name):
            assert answer(node, "hostname; cat /etc/machine-id; id -u").split() == [
                node.name,
                node.machine_id,
                "0",
            ]
        assert time.monotonic() - began < 6
        for node in provider.nodes(name):
            assert answer(node, "systemctl is-system-running --wait || systemctl --failed") == "running"
        assert traces(record, provider.home)
    finally:
        assert provider.destroy(name)
    assert traces(record, provider.home) == ""
    assert not provider.destroy(name)
    with pytest.raises(ProviderError, match="not known"):
        provider.nodes(name)


def test_secrets_are_private(provider: LocalProvider, deployment: str) -> None:
    folder = provider.home / "deployments" / deployment
    for path in ("id_ed25519", "client_password", "deployment.json"):
        assert (folder / path).stat().st_mode & 0o777 == 0o600


def test_nodes_reach_each_other_by_name(provider: LocalProvider, deployment: str) -> None:
    node = ensure_on(provider, deployment)
    ensure_on(provider, deployment, "n12")
    assert "SSH-2.0" in answer(node, "timeout 5 bash -c 'read -r line </dev/tcp/n12/22; echo $line'")


def test_a_service_stopped_on_one_node_runs_on_the_others(provider: LocalProvider, deployment: str) -> None:
    for name in NAMES:
        ensure_on(provider, deployment, name)
    answer(
        node_of(provider, deployment, "n12"), "systemctl stop dbus.socket dbus.service systemd-logind.service"
    )
    other = node_of(provider, deployment, "n11")
    assert answer(other, "systemctl is-active dbus.service systemd-logind.service").split() == [
        "active",
        "active",
    ]


def test_a_disk_survives_a_crash(provider: LocalProvider, deployment: str) -> None:
    node = ensure_on(provider, deployment)
    answer(node, "echo kept >/root/file")
    before = boot_id(node)
    result = provider.power(deployment, "n11", Operation.HARD_OFF, 20)
    assert (result.changed, result.before, result.after) == (True, PowerState.ON, PowerState.OFF)
    assert not provider.power(deployment, "n11", Operation.HARD_OFF, 20).changed
    assert ssh(node, "true").returncode == 255
    assert state(provider, deployment, "n12") is PowerState.ON
    node = ensure_on(provider, deployment)
    assert answer(node, "cat /root/file") == "kept"
    assert boot_id(node) != before


def test_on_and_off_are_idempotent(provider: LocalProvider, deployment: str) -> None:
    ensure_on(provider, deployment)
    assert not provider.power(deployment, "n11", Operation.ON, 20).changed
    assert provider.power(deployment, "n11", Operation.OFF, 30).after is PowerState.OFF
    assert not provider.power(deployment, "n11", Operation.OFF, 30).changed
    assert provider.power(deployment, "n11", Operation.ON, 20).changed


def test_off_is_an_orderly_shutdown(provider: LocalProvider, deployment: str) -> None:
    node = ensure_on(provider, deployment)
    answer(node, "systemd-run -q --unit=witness -p ExecStop='/bin/touch /root/stopped' sleep 600")
    provider.power(deployment, "n11", Operation.OFF, 30)
    assert answer(ensure_on(provider, deployment), "rm /root/stopped && echo was there") == "was there"


def test_off_right_after_on_is_not_lost(provider: LocalProvider, deployment: str) -> None:
    provider.power(deployment, "n11", Operation.RESET, 30)
    assert provider.power(deployment, "n11", Operation.OFF, 30).after is PowerState.OFF


@pytest.mark.parametrize("operation", [Operation.REBOOT, Operation.RESET])
def test_a_reboot_is_a_new_boot(provider: LocalProvider, deployment: str, operation: Operation) -> None:
    before = boot_id(ensure_on(provider, deployment))
    assert provider.power(deployment, "n11", operation, 30).after is PowerState.ON
    assert boot_id(node_of(provider, deployment)) != before


def test_a_reboot_from_inside_comes_back(provider: LocalProvider, deployment: str) -> None:
    node = ensure_on(provider, deployment)
    before = boot_id(node)
    ssh(node, "reboot")
    assert Deadline(20).wait_for(
        lambda: (
            (r := ssh(node, "cat /proc/sys/kernel/random/boot_id")).returncode == 0
            and r.stdout.strip() != before
        )
    )


@pytest.mark.parametrize("command", ["poweroff", "poweroff -f", "halt -f -f"])
def test_a_power_off_from_inside_is_seen(provider: LocalProvider, deployment: str, command: str) -> None:
    ssh(ensure_on(provider, deployment), command)
    assert Deadline(20).wait_for(lambda: state(provider, deployment) is PowerState.OFF)


def test_a_keeper_that_was_killed_does_not_hide_its_node(provider: LocalProvider, deployment: str) -> None:
    ensure_on(provider, deployment)
    store = Store(provider.home)
    found = store.load(deployment)
    node = work.local_node(found, found.node("n11"), store)
    processes.send(node.running().keepers[0], signal.SIGKILL)
    assert state(provider, deployment) is PowerState.ON
    provider.power(deployment, "n11", Operation.HARD_OFF, 20)
    assert state(provider, deployment) is PowerState.OFF


def test_a_killed_nspawn_leaves_a_node_that_can_be_stopped(provider: LocalProvider, deployment: str) -> None:
    ensure_on(provider, deployment)
    store = Store(provider.home)
    found = store.load(deployment)
    node = work.local_node(found, found.node("n11"), store)
    for process in node.running().others:
        processes.send(process, signal.SIGKILL)
    provider.power(deployment, "n11", Operation.HARD_OFF, 20)
    assert state(provider, deployment) is PowerState.OFF
    ensure_on(provider, deployment)


def test_packages_can_be_looked_up(provider: LocalProvider, deployment: str) -> None:
    assert "Candidate: 15" in answer(ensure_on(provider, deployment), "apt-cache policy postgresql-15")
    assert (
        answer(node_of(provider, deployment), "pg_lsclusters -h; systemctl is-enabled cockpit.socket || true")
        == "disabled"
    )


def test_two_deployments_do_not_disturb_each_other(provider: LocalProvider, deployment: str) -> None:
    ensure_on(provider, deployment)
    other = fresh_id()
    try:
        record = prepare(provider, other, ("n11",))
        provider.create(other)
        answer(node_of(provider, other), "true")
    finally:
        provider.destroy(other)
    assert traces(record, provider.home) == ""
    answer(node_of(provider, deployment), "true")


def test_what_is_in_use_is_named_and_can_be_removed_later(provider: LocalProvider) -> None:
    name = fresh_id()
    try:
        record = prepare(provider, name, ("n11",))
        provider.create(name)
        root = provider.home / "deployments" / name / "nodes" / "n11" / "root"
        with (root / "etc" / "hostname").open(), pytest.raises(CleanUpError) as caught:
            provider.destroy(name)
        assert f"umount {root}" in caught.value.hint
        assert name in provider.deployments()
    finally:
        assert provider.destroy(name)
    assert traces(record, provider.home) == ""


@pytest.mark.parametrize("milliseconds", [0, 20, 40, 60, 80, 100, 130, 160, 200, 300])
def test_a_maker_that_was_killed_leaves_nothing_that_cannot_be_removed(
    provider: LocalProvider, milliseconds: int
) -> None:
    name = fresh_id()
    code = (
        "from e2e_ansible.providers.local.driver import LocalProvider\n"
        f"provider = LocalProvider(); print(flush=True); provider.create({name!r})"
    )
    try:
        record = prepare(provider, name)
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, env=dict(os.environ)
        ) as maker:
            assert maker.stdout is not None
            maker.stdout.readline()
            time.sleep(milliseconds / 1000)
            maker.kill()
    finally:
        assert provider.destroy(name)
    assert traces(record, provider.home) == ""
