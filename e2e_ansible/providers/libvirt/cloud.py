"""A libvirt daemon as a cloud: domains with our metadata, volumes over a base image, DHCP leases for addresses."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud.machine import (
    DEPLOYMENT_TAG,
    NODE_TAG,
    Cloud,
    Machine,
    Order,
    Pending,
    Place,
    Resource,
)
from e2e_ansible.providers.cloud.trouble import Trouble, passing
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.libvirt.acceleration import accelerator
from e2e_ansible.providers.libvirt.base import OWN_IMAGE, ensure_base
from e2e_ansible.providers.libvirt.disks import checked_disks, converted, make_disks
from e2e_ansible.providers.libvirt.doctor import findings
from e2e_ansible.providers.libvirt.domain import Domain, domain_xml, power_of
from e2e_ansible.providers.libvirt.machine import read_machine, state_of
from e2e_ansible.providers.libvirt.network import ensure_network, own_networks, remove_network
from e2e_ansible.providers.libvirt.port import free_port
from e2e_ansible.providers.libvirt.power import power
from e2e_ansible.providers.libvirt.seed import mac_of
from e2e_ansible.providers.libvirt.size import largest_memory_mb, size_of
from e2e_ansible.providers.libvirt.storage import Pool, Volume
from e2e_ansible.providers.libvirt.virsh import Virsh, default_uri

__all__ = ["LibvirtCloud"]


class LibvirtCloud(Cloud):
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
        checked_disks(settings)
        self._virsh.run("version")
        ensure_base(self._pool, self._home, image, settings)
        accelerator(self._virsh, self._pool, self._home)

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`. A domain is asked for each time, so nothing depends on a record."""
        names = self._virsh.names("list", "--all", "--name")
        found = [machine for name in names if (machine := read_machine(self._virsh, name))]
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
        checked_disks(order.settings)
        virsh, pool, size = self._virsh, self._pool, size_of(order)
        base = converted(lambda: ensure_base(pool, self._home, order.image, order.settings))
        created = time.time()
        if order.machine not in virsh.names("list", "--all", "--name"):
            network = "" if virsh.is_session else ensure_network(virsh, order, created)
            domain = Domain(
                name=order.machine,
                accelerator=accelerator(virsh, pool, self._home),
                memory_mb=size.memory_mb,
                vcpus=size.vcpus,
                disks=make_disks(pool, order, base),
                mac=mac_of(order),
                tags=order.tags,
                created=created,
                boot=base.boot,
                network=network,
                ssh_port=free_port(virsh, order) if virsh.is_session else 0,
            )
            virsh.run("define", "/dev/stdin", text=domain_xml(domain))
        if power_of(state_of(virsh, order.machine)) is PowerState.OFF:
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
        """See `Cloud.power`."""
        return power(self._virsh, machine, operation)


def _undefine(name: str) -> tuple[str, ...]:
    return ("undefine", name, "--nvram", "--managed-save", "--snapshots-metadata", "--checkpoints-metadata")


def _tags(volume: Volume) -> dict[str, str]:
    return {DEPLOYMENT_TAG: volume.deployment, NODE_TAG: volume.node}
