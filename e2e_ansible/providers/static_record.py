"""Which machines a deployment of provider `static` has. The record is also the reservation: one test at a time."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local.mounts import remove_tree
from e2e_ansible.providers.names import checked_id
from e2e_ansible.providers.static_inventory import Machine
from e2e_ansible.providers.system import locked, sync_folder, write_durably

__all__ = ["StaticDeployment", "StaticNode", "StaticRecord", "StaticStore"]

_RECORD = "deployment.json"


class StaticNode(BaseModel):
    """A node and its machine. `keys` are what was known to be its own when it was reserved."""

    model_config = ConfigDict(frozen=True)

    name: str
    labels: tuple[str, ...]
    machine: Machine
    keys: frozenset[str] = frozenset()


class StaticRecord(BaseModel):
    """A deployment; `folder` is that of its run, or ''. Times are in seconds since 1970; it holds no secret."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    run: str
    folder: str
    inventory: str
    user: str
    created: float
    expires: float
    nodes: tuple[StaticNode, ...]


class StaticDeployment:
    """A record with its folder (0700): known hosts, and the password of the database's client."""

    def __init__(self, folder: Path, record: StaticRecord) -> None:
        self.folder = folder
        self.record = record
        self.known_hosts = folder / "known_hosts"
        self.client_password = folder / "client_password"

    def node(self, name: str) -> StaticNode:
        """One node.

        Raises:
            ProviderError: there is no such node.
        """
        for node in self.record.nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self.record.nodes)
        raise ProviderError(f"deployment {self.record.id} has no node {name!r}; it has {names}")


class StaticStore:
    """All deployments of existing machines below the home folder."""

    def __init__(self, home: Path | None = None) -> None:
        self.folder = (home or default_home()) / "static"

    def ids(self) -> list[str]:
        """Ids of all recorded deployments, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if (entry / _RECORD).is_file())

    def find(self, deployment: str) -> StaticDeployment | None:
        """A recorded deployment, None when there is none of that id.

        Raises:
            ProviderError: its record cannot be read.
        """
        folder = self.folder / checked_id(deployment)
        try:
            text = (folder / _RECORD).read_text(encoding="utf-8")
            return StaticDeployment(folder, StaticRecord.model_validate_json(text))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise ProviderError(f"the record of deployment {deployment} cannot be read: {error}") from error

    @contextmanager
    def lock(self, seconds: float = 60) -> Iterator[None]:
        """Keep other processes of this controller from reserving machines."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.folder / "lock", seconds):
            yield

    def refuse_taken(self, machines: Iterable[Machine]) -> None:
        """Raise if a recorded deployment has one of the machines.

        Raises:
            ProviderError: it has; the hint says how to give it back.
        """
        owners = dict(self._owners())
        for machine in machines:
            owner = next((owners[key] for key in sorted(machine.keys) if key in owners), None)
            if owner is not None:
                deployment, node = owner
                raise ProviderError(
                    f"{machine.host} ({machine.address}) is in use: it is {node.name} of {deployment.id}"
                    f"{f' of run {deployment.run}' if deployment.run else ''}",
                    hint=f"wait for that run; if it is over, e2e-ansible destroy {deployment.run or 'RUN'} "
                    "gives the machine back as it is",
                )

    def add(self, record: StaticRecord) -> StaticDeployment:
        """Make a deployment's folder with its record, or not at all. Call it under the lock."""
        for stale in (*self.folder.glob(".new-*"), *self.folder.glob(".gone-*")):
            remove_tree(stale)
        fresh = self.folder / f".new-{record.id}"
        fresh.mkdir(mode=0o700)
        made = StaticDeployment(fresh, record)
        made.known_hosts.touch(mode=0o600)
        write_durably(made.client_password, secrets.token_urlsafe(24))
        write_durably(fresh / _RECORD, record.model_dump_json(indent=2) + "\n")
        fresh.rename(self.folder / record.id)
        sync_folder(self.folder)
        return StaticDeployment(self.folder / record.id, record)

    def forget(self, deployment: StaticDeployment) -> None:
        """Remove a deployment's folder; under its name it is there completely or not at all."""
        gone = self.folder / f".gone-{deployment.record.id}"
        with self.lock():
            if gone.exists():
                remove_tree(gone)
            deployment.folder.rename(gone)
            remove_tree(gone)

    def _owners(self) -> Iterator[tuple[str, tuple[StaticRecord, StaticNode]]]:
        for name in self.ids():
            found = self.find(name)
            for node in found.record.nodes if found else ():
                yield from ((key, (found.record, node)) for key in node.keys if found)
