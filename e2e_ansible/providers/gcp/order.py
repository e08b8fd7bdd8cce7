"""What an instance of Google Compute Engine is to be, as its SDK spells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.settings import is_public, number, text, words
from e2e_ansible.providers.gcp.place import region_of

__all__ = ["request"]

_DATA_GB = 10


def request(order: Order, zone: str) -> dict[str, Any]:
    """An instance as the API wants it."""
    metadata = {
        "user-data": order.user_data,  # for images with cloud-init
        "ssh-keys": f"{order.user}:{order.public_key}",  # for those with Google's agent, such as Debian's
        "enable-oslogin": "FALSE",  # else the agent does not look at the key
        "block-project-ssh-keys": "TRUE",
    }
    return {
        "name": order.machine,
        "machine_type": f"zones/{zone}/machineTypes/{order.place.size}",
        "labels": dict(order.tags),
        "metadata": {"items": [{"key": key, "value": value} for key, value in metadata.items()]},
        "disks": _disks(order),
        "network_interfaces": [_network(order.settings, zone)],
        "tags": {"items": words(order.settings.get("security_groups"))},
    }


def _disks(order: Order) -> list[dict[str, Any]]:
    """The root disk and what volumes are asked for; all are deleted with their instance."""
    settings, labels = order.settings, dict(order.tags)
    root: dict[str, Any] = {
        "source_image": order.image,
        "disk_name": order.machine,
        "labels": labels,
    }
    if size := number(settings, "root_volume_size"):
        root["disk_size_gb"] = size
    each_gb = number(settings, "data_volume_size", _DATA_GB)
    volumes = [
        {"disk_name": f"{order.machine}-{index}", "disk_size_gb": each_gb, "labels": labels}
        for index in range(1, number(settings, "data_volumes_per_node") + 1)
    ]
    return [
        {"boot": each is root, "auto_delete": True, "initialize_params": each} for each in (root, *volumes)
    ]


def _network(settings: Mapping[str, object], zone: str) -> dict[str, Any]:
    """Names of networks are completed; paths are left as they are."""
    network, subnet = text(settings, "network"), text(settings, "subnet")
    wanted: dict[str, Any] = {}
    if network or not subnet:
        wanted["network"] = network if "/" in network else f"global/networks/{network or 'default'}"
    if subnet:
        wanted["subnetwork"] = subnet if "/" in subnet else f"regions/{region_of(zone)}/subnetworks/{subnet}"
    if is_public(settings):
        wanted["access_configs"] = [{"name": "External NAT", "type_": "ONE_TO_ONE_NAT"}]
    return wanted
