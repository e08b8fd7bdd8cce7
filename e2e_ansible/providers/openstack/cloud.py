"""The calls of `Cloud` for servers of nova."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.machine import Cloud, Machine, Order, Pending, Place, Resource
from e2e_ansible.providers.cloud.refusal import way_of
from e2e_ansible.providers.cloud.trouble import CloudError
from e2e_ansible.providers.openstack.api import Api
from e2e_ansible.providers.openstack.machine import read_machine
from e2e_ansible.providers.openstack.order import flavor_of, network_of, request

__all__ = ["OpenStackCloud"]

_GONE = {"DELETED", "SOFT_DELETED"}
_CALLS: Mapping[Operation, Sequence[str]] = {
    Operation.ON: ("start_server",),
    Operation.OFF: ("stop_server",),
    Operation.REBOOT: ("reboot_server", "SOFT"),
    Operation.RESET: ("reboot_server", "HARD"),
    Operation.NMI: ("trigger_server_crash_dump",),
}
_NO_HARD_OFF = "nova has no immediate power-off; reset (a hard reboot) and nmi do not ask the guest"


class OpenStackCloud(Cloud):
    """Tags are metadata of the servers. One that could not be built stays listed, and says why."""

    name = "openstack"
    user = "e2e"
    image = ""
    size = ""

    def __init__(self) -> None:
        self._api = Api()

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the credentials are tried."""
        return sdk.findings(self.name, ["openstack"], {"credentials": self._may_read})

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`. Nova lets only administrators search by metadata, so all of the project are read."""
        with self._api.told():
            servers = [each for each in self._api.compute.servers() if each.status not in _GONE]
            machines = [read_machine(server) for server in servers]
        return [each for each in machines if each.deployment and deployment in ("", each.deployment)]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """None: ports that nova made go with their server, and nothing else is made."""
        return ()

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The least of what the project's limits leave of servers, processors and memory.

        Raises:
            CloudError: as for every call; or the cloud has no such flavor or network, so nothing can be made.
        """
        flavor = flavor_of(self._api, place.size)
        network_of(self._api, settings)
        with self._api.told():
            limits = self._api.compute.get_limits().absolute
        left = [
            _share(limits.instances, limits.instances_used, 1),
            _share(limits.total_cores, limits.total_cores_used, flavor.vcpus),
            _share(limits.total_ram, limits.total_ram_used, flavor.ram),
        ]
        told = [count for count in left if count is not None]
        return min(told) if told else None

    def create(self, order: Order) -> None:
        """See `Cloud.create`. Nova takes one name several times: that a call is not repeated is up to the caller."""
        wanted = request(self._api, order)
        with self._api.told():
            self._api.compute.create_server(**wanted)

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`."""
        with self._api.told():
            self._api.compute.delete_server(machine.id, ignore_missing=True)

    def remove(self, resource: Resource) -> None:
        """Nothing to do, see `resources`."""

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`. Nova asks the guest to stop and turns it off after a time of its own."""
        call, *how = way_of(self.name, operation, _CALLS, _NO_HARD_OFF)
        with self._api.told():
            getattr(self._api.compute, call)(machine.id, *how)
        return lambda: self._ended(machine)

    def _ended(self, machine: Machine) -> bool:
        """Whether nova is at nothing with it. Raises CloudError if it failed."""
        with self._api.told():
            server = self._api.compute.get_server(machine.id)
        if server.status == "ERROR":
            now = read_machine(server)
            raise CloudError(f"openstack: {machine.machine}: {now.failure}", now.trouble)
        return server.task_state is None

    def _may_read(self) -> str:
        self.machines()
        return "the servers of the project can be read"


def _share(limit: int | None, used: int | None, each: int) -> int | None:
    """How many of that size still fit; None when there is no limit (-1)."""
    if limit is None or limit < 0:
        return None
    return (limit - (used or 0)) // max(each, 1)
