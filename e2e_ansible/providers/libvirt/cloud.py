"""A libvirt daemon as a cloud: domains with our metadata, volumes over a base image, DHCP leases for addresses."""

from __future__ import annotations

import re
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud.machine import (
    DEPLOYMENT_TAG,
    NODE_TAG,
    Machine,
    Order,
    Pending,
    Place,
    Resource,
)
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.libvirt.acceleration import accelerator
from e2e_ansible.providers.libvirt.base import OWN_IMAGE, Base, ensure_base
from e2e_ansible.providers.libvirt.doctor import findings
from e2e_ansible.providers.libvirt.domain import Disk, Domain, domain_xml, power_of, read_tagged
from e2e_ansible.providers.libvirt.network import (
    address_of,
    ensure_network,
    leased,
    own_networks,
    remove_network,
    wake_network,
)
from e2e_ansible.providers.libvirt.seed import SERIAL, mac_of, make_seed
from e2e_ansible.providers.libvirt.size import largest_memory_mb, number, size_of
from e2e_ansible.providers.libvirt.storage import Pool, Volume
from e2e_ansible.providers.libvirt.virsh import Virsh, default_uri, passing

__all__ = ["LibvirtCloud"]

T = TypeVar("T")

_GIB = 1024**3
_MIB = 1024**2
_DEFAULT_DATA_GB = 10
_MOST_DATA_DISKS = 20
#: Below the ports that the kernel gives to connections.
_PORTS = range(20_000, 32_000)
#: A guest that is just booting, or has nobody yet who listens, does not hear the button.
_PRESS_AGAIN_SECONDS = 10.0
_LOCALHOST = "127.0.0.1"
#: As with local nodes: the default would take an emulated processor seconds for each connection.
_CHEAP_KEY_EXCHANGE = "-o KexAlgorithms=curve25519-sha256"


class LibvirtCloud:
    """The machines of one daemon. `home` holds images and what was found out about KVM."""

    name = "libvirt"
    user = "root"
    image = OWN_IMAGE
    size = ""

    def __init__(self, home: Path | None = None) -> None:
        self._home = (home or default_home()).resolve()

    @property
    def _virsh(self) -> Virsh:
        return Virsh(default_uri())

    @property
    def _pool(self) -> Pool:
        return Pool(self._virsh, self._home)

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`."""
        return findings(self._virsh, self._home)

    def make_ready(self, image: str, settings: Mapping[str, object]) -> None:
        """Build or upload the image, and find out about KVM, so that `create` has little to do.

        Raises:
            UsageError: there is no such image, or a parameter cannot be.
            ProviderError: it could not be built, or the daemon does not answer.
        """
        _checked(settings)
        self._virsh.run("version")
        ensure_base(self._pool, self._home, image, settings)
        accelerator(self._virsh, self._pool, self._home)

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`. A domain is asked for each time, so nothing depends on a record."""
        names = self._virsh.names("list", "--all", "--name")
        found = [machine for name in names if (machine := self._machine(name))]
        return [machine for machine in found if deployment in ("", machine.deployment)]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """Volumes of machines that are not there (any more or yet), and networks made for a deployment."""
        there = {(machine.deployment, machine.node) for machine in self.machines(deployment)}
        volumes = [
            Resource(
                kind="volume", id=volume.name, tags=_tags(volume), created=self._pool.created(volume.name)
            )
            for volume in self._pool.volumes(deployment)
            if (volume.deployment, volume.node) not in there
        ]
        networks = [
            Resource(kind="network", id=name, tags=tags, created=created)
            for name, (tags, created) in own_networks(self._virsh).items()
            if deployment in ("", tags.get(DEPLOYMENT_TAG))
        ]
        return [*volumes, *networks]

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """By the memory that is free where the daemon runs; processors and disks may be promised twice."""
        memory = largest_memory_mb(settings)
        stats = dict(re.findall(r"(\w+)\s*:\s*(\d+) KiB", self._virsh.run("nodememstats")))
        free = sum(int(stats.get(name, 0)) for name in ("free", "buffers", "cached"))
        return free // 1024 // memory

    def create(self, order: Order) -> None:
        """See `Cloud.create`. Disks first, then the domain, then its start."""
        _checked(order.settings)
        virsh, pool, size = self._virsh, self._pool, size_of(order)
        base = _converted(lambda: ensure_base(pool, self._home, order.image, order.settings))
        created = time.time()
        if order.machine not in virsh.names("list", "--all", "--name"):
            network = "" if virsh.is_session else ensure_network(virsh, order, created)
            domain = Domain(
                name=order.machine,
                accelerator=accelerator(virsh, pool, self._home),
                memory_mb=size.memory_mb,
                vcpus=size.vcpus,
                disks=self._disks(order, base),
                mac=mac_of(order),
                tags=order.tags,
                created=created,
                boot=base.boot,
                network=network,
                ssh_port=self._free_port(order) if virsh.is_session else 0,
            )
            virsh.run("define", "/dev/stdin", text=domain_xml(domain))
        if power_of(_state(virsh, order.machine)) is PowerState.OFF:
            virsh.run("start", order.machine)

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`."""
        for words in (("destroy", machine.machine), _undefine(machine.machine)):
            with passing(Trouble.MISSING, Trouble.CONFLICT):
                self._virsh.run(*words)
        volumes = self._pool.volumes(machine.deployment)
        self._pool.remove([volume.name for volume in volumes if volume.node == machine.node])

    def remove(self, resource: Resource) -> None:
        """See `Cloud.remove`."""
        if resource.kind == "network":
            remove_network(self._virsh, resource.id)
        else:
            self._pool.remove([resource.id])

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`. A reboot is off and on again, so that its end can be told from its beginning."""
        match operation:
            case Operation.ON:
                self._on(machine)
            case Operation.OFF:
                return self._shutdown(machine)
            case Operation.HARD_OFF:
                self._virsh.run("destroy", machine.machine)
            case Operation.REBOOT:
                return self._reboot(machine)
            case Operation.RESET:
                if machine.power is PowerState.OFF:
                    self._on(machine)
                else:
                    self._virsh.run("reset", machine.machine)
            case Operation.NMI:
                self._virsh.run("inject-nmi", machine.machine)
        return lambda: True

    def _on(self, machine: Machine) -> None:
        if machine.state == "paused":
            self._virsh.run("resume", machine.machine)
        else:
            wake_network(self._virsh, machine.machine)
            self._virsh.run("start", machine.machine)

    def _shutdown(self, machine: Machine) -> Pending:
        virsh, button = self._virsh, ("shutdown", machine.machine, "--mode", "acpi")
        virsh.run(*button)
        pressed = [Deadline(_PRESS_AGAIN_SECONDS)]

        def off() -> bool:
            if power_of(_state(virsh, machine.machine)) is PowerState.OFF:
                return True
            if pressed[0].expired:
                pressed[0] = Deadline(_PRESS_AGAIN_SECONDS)
                with passing(Trouble.CONFLICT):  # it may have gone off just now
                    virsh.run(*button)
            return False

        return off

    def _reboot(self, machine: Machine) -> Pending:
        off = self._shutdown(machine)
        started: list[bool] = []

        def done() -> bool:
            if not started and off():
                self._virsh.run("start", machine.machine)
                started.append(True)
            return bool(started)

        return done

    def _machine(self, name: str) -> Machine | None:
        virsh = self._virsh
        try:
            xml = virsh.run("dumpxml", name)
            tagged = read_tagged(xml)
            if tagged is None or not tagged.tags.get(DEPLOYMENT_TAG):
                return None
            state = _state(virsh, name)
        except CloudError as error:
            if error.trouble is Trouble.MISSING:
                return None
            raise
        power = power_of(state)
        variables: dict[str, object] = {"ansible_ssh_extra_args": _CHEAP_KEY_EXCHANGE}
        if tagged.ssh_port:
            address = _LOCALHOST
            variables["ansible_port"] = tagged.ssh_port
        else:
            address = address_of(virsh, name) if power is PowerState.ON else leased(virsh, xml)
        identifier = re.search(r"<uuid>([0-9a-f-]+)</uuid>", xml)
        return Machine(
            id=identifier[1] if identifier else name,
            machine=name,
            power=power,
            state=state,
            address=address,
            private_address="" if tagged.ssh_port else address,
            tags=tagged.tags,
            created=tagged.created,
            variables=variables,
        )

    def _disks(self, order: Order, base: Base) -> list[Disk]:
        """Those that are there already, from an attempt that was cut short, are made anew."""
        pool = self._pool
        volumes = {part: Volume(order.deployment, order.node, part).name for part in _parts(order.settings)}
        pool.remove([name for name in pool.names() if name in volumes.values()])
        root, seed, *data = volumes.items()
        size = max(base.size, size_of(order).root_mb * _MIB)
        pool.make_disk(root[1], size, base.volume, base.kind)
        with tempfile.TemporaryDirectory(prefix="e2e-seed-") as folder:
            file = _converted(lambda: make_seed(order, Path(folder)))
            pool.upload(seed[1], file, "raw", file.stat().st_size)
        for _, name in data:
            pool.make_disk(name, number(order.settings, "data_volume_size", _DEFAULT_DATA_GB) * _GIB)
        return [
            Disk(pool.path(root[1]), "e2e-root"),
            Disk(pool.path(seed[1]), SERIAL, kind="raw", readonly=True),
            *(Disk(pool.path(name), f"e2e-{part.partition('.')[0]}") for part, name in data),
        ]

    def _free_port(self, order: Order) -> int:
        """A port of the controller that is neither in use nor promised to a machine that is off."""
        names = self._virsh.names("list", "--all", "--name")
        promised = {
            tagged.ssh_port for name in names if (tagged := read_tagged(self._virsh.run("dumpxml", name)))
        }
        first = int(order.token[:8], 16) % len(_PORTS)
        ports: list[int] = [*_PORTS[first:], *_PORTS[:first]]
        for port in ports:
            if port not in promised and _is_free(port):
                return port
        raise CloudError(f"no port from {_PORTS[0]} to {_PORTS[-1]} is free", Trouble.CAPACITY)


def _converted(call: Callable[[], T]) -> T:
    """Errors of building and of programs, as errors of this cloud."""
    try:
        return call()
    except CloudError:
        raise
    except ProviderError as error:
        raise CloudError(str(error), Trouble.OTHER, hint=error.hint) from error


def _checked(settings: Mapping[str, object]) -> None:
    disks = number(settings, "data_volumes_per_node", 0)
    if disks > _MOST_DATA_DISKS:
        raise UsageError(
            f"data_volumes_per_node is {disks}", hint=f"a virtual machine takes at most {_MOST_DATA_DISKS}"
        )


def _parts(settings: Mapping[str, object]) -> list[str]:
    disks = number(settings, "data_volumes_per_node", 0)
    return ["root.qcow2", "seed.iso", *(f"data{index + 1}.qcow2" for index in range(disks))]


def _state(virsh: Virsh, name: str) -> str:
    return virsh.run("domstate", name).strip()


def _undefine(name: str) -> tuple[str, ...]:
    return ("undefine", name, "--nvram", "--managed-save", "--snapshots-metadata", "--checkpoints-metadata")


def _tags(volume: Volume) -> dict[str, str]:
    return {DEPLOYMENT_TAG: volume.deployment, NODE_TAG: volume.node}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOCALHOST, port))
        except OSError:
            return False
    return True
