"""The calls of `Cloud` for instances of Google Compute Engine."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.machine import Cloud, Machine, Order, Pending, Place, Resource
from e2e_ansible.providers.cloud.ordered import Orders
from e2e_ansible.providers.cloud.settings import is_public
from e2e_ansible.providers.cloud.trouble import Trouble, passing
from e2e_ansible.providers.cloud.turns import in_turn
from e2e_ansible.providers.gcp.api import Api
from e2e_ansible.providers.gcp.machine import read_disk, read_machine, unseen
from e2e_ansible.providers.gcp.order import request
from e2e_ansible.providers.gcp.place import region_of, zone_of

__all__ = ["GcpCloud"]

_CALLS = {
    Operation.ON: ("start",),
    Operation.OFF: ("stop",),
    Operation.HARD_OFF: ("reset", "stop"),  # nothing turns an instance off without asking its guest
    Operation.REBOOT: ("stop", "start"),
    Operation.RESET: ("reset",),
    Operation.NMI: ("send_diagnostic_interrupt",),
}


class GcpCloud(Cloud):
    """Tags are labels. The SDK repeats calls by itself and is told not to: only `creation` knows what is safe."""

    name = "gcp"
    user = "e2e"
    image = "projects/debian-cloud/global/images/family/debian-12"
    size = "e2-medium"

    def __init__(self) -> None:
        self._api = Api()
        self._orders = Orders()
        self._deleting: dict[str, Pending] = {}

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the credentials are tried."""
        return sdk.findings(self.name, ["google.cloud.compute_v1"], {"credentials": self._may_read})

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`.

        An instance that this process ordered and that is not listed yet is there, in the state ORDERED.

        Raises:
            CloudError: as for every call; or one that this process ordered could not be made. That is told once.
        """
        ordered = self._orders.still(deployment)
        there = [read_machine(each) for each in self._api.listed("Instances", deployment)]
        names = {machine.machine for machine in there}
        return [*there, *(each for each in ordered if each.machine not in names)]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """Disks: they go with their instance, unless somebody kept them."""
        return [read_disk(each) for each in self._api.listed("Disks", deployment)]

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The least of what region and project leave of instances, processors and addresses."""
        zone = zone_of(self._api, place, settings)
        processors = self._api.call("MachineTypes", "get", zone=zone, machine_type=place.size).guest_cpus or 1
        left = _left(self._api.call("Regions", "get", region=region_of(zone)).quotas)
        everywhere = _left(self._api.call("Projects", "get").quotas)
        family = f"{place.size.split('-')[0].upper()}_CPUS"
        counts = [
            left.get("INSTANCES"),
            _shared(left.get(family, left.get("CPUS")), processors),
            _shared(everywhere.get("CPUS_ALL_REGIONS"), processors),
            left.get("IN_USE_ADDRESSES") if is_public(settings) else None,
        ]
        told = [int(count) for count in counts if count is not None]
        return min(told) if told else None

    def create(self, order: Order) -> None:
        """See `Cloud.create`. A repeated call is known by its request id; a name is unique in its project and zone."""
        zone = zone_of(self._api, order.place, order.settings)
        operation = self._api.call(
            "Instances",
            "insert_unary",
            zone=zone,
            request_id=str(uuid.UUID(hex=order.token)),
            instance_resource=request(order, zone),
        )
        self._orders.add(unseen(order, zone, operation), lambda: self._api.ended(operation, zone))

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`. While an instance is being deleted it is not asked for again."""
        going = self._deleting.pop(machine.id, None)
        with passing(Trouble.MISSING):
            if going is None:
                self._deleting[machine.id] = self._asked("delete", machine)
            elif not going():
                self._deleting[machine.id] = going

    def remove(self, resource: Resource) -> None:
        """See `Cloud.remove`."""
        zone, _, disk = resource.id.partition("/")
        with passing(Trouble.MISSING):
            self._api.call("Disks", "delete_unary", zone=zone, disk=disk)

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        return in_turn([lambda call=call: self._asked(call, machine) for call in _CALLS[operation]])  # type: ignore[misc]

    def _asked(self, call: str, machine: Machine) -> Pending:
        """Ask for one operation of an instance, which is named by its id: a namesake is not meant."""
        zone = machine.place.zone
        where: dict[str, Any] = {"zone": zone, "instance": machine.id}
        if call == "send_diagnostic_interrupt":  # the only one without an operation
            self._api.call("Instances", call, **where)
            return lambda: True
        if call == "stop" and machine.local_disk:
            where["discard_local_ssd"] = True  # without it Google refuses to stop such an instance
        operation = self._api.call("Instances", f"{call}_unary", **where)
        return lambda: self._api.ended(operation, zone)

    def _may_read(self) -> str:
        return f"project {self._api.call('Projects', 'get').name} can be read"


def _left(quotas: Any) -> dict[str, float]:
    return {quota.metric: quota.limit - quota.usage for quota in quotas}


def _shared(left: float | None, each: int) -> float | None:
    return None if left is None else left // each
