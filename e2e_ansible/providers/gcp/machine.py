"""Instances and disks of Google Compute Engine as machines and resources."""

from __future__ import annotations

from typing import Any

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.cloud.machine import Machine, Order, Place, Resource
from e2e_ansible.providers.cloud.timestamp import seconds

__all__ = ["read_disk", "read_machine", "unseen"]

_POWER = {
    "RUNNING": PowerState.ON,
    "TERMINATED": PowerState.OFF,
    "STOPPED": PowerState.OFF,
}


def read_machine(instance: Any) -> Machine:
    """What the SDK says about an instance."""
    card = next(iter(instance.network_interfaces), None)
    public = next((each.nat_i_p for each in card.access_configs if each.nat_i_p), "") if card else ""
    return Machine(
        id=str(instance.id),
        machine=instance.name,
        power=_POWER.get(instance.status, PowerState.UNKNOWN),
        state=instance.status,
        address=public,
        private_address=card.network_i_p if card else "",
        place=Place(zone=_tail(instance.zone), size=_tail(instance.machine_type)),
        tags=dict(instance.labels),
        created=seconds(instance.creation_timestamp),
        local_disk=any(disk.type_ == "SCRATCH" for disk in instance.disks),
    )


def unseen(order: Order, zone: str, operation: Any) -> Machine:
    """An instance that was ordered and is not listed yet."""
    return Machine(
        id=str(operation.target_id),
        machine=order.machine,
        power=PowerState.UNKNOWN,
        state="ORDERED",
        place=Place(zone=zone, size=order.place.size),
        tags=order.tags,
    )


def read_disk(disk: Any) -> Resource:
    """What the SDK says about a disk."""
    return Resource(
        kind="disk",
        id=f"{_tail(disk.zone)}/{disk.name}",
        tags=dict(disk.labels),
        created=seconds(disk.creation_timestamp),
    )


def _tail(url: str) -> str:
    return url.rpartition("/")[2]
