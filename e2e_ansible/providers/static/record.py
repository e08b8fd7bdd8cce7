"""Which machines a deployment of provider `static` has. The record is also the reservation: one test at a time."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.static.inventory import Machine
from e2e_ansible.providers.store import Record, RecordFolder, Store
from e2e_ansible.providers.system import write_durably

__all__ = ["StaticDeployment", "StaticNode", "StaticRecord", "StaticStore"]


class StaticNode(BaseModel):
    """A node and its machine. `keys` are what was known to be its own when it was reserved."""

    model_config = ConfigDict(frozen=True)

    name: str
    labels: tuple[str, ...]
    machine: Machine
    keys: frozenset[str] = frozenset()


class StaticRecord(Record):
    """A deployment; `folder` is that of its run, or ''. Times are in seconds since 1970; it holds no secret."""

    owner: str
    run: str
    folder: str
    inventory: str
    user: str
    created: float
    expires: float
    nodes: tuple[StaticNode, ...]


class StaticDeployment(RecordFolder[StaticRecord]):
    """A record with its folder (0700): known hosts, and the password of the database's client."""

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


class StaticStore(Store[StaticRecord, StaticDeployment]):
    """All deployments of existing machines below the home folder."""

    record_type = StaticRecord
    folder_type = StaticDeployment

    def __init__(self, home: Path | None = None) -> None:
        super().__init__(home or default_home(), "static")

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

    def _fill(self, fresh: StaticDeployment) -> None:
        fresh.known_hosts.touch(mode=0o600)
        write_durably(fresh.client_password, secrets.token_urlsafe(24))

    def _owners(self) -> Iterator[tuple[str, tuple[StaticRecord, StaticNode]]]:
        for name in self.ids():
            found = self.find(name)
            for node in found.record.nodes if found else ():
                yield from ((key, (found.record, node)) for key in node.keys if found)
