"""What a machine of Azure is to be, and its network, as the API spells them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.machine import LABEL_TAG, NODE_TAG, Order
from e2e_ansible.providers.cloud.settings import is_public, number, words

__all__ = [
    "DEFAULT_IMAGE",
    "card",
    "firewall_properties",
    "image_reference",
    "named_firewall",
    "network_properties",
    "request",
    "shared_tags",
]

DEFAULT_IMAGE = "Debian:debian-12:12-gen2:latest"
_NETWORK_API = "2022-11-01"  # by which Azure makes the card and the address of a machine with it
_ADDRESSES = "10.77.0.0/16"
_DATA_GB = 10
_IMAGE_WORDS = ("publisher", "offer", "sku", "version")
_SSH: Mapping[str, object] = {
    "name": "ssh",
    "properties": {
        "priority": 100,
        "direction": "Inbound",
        "access": "Allow",
        "protocol": "Tcp",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "22",
    },
}


def request(order: Order, location: str, zone: str, interface: Mapping[str, Any]) -> dict[str, Any]:
    """A machine as the API wants it; all that comes with it goes with it."""
    key = {"path": f"/home/{order.user}/.ssh/authorized_keys", "keyData": order.public_key}
    wanted = {
        "location": location,
        "tags": dict(order.tags),
        "properties": {
            "hardwareProfile": {"vmSize": order.place.size},
            "storageProfile": _storage(order),
            "osProfile": {
                "computerName": order.node,
                "adminUsername": order.user,
                "customData": base64.b64encode(order.user_data.encode()).decode(),
                "linuxConfiguration": {
                    "disablePasswordAuthentication": True,
                    "ssh": {"publicKeys": [key]},
                },
            },
            "networkProfile": {
                "networkApiVersion": _NETWORK_API,
                "networkInterfaceConfigurations": [interface],
            },
        },
    }
    return {**wanted, "zones": [zone]} if zone else wanted


def card(order: Order, subnet: str, firewall: str) -> dict[str, Any]:
    """The network interface, with a public address unless it is not wanted."""
    address: dict[str, Any] = {"primary": True, "subnet": {"id": subnet}}
    if is_public(order.settings):
        address["publicIPAddressConfiguration"] = {
            "name": order.machine,
            "sku": {"name": "Standard", "tier": "Regional"},
            "tags": dict(order.tags),
            "properties": {"deleteOption": "Delete", "publicIPAllocationMethod": "Static"},
        }
    properties: dict[str, Any] = {
        "primary": True,
        "deleteOption": "Delete",
        "ipConfigurations": [{"name": "nodes", "properties": address}],
    }
    if firewall:
        properties["networkSecurityGroup"] = {"id": firewall}
    return {"name": order.machine, "tags": dict(order.tags), "properties": properties}


def _storage(order: Order) -> dict[str, Any]:
    root: dict[str, Any] = {
        "name": f"{order.machine}-os",
        "createOption": "FromImage",
        "deleteOption": "Delete",
        "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
    }
    if size := number(order.settings, "root_volume_size"):
        root["diskSizeGB"] = size
    volumes = [
        {
            "lun": index,
            "name": f"{order.machine}-{index}",
            "createOption": "Empty",
            "deleteOption": "Delete",
            "diskSizeGB": number(order.settings, "data_volume_size", _DATA_GB),
        }
        for index in range(number(order.settings, "data_volumes_per_node"))
    ]
    return {"imageReference": image_reference(order.image), "osDisk": root, "dataDisks": volumes}


def image_reference(name: str) -> dict[str, str]:
    """An image by its path, or as `publisher:offer:sku:version`.

    Raises:
        UsageError: it is neither.
    """
    if name.startswith("/"):
        return {"id": name}
    words = name.split(":")
    if len(words) != len(_IMAGE_WORDS) or not all(words):
        raise UsageError(
            f"azure: {name!r} is no image",
            hint=f"such as {DEFAULT_IMAGE}, or the path of one of your own",
        )
    return dict(zip(_IMAGE_WORDS, words, strict=True))


def named_firewall(settings: Mapping[str, object]) -> str:
    """The one network security group that is asked for.

    Raises:
        UsageError: several are; a network interface has one.
    """
    names = words(settings.get("security_groups"))
    if len(names) > 1:
        raise UsageError(
            f"azure: a network interface has one network security group, not {', '.join(names)}",
            hint="parameters: {security_groups: [...]} with one name",
        )
    return names[0] if names else ""


def network_properties(firewall: str) -> dict[str, Any]:
    """A network with one subnet, `nodes`, behind the firewall of that path."""
    inside = {"addressPrefix": _ADDRESSES, "networkSecurityGroup": {"id": firewall}}
    return {
        "addressSpace": {"addressPrefixes": [_ADDRESSES]},
        "subnets": [{"name": "nodes", "properties": inside}],
    }


def firewall_properties() -> dict[str, Any]:
    """A firewall that lets ssh in; machines of a network are not kept from each other anyway."""
    return {"securityRules": [_SSH]}


def shared_tags(order: Order) -> dict[str, str]:
    """Tags of what several machines use."""
    return {
        name: value
        for name, value in order.tags.items()
        if name != NODE_TAG and not name.startswith(LABEL_TAG)
    }
