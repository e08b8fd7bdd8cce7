"""The calls of `Cloud` for servers of Hetzner Cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.machine import (
    DEPLOYMENT_TAG,
    Cloud,
    Machine,
    Order,
    Pending,
    Place,
    Resource,
)
from e2e_ansible.providers.cloud.refusal import way_of
from e2e_ansible.providers.cloud.trouble import Trouble, passing
from e2e_ansible.providers.hetzner.api import TOKEN, Api
from e2e_ansible.providers.hetzner.machine import read_machine
from e2e_ansible.providers.hetzner.order import request

__all__ = ["HetznerCloud"]

_CALLS = {
    Operation.ON: "power_on",
    Operation.OFF: "shutdown",
    Operation.HARD_OFF: "power_off",
    Operation.REBOOT: "reboot",
    Operation.RESET: "reset",
}


class HetznerCloud(Cloud):
    """Tags are labels. The SDK repeats calls by itself and is told not to: only `creation` knows what is safe."""

    name = "hetzner"
    user = "e2e"
    image = "debian-12"
    size = "cx23"

    def __init__(self) -> None:
        self._api = Api()

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the token is tried."""
        return sdk.findings(self.name, ["hcloud"], {"token": self._may_read})

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`."""
        selector = f"{DEPLOYMENT_TAG}={deployment}" if deployment else DEPLOYMENT_TAG
        with self._api.told():
            servers = self._api.client.servers.get_all(label_selector=selector)
            return [read_machine(server) for server in servers]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """None: the addresses of a server go with it, and nothing else is made."""
        return ()

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """None: the API does not tell the limits of a project."""
        return None

    def create(self, order: Order) -> None:
        """See `Cloud.create`. A name is unique in a project, so a server is never made twice."""
        with self._api.told():
            self._api.client.servers.create(**request(self._api, order))

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`."""
        with passing(Trouble.MISSING), self._api.told():
            self._api.client.servers.delete(self._api.server(machine))

    def remove(self, resource: Resource) -> None:
        """Nothing to do, see `resources`."""

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        call = way_of(self.name, operation, _CALLS)
        with self._api.told():
            action = getattr(self._api.client.servers, call)(self._api.server(machine))
        return lambda: self._api.ended(action)

    def _may_read(self) -> str:
        self.machines()
        return f"{TOKEN} may read the project"
