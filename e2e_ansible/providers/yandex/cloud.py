"""The calls of `Cloud` for instances of Yandex Compute Cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.machine import Cloud, Machine, Order, Pending, Place, Resource
from e2e_ansible.providers.cloud.refusal import way_of
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, passing
from e2e_ansible.providers.yandex.api import Api, folder
from e2e_ansible.providers.yandex.machine import read_machine
from e2e_ansible.providers.yandex.order import request, resources_of
from e2e_ansible.providers.yandex.place import subnet_of, zone_of

__all__ = ["YandexCloud"]

_CALLS = {Operation.ON: "Start", Operation.OFF: "Stop", Operation.REBOOT: "Restart"}
_NO_OTHER = f"it can do {', '.join(_CALLS)}; each of them asks the guest"
_QUOTAS = {
    "compute.instances.count": "",
    "compute.instanceCores.count": "cores",
    "compute.instanceMemory.size": "memory",
}


@dataclass(frozen=True)
class _Ordered:
    """An instance that this process ordered: only the operation tells why it could not be made."""

    order: Order
    operation: str
    instance: str


class YandexCloud(Cloud):
    """Tags are labels. A name is unique in a folder, so an instance is never made twice."""

    name = "yandex"
    user = "e2e"
    image = "debian-12"
    size = "standard-v3-2-4"

    def __init__(self) -> None:
        self._api = Api()
        self._ordered: dict[str, _Ordered] = {}

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the credentials are tried."""
        return sdk.findings(self.name, ["yandexcloud"], {"credentials": self._may_read})

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`.

        An instance that this process ordered is there until it is made or removed, also where it could not be made.
        """
        ordered = {name: self._progress(each) for name, each in list(self._ordered.items())}
        pages = self._api.pages("compute", "Instance", "instances", folder_id=folder())
        there = {each.machine: each for each in map(read_machine, pages)}
        for name, now in ordered.items():
            if now is None:
                self._ordered.pop(name, None)
            elif now.failure or name not in there:
                there[name] = now
        return [each for each in there.values() if each.deployment and deployment in ("", each.deployment)]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """None: disks are made with their instance and go with it, and so do its addresses."""
        return ()

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The least of what the quotas of the cloud leave; None where the credential may not read them.

        Raises:
            UsageError: the size, or the zone, is not usable.
        """
        resources = resources_of(place.size)
        subnet_of(self._api, zone_of(place), settings)
        try:
            cloud = self._api.call("resourcemanager", "Folder", "Get", folder_id=folder()).cloud_id
            told = [self._left(cloud, quota, resources.get(each, 1)) for quota, each in _QUOTAS.items()]
        except CloudError as error:
            if error.trouble in (Trouble.FORBIDDEN, Trouble.MISSING):
                return None
            raise
        return min((count for count in told if count is not None), default=None)

    def create(self, order: Order) -> None:
        """See `Cloud.create`."""
        operation = self._api.call("compute", "Instance", "Create", **request(self._api, order))
        metadata = sdk.load("yandex.cloud.compute.v1.instance_service_pb2", "yandex").CreateInstanceMetadata()
        operation.metadata.Unpack(metadata)
        self._ordered[order.machine] = _Ordered(order, operation.id, metadata.instance_id)

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`."""
        self._ordered.pop(machine.machine, None)
        with passing(Trouble.MISSING):
            self._api.call("compute", "Instance", "Delete", instance_id=machine.id)

    def remove(self, resource: Resource) -> None:
        """Nothing to do, see `resources`."""

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        call = way_of(self.name, operation, _CALLS, _NO_OTHER)
        asked = self._api.call("compute", "Instance", call, instance_id=machine.id)
        return lambda: self._api.ended(asked.id)

    def _progress(self, ordered: _Ordered) -> Machine | None:
        """What an ordered instance is before it is listed; None when it is made."""
        failure = None
        try:
            if self._api.ended(ordered.operation):
                return None
        except CloudError as error:
            if error.trouble in (Trouble.TRANSIENT, Trouble.FORBIDDEN):
                raise
            failure = error
        return Machine(
            id=ordered.instance,
            machine=ordered.order.machine,
            power=PowerState.UNKNOWN,
            state="ERROR" if failure else "ORDERED",
            place=ordered.order.place,
            tags=ordered.order.tags,
            failure=str(failure) if failure else "",
            trouble=failure.trouble if failure else Trouble.OTHER,
        )

    def _left(self, cloud: str, quota: str, each: int) -> int | None:
        """How many times `each` still fits; None when there is no limit."""
        resource = {"id": cloud, "type": "resource-manager.cloud"}
        told = self._api.call("quotamanager", "QuotaLimit", "Get", resource=resource, quota_id=quota)
        return int((told.limit.value - told.usage.value) // each) if told.HasField("limit") else None

    def _may_read(self) -> str:
        self.machines()
        return f"folder {folder()} can be read"
