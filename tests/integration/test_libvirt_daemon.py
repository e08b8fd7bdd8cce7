"""The provider `libvirt` on a real daemon, with guests of one sector that start in no time and hear nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from libvirt_daemon import libvirt_daemon, session_daemon, virsh
from role_nodes import REPOSITORY

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec, Operation
from e2e_ansible.providers.cloud.machine import NODE_TAG
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.libvirt import acceleration, network
from e2e_ansible.providers.libvirt.cloud import LibvirtCloud
from e2e_ansible.providers.libvirt.driver import LibvirtProvider
from e2e_ansible.providers.libvirt.storage import Pool
from e2e_ansible.providers.libvirt.virsh import Virsh

pytestmark = pytest.mark.nodes

POOL = "e2e-ansible"
PACE = Pace(call=30, whole=5, look=0.2)
#: cli; hlt; and again, should something wake it.
DEAF = bytes((0xFA, 0xF4, 0xEB, 0xFC)).ljust(510, b"\0") + b"\x55\xaa"


@pytest.fixture(scope="module", autouse=True)
def daemon() -> Iterator[str]:
    """A daemon; at the end there is no domain, volume or network more than at the beginning."""
    with libvirt_daemon() as uri:
        before = _things()
        yield uri
        left = {
            thing for thing in _things() - before if "crash-vm" not in thing
        }  # that of a test beside this one
        assert left == set()


@pytest.fixture(autouse=True)
def _emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_LIBVIRT_ACCEL", "tcg")
    monkeypatch.delenv("E2E_LIBVIRT_URI", raising=False)
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk whose guest runs and hears no button; its base volume goes at the end."""
    path = tmp_path_factory.mktemp("images") / "deaf.img"
    path.write_bytes(DEAF.ljust(1024**2, b"\0"))
    yield path
    for name in _volumes():
        if name.startswith("given-"):
            virsh("vol-delete", name, "--pool", POOL)


@pytest.fixture
def provider(tmp_path: Path) -> LibvirtProvider:
    return LibvirtProvider(tmp_path / "home", PACE)


@pytest.fixture
def deaf(provider: LibvirtProvider, image: Path, tmp_path: Path) -> Iterator[LibvirtProvider]:
    """A provider with the deployment `deaf`, one node n11 that runs; made without waiting for its address."""
    provider.prepare(_spec("deaf", image))
    _order(tmp_path / "home", "deaf")
    yield provider
    provider.destroy("deaf")


def test_a_guest_without_an_address_is_never_ready_and_is_removed(
    provider: LibvirtProvider, image: Path
) -> None:
    provider.prepare(_spec("mute", image))
    with pytest.raises(ProviderError, match=r"n11 is running, without an address"):
        provider.create("mute")
    assert _of("mute") == set()
    assert provider.destroy("mute")


def test_memory_that_is_not_there_stops_before_anything_is_made(
    provider: LibvirtProvider, image: Path
) -> None:
    provider.prepare(_spec("large", image, libvirt_memory_gb=4096))
    with pytest.raises(CloudError, match=r"1 machines are wanted, and the quota leaves 0") as refused:
        provider.create("large")
    assert refused.value.trouble is Trouble.QUOTA
    assert _of("large") == set()


def test_without_a_daemon_the_error_says_what_to_start(
    provider: LibvirtProvider, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"qemu:///system?socket={tmp_path}/none"
    monkeypatch.setenv("E2E_LIBVIRT_URI", uri)
    with pytest.raises(
        ProviderError, match=r"no libvirt daemon answers at qemu:///system\?socket="
    ) as refused:
        provider.prepare(_spec("lost", image))
    assert "systemctl start libvirtd" in refused.value.hint
    (finding,) = [finding for finding in provider.doctor() if finding.name == "libvirt"]
    assert not finding.ok
    assert "systemctl start libvirtd" in finding.detail


def test_the_standard_variable_names_the_daemon_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu:///system?socket=/nowhere")
    with pytest.raises(ProviderError, match="socket=/nowhere"):
        LibvirtCloud().machines()


def test_an_image_that_is_not_there(provider: LibvirtProvider, image: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no image .*daef\.img") as refused:
        provider.prepare(_spec("typo", image.with_name("daef.img")))
    assert refused.value.hint == f"did you mean {image}?"


def test_a_network_that_is_not_there(provider: LibvirtProvider, image: Path) -> None:
    provider.prepare(_spec("netless", image, network="no-such-network"))
    with pytest.raises(CloudError, match="has no network 'no-such-network'") as refused:
        provider.create("netless")
    assert "default" in refused.value.hint
    assert _of("netless") == set()


def test_a_guest_that_ignores_the_button_is_an_error_at_the_deadline(deaf: LibvirtProvider) -> None:
    with pytest.raises(
        ProviderError, match=r"off of n11 .* was not done after 2 s; libvirt says it is running"
    ):
        deaf.power("deaf", "n11", Operation.OFF, 2)
    with pytest.raises(ProviderError, match=r"reboot of n11 .* was not done after 1 s"):
        deaf.power("deaf", "n11", Operation.REBOOT, 1)
    assert _state(deaf, "deaf") == "running"


def test_power_that_asks_no_guest(deaf: LibvirtProvider) -> None:
    off = deaf.power("deaf", "n11", Operation.HARD_OFF, 10)
    assert (off.changed, off.before, off.after) == (True, PowerState.ON, PowerState.OFF)
    assert _state(deaf, "deaf") == "shut off"
    again = deaf.power("deaf", "n11", Operation.HARD_OFF, 10)
    assert not again.changed
    virsh("start", _machine(deaf, "deaf"))
    nmi = deaf.power("deaf", "n11", Operation.NMI, 10)
    assert (nmi.changed, nmi.after) == (True, PowerState.ON)


def test_a_machine_is_found_powered_and_removed_without_any_record(
    deaf: LibvirtProvider, tmp_path: Path
) -> None:
    stranger = LibvirtProvider(tmp_path / "another", PACE)
    assert "deaf" in stranger.deployments()
    (found,) = [each for each in stranger.deployed() if each.deployment == "deaf"]
    assert found.run == "a-run"
    assert found.expires > found.created > 0
    (node,) = stranger.nodes("deaf")
    assert (node.name, node.labels, node.power) == ("n11", ("database", "site_a"), PowerState.ON)
    assert stranger.destroy("deaf")
    assert _of("deaf") == set()
    assert not stranger.destroy("deaf")


def test_a_domain_of_somebody_else_is_nobody_of_ours(deaf: LibvirtProvider, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.xml"
    foreign.write_text(
        "<domain type='qemu'><name>deaf-foreign-n11</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    )
    virsh("define", str(foreign))
    try:
        assert {node.name for node in deaf.nodes("deaf")} == {"n11"}
        deaf.destroy("deaf")
        assert "deaf-foreign-n11" in virsh("list", "--all", "--name").split()
    finally:
        virsh("undefine", "deaf-foreign-n11")


def test_data_disks_and_a_larger_root(deaf: LibvirtProvider, image: Path, tmp_path: Path) -> None:
    deaf.prepare(_spec("disks", image, data_volumes_per_node=2, data_volume_size=3, root_volume_size=5))
    _order(tmp_path / "home", "disks")
    described = {name: virsh("vol-info", name, "--pool", POOL) for name in _of("disks") if "qcow2" in name}
    sizes = {
        name.split(".")[3]: text.split("Capacity:")[1].split("\n")[0].split()[0]
        for name, text in described.items()
    }
    assert sizes == {"root": "5.00", "data1": "3.00", "data2": "3.00"}
    assert "e2e-data2" in virsh("dumpxml", _machine(deaf, "disks"))
    deaf.destroy("disks")
    assert _of("disks") == set()


def test_a_network_of_its_own_where_there_is_no_default(
    provider: LibvirtProvider, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_DEFAULT", "not-there")
    provider.prepare(_spec("alone", image))
    _order(tmp_path / "home", "alone")
    assert "e2e-alone" in virsh("net-list", "--name").split()
    provider.power("alone", "n11", Operation.HARD_OFF, 10)
    virsh("net-destroy", "e2e-alone")  # as a boot of the host does
    cloud = LibvirtCloud(tmp_path / "home")
    cloud.power(cloud.machines("alone")[0], Operation.ON)
    assert _state(provider, "alone") == "running"
    assert provider.destroy("alone")
    assert _of("alone") == set()


_KILLED = """
import os, signal, sys
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.libvirt.driver import LibvirtProvider
from e2e_ansible.providers.libvirt.virsh import Virsh

plain = Virsh.run

def killed(self, *words, **more):
    said = plain(self, *words, **more)
    if words[0] == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    return said

Virsh.run = killed
LibvirtProvider(pace=Pace(call=30, whole=5, look=0.2)).create("cut")
"""


@pytest.mark.parametrize("at", ["vol-create", "vol-upload", "define", "start"])
def test_what_a_killed_create_has_left_is_found_and_removed(
    provider: LibvirtProvider, image: Path, tmp_path: Path, at: str
) -> None:
    provider.prepare(_spec("cut", image))
    variables = {"E2E_ANSIBLE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", _KILLED, at]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert _of("cut") != set()
    stranger = LibvirtProvider(tmp_path / "another", PACE)
    assert "cut" in [each.deployment for each in stranger.deployed()]
    assert stranger.destroy("cut")
    assert _of("cut") == set()


def test_kvm_is_believed_only_when_a_guest_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown with the emulator in the place of KVM, which boots a guest that reboots and none that halts."""
    pool, asked = Pool(Virsh("qemu:///system"), tmp_path), Virsh("qemu:///system")
    monkeypatch.setattr(acceleration, "_SECONDS", 2.0)
    acceleration._end(asked, pool)
    assert acceleration._boots(asked, pool, "qemu") == (True, "a guest booted on it")
    acceleration._end(asked, pool)
    monkeypatch.setattr(acceleration, "_JUMP", DEAF)
    assert acceleration._boots(asked, pool, "qemu") == (False, "a guest did not boot on it in 2 s")
    acceleration._end(asked, pool)
    assert "e2e-kvm-probe" not in virsh("list", "--all", "--name").split()


def test_the_answer_about_kvm_is_kept_until_the_next_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("E2E_LIBVIRT_ACCEL")
    asked = Virsh("qemu:///system")
    kind = acceleration.accelerator(asked, Pool(asked, tmp_path), tmp_path)
    answer = acceleration.known_answer(asked, tmp_path)
    assert answer is not None
    assert kind == ("kvm" if answer.works else "qemu")
    dead = Virsh("qemu:///system?socket=/nowhere")
    kept = (tmp_path / "libvirt-acceleration.json").read_text().replace(asked.uri, dead.uri)
    (tmp_path / "libvirt-acceleration.json").write_text(kept)
    assert acceleration.accelerator(dead, Pool(dead, tmp_path), tmp_path) == kind  # nobody was asked
    (tmp_path / "libvirt-acceleration.json").write_text(kept.replace(answer.boot, "another boot"))
    with pytest.raises(CloudError, match="no libvirt daemon answers"):
        acceleration.accelerator(dead, Pool(dead, tmp_path), tmp_path)


def test_the_daemon_of_a_user_forwards_a_port_for_ssh(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_daemon() as (uri, home):
        monkeypatch.setenv("E2E_LIBVIRT_URI", uri)
        provider = LibvirtProvider(home, PACE)
        provider.prepare(_spec("mine", image, nodes=2))
        assert provider.create("mine")
        nodes = provider.nodes("mine")
        assert [node.variables["ansible_host"] for node in nodes] == ["127.0.0.1", "127.0.0.1"]
        ports = {int(str(node.variables["ansible_port"])) for node in nodes}
        assert len(ports) == 2
        assert ports <= _listening()
        assert provider.power("mine", "n11", Operation.HARD_OFF, 10).after is PowerState.OFF
        assert provider.power("mine", "n11", Operation.ON, 10).after is PowerState.ON
        assert {int(str(node.variables["ansible_port"])) for node in provider.nodes("mine")} == ports
        assert provider.destroy("mine")
        assert list((home / "libvirt").glob("e2e.*")) == []


def _spec(name: str, image: Path, nodes: int = 1, **parameters: object) -> DeploymentSpec:
    return DeploymentSpec(
        id=name,
        nodes=tuple(NodeSpec(name=f"n{11 + index}", labels=("database", "site_a")) for index in range(nodes)),
        parameters={"image": str(image), "libvirt_memory_gb": 1, "libvirt_vcpus": 1, **parameters},
        owner="/somewhere/a-run",
    )


def _order(home: Path, name: str) -> None:
    """Make the machines as `create` would, without waiting for what these guests never get."""
    cloud = LibvirtCloud(home)
    recorded = LibvirtProvider(home, PACE)._store.load(name)
    for node in recorded.record.nodes:
        order = recorded.record.order(node, recorded.record.places[0], recorded.public_key)
        assert order.tags[NODE_TAG] == node.name
        cloud.create(order)


def _machine(provider: LibvirtProvider, name: str) -> str:
    return str(provider.nodes(name)[0].variables["e2e_machine"])


def _state(provider: LibvirtProvider, name: str) -> str:
    return virsh("domstate", _machine(provider, name)).strip()


def _volumes() -> list[str]:
    if POOL not in virsh("pool-list", "--name").split():
        return []
    return [line.split()[0] for line in virsh("vol-list", POOL).splitlines() if line.strip()]


def _things() -> set[str]:
    """All that can be left, images excepted."""
    volumes = {name for name in _volumes() if name.startswith(("e2e.", "probe"))}
    return (
        volumes
        | set(virsh("list", "--all", "--name").split())
        | set(virsh("net-list", "--all", "--name").split())
    )


def _of(deployment: str) -> set[str]:
    """What there is of a deployment."""
    return {name for name in _things() if deployment in name.replace(".", "-").split("-")}


def _listening() -> set[int]:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {int(line.split()[1].partition(":")[2], 16) for line in lines if line.split()[3] == "0A"}
