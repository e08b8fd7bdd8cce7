"""An instance of Yandex Compute Cloud as a machine."""

from __future__ import annotations

from typing import Any

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.machine import Machine, Place
from e2e_ansible.providers.yandex.order import GB

__all__ = ["read_machine"]

_POWER = {"RUNNING": PowerState.ON, "STOPPED": PowerState.OFF}


def read_machine(instance: Any) -> Machine:
    """What the SDK says about it."""
    status = sdk.load("yandex.cloud.compute.v1.instance_pb2", "yandex").Instance.Status.Name(instance.status)
    interfaces = [each.primary_v4_address for each in instance.network_interfaces]
    return Machine(
        id=instance.id,
        machine=instance.name,
        power=_POWER.get(status, PowerState.UNKNOWN),
        state=status,
        address=next((each.one_to_one_nat.address for each in interfaces if each.one_to_one_nat.address), ""),
        private_address=next((each.address for each in interfaces if each.address), ""),
        place=Place(zone=instance.zone_id, size=_size(instance)),
        tags=dict(instance.labels),
        ending=status == "DELETING",
        created=instance.created_at.seconds,
        local_disk=bool(instance.local_disks),
        failure="the instance is in the state ERROR" if status == "ERROR" else "",
    )


def _size(instance: Any) -> str:
    resources = instance.resources
    size = f"{instance.platform_id}-{resources.cores}-{resources.memory // GB}"
    return size if resources.core_fraction in (0, 100) else f"{size}-{resources.core_fraction}"
