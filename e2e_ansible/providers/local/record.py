"""What is written down about a deployment before anything of it exists, and where its files are."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers import store
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.local.image import image_key
from e2e_ansible.providers.names import checked_id, checked_nodes
from e2e_ansible.providers.releases import DEFAULT_SUITE, Release, debian_suite
from e2e_ansible.providers.store import Record, RecordFolder
from e2e_ansible.suite.hardware import Hardware, hardware_of, read_hardware

__all__ = ["Deployment", "DeploymentRecord", "NodeRecord", "Store"]

_FIRST_HOST = 11
_INTERFACE_NAME_ROOM = 12


class NodeRecord(BaseModel):
    """One node; `machine` is its name among all containers of the controller.

    More than `cpus` processors and `memory_mb` MiB it does not get, where the kernel lets that be said.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    labels: tuple[str, ...]
    machine: str
    machine_id: str
    address: str
    cpus: float | None = None
    memory_mb: int | None = None

    @property
    def interface(self) -> str:
        """The controller's end of the node's cable."""
        return f"vb-{self.machine}"


class DeploymentRecord(Record):
    """Everything needed to remove a deployment, whatever became of its maker.

    `tag` makes names unique on the controller; `image` is the name of the tree below the nodes' disks.
    """

    owner: str
    tag: str
    bridge: str
    table: str
    subnet: IPv4Network
    suite: str
    pgdg: str = ""
    image: str
    nodes: tuple[NodeRecord, ...]

    @property
    def release(self) -> Release:
        """What the image is made of."""
        return Release(self.suite, self.pgdg)

    @property
    def gateway(self) -> str:
        """The bridge's own address."""
        return str(self.subnet.network_address + 1)


class Deployment(RecordFolder[DeploymentRecord]):
    """A record with its folder."""

    def node(self, name: str) -> NodeRecord:
        """The record of one node.

        Raises:
            ProviderError: the deployment has no such node.
        """
        for node in self.record.nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self.record.nodes)
        raise ProviderError(f"deployment {self.record.id} has no node {name!r}; it has {names}")

    def node_folder(self, node: NodeRecord) -> Path:
        """Where the overlay, the keeper and the console log of a node are."""
        return self.folder / "nodes" / node.name


class Store(store.Store[DeploymentRecord, Deployment]):
    """All local deployments below one home folder (0700), and the images of their nodes."""

    record_type = DeploymentRecord
    folder_type = Deployment

    def __init__(self, home: Path) -> None:
        super().__init__(home, "deployments")
        self.images = home / "images"

    @property
    def lock_file(self) -> Path:
        """One for all of the home: names and subnets are unique on a controller."""
        return self.home / "lock"


def new_record(spec: DeploymentSpec, home: Path, subnet: IPv4Network) -> DeploymentRecord:
    """Fix every name of a deployment. The tag depends on home and id, so that two homes share no name."""
    tag = hashlib.sha256(f"{home}\0{spec.id}".encode()).hexdigest()[:6]
    given = spec.parameters
    suite = str(given.get("suite") or debian_suite(str(given.get("image") or "")) or DEFAULT_SUITE)
    release = Release(suite, str(given.get("pgdg") or ""))
    return DeploymentRecord(
        id=checked_id(spec.id),
        owner=spec.owner,
        tag=tag,
        bridge=f"e2e{tag}",
        table=f"e2e_{tag}",
        subnet=subnet,
        suite=release.suite,
        pgdg=release.pgdg,
        image=image_key(release),
        nodes=_nodes(tag, subnet, checked_nodes(spec.nodes), read_hardware(given.get("hardware"))),
    )


def _nodes(
    tag: str, subnet: IPv4Network, nodes: Sequence[NodeSpec], hardware: Mapping[str, Hardware]
) -> tuple[NodeRecord, ...]:
    """Machines are named after their nodes, or numbered where an interface has no room for every name."""
    fits = all(len(f"{tag}-{node.name}") <= _INTERFACE_NAME_ROOM for node in nodes)
    return tuple(
        NodeRecord(
            name=node.name,
            labels=node.labels,
            machine=f"{tag}-{node.name if fits else index}",
            machine_id=uuid.uuid4().hex,
            address=str(subnet.network_address + _FIRST_HOST + index),
            cpus=said.cpus,
            memory_mb=None if said.memory_gb is None else round(said.memory_gb * 1024),
        )
        for index, node in enumerate(nodes)
        for said in (hardware_of(node.labels, hardware) or Hardware.nothing(),)
    )
