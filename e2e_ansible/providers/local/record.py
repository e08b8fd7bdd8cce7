"""What is written down about a deployment before anything of it exists, and where its files are."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.local.image import DEFAULT_SUITE, image_key
from e2e_ansible.providers.local.mounts import remove_tree
from e2e_ansible.providers.names import checked_id, checked_nodes
from e2e_ansible.providers.system import locked, sync_folder, write_durably

__all__ = ["Deployment", "DeploymentRecord", "NodeRecord", "Store"]

_FIRST_HOST = 11
_INTERFACE_NAME_ROOM = 12
_RECORD = "deployment.json"


class NodeRecord(BaseModel):
    """One node; `machine` is its name among all containers of the controller."""

    model_config = ConfigDict(frozen=True)

    name: str
    labels: tuple[str, ...]
    machine: str
    machine_id: str
    address: str

    @property
    def interface(self) -> str:
        """The controller's end of the node's cable."""
        return f"vb-{self.machine}"


class DeploymentRecord(BaseModel):
    """Everything needed to remove a deployment, whatever became of its maker.

    `tag` makes names unique on the controller; `image` is the name of the tree below the nodes' disks.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    tag: str
    bridge: str
    table: str
    subnet: IPv4Network
    suite: str
    image: str
    nodes: tuple[NodeRecord, ...]

    @property
    def gateway(self) -> str:
        """The bridge's own address."""
        return str(self.subnet.network_address + 1)


class Deployment:
    """A record with its folder."""

    def __init__(self, folder: Path, record: DeploymentRecord) -> None:
        self.folder = folder
        self.record = record
        self.key = folder / "id_ed25519"
        self.known_hosts = folder / "known_hosts"
        self.client_password = folder / "client_password"

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


class Store:
    """All deployments below one home folder (0700)."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.images = home / "images"
        self.folder = home / "deployments"

    def open(self) -> None:
        """Make the folders."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def ids(self) -> list[str]:
        """Ids of all recorded deployments, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if (entry / _RECORD).is_file())

    def find(self, deployment: str) -> Deployment | None:
        """A recorded deployment, None when there is none of that id.

        Raises:
            ProviderError: its record cannot be read.
        """
        folder = self.folder / checked_id(deployment)
        try:
            text = (folder / _RECORD).read_text(encoding="utf-8")
            return Deployment(folder, DeploymentRecord.model_validate_json(text))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise ProviderError(f"the record of deployment {deployment} cannot be read: {error}") from error

    def load(self, deployment: str) -> Deployment:
        """A recorded deployment.

        Raises:
            ProviderError: there is none of that id.
        """
        found = self.find(deployment)
        if found is None:
            raise ProviderError(f"deployment {deployment} is not known", hint=f"looked in {self.folder}")
        return found

    def records(self) -> list[DeploymentRecord]:
        """All records."""
        return [found.record for name in self.ids() if (found := self.find(name))]

    @contextmanager
    def lock(self, seconds: float = 60) -> Iterator[None]:
        """Keep other processes from choosing names and subnets."""
        self.open()
        with locked(self.home / "lock", seconds):
            yield

    def add(self, record: DeploymentRecord) -> Deployment:
        """Make a deployment's folder, with its record or not at all. Call it under the lock."""
        for stale in (*self.folder.glob(".new-*"), *self.folder.glob(".gone-*")):
            remove_tree(stale)
        fresh = self.folder / f".new-{record.id}"
        fresh.mkdir(mode=0o700)
        write_durably(fresh / _RECORD, record.model_dump_json(indent=2) + "\n")
        fresh.rename(self.folder / record.id)
        sync_folder(self.folder)
        return self.load(record.id)

    def forget(self, deployment: Deployment) -> None:
        """Remove a deployment's folder; under its name it is there completely or not at all."""
        gone = self.folder / f".gone-{deployment.record.id}"
        with self.lock():
            if gone.exists():
                remove_tree(gone)
            deployment.folder.rename(gone)
            remove_tree(gone)


def new_record(spec: DeploymentSpec, home: Path, subnet: IPv4Network) -> DeploymentRecord:
    """Fix every name of a deployment. The tag depends on home and id, so that two homes share no name."""
    tag = hashlib.sha256(f"{home}\0{spec.id}".encode()).hexdigest()[:6]
    suite = str(spec.parameters.get("suite", DEFAULT_SUITE))
    return DeploymentRecord(
        id=checked_id(spec.id),
        owner=spec.owner,
        tag=tag,
        bridge=f"e2e{tag}",
        table=f"e2e_{tag}",
        subnet=subnet,
        suite=suite,
        image=image_key(suite),
        nodes=_nodes(tag, subnet, checked_nodes(spec.nodes)),
    )


def _nodes(tag: str, subnet: IPv4Network, nodes: Sequence[NodeSpec]) -> tuple[NodeRecord, ...]:
    """Machines are named after their nodes, or numbered where an interface has no room for every name."""
    fits = all(len(f"{tag}-{node.name}") <= _INTERFACE_NAME_ROOM for node in nodes)
    return tuple(
        NodeRecord(
            name=node.name,
            labels=node.labels,
            machine=f"{tag}-{node.name if fits else index}",
            machine_id=uuid.uuid4().hex,
            address=str(subnet.network_address + _FIRST_HOST + index),
        )
        for index, node in enumerate(nodes)
    )
