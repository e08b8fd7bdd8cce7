"""What an instance of Google Compute Engine is to be, as its SDK spells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2e_ansible.providers.cloud.machine import Order

__all__ = ["instance", "region"]


def instance(order: Order, zone: str) -> dict[str, Any]:
    """An instance as the API wants it."""
    settings = order.settings
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
        "network_interfaces": [_network(settings, zone)],
        "tags": {"items": _words(settings.get("security_groups"))},
    }


def region(zone: str) -> str:
    """The region of a zone."""
    return zone.rpartition("-")[0]


def _disks(order: Order) -> list[dict[str, Any]]:
    """The root disk and what volumes are asked for; all are deleted with their instance."""
    size, number = (
        int(str(order.settings.get(name) or 0)) for name in ("data_volume_size", "data_volumes_per_node")
    )
    root: dict[str, Any] = {
        "source_image": order.image,
        "disk_name": order.machine,
        "labels": dict(order.tags),
    }
    if order.settings.get("root_volume_size"):
        root["disk_size_gb"] = int(str(order.settings["root_volume_size"]))
    volumes = [
        {"disk_name": f"{order.machine}-{index}", "disk_size_gb": size or 10, "labels": dict(order.tags)}
        for index in range(1, number + 1)
    ]
    return [
        {"boot": each is root, "auto_delete": True, "initialize_params": each} for each in (root, *volumes)
    ]


def _network(settings: Mapping[str, object], zone: str) -> dict[str, Any]:
    """Names of networks are completed; paths are left as they are."""
    network, subnet = str(settings.get("network") or ""), str(settings.get("subnet") or "")
    wanted: dict[str, Any] = {}
    if network or not subnet:
        wanted["network"] = network if "/" in network else f"global/networks/{network or 'default'}"
    if subnet:
        wanted["subnetwork"] = subnet if "/" in subnet else f"regions/{region(zone)}/subnetworks/{subnet}"
    if settings.get("public_address") is not False:
        wanted["access_configs"] = [{"name": "External NAT", "type_": "ONE_TO_ONE_NAT"}]
    return wanted


def _words(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []
