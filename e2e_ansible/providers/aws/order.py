"""What an instance of EC2 is to be, as the API spells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.aws.api import Api
from e2e_ansible.providers.aws.image import find_image
from e2e_ansible.providers.aws.network import groups_of, subnet_of
from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.settings import is_public, number

__all__ = ["disks", "request"]

_ROOT_GB = 8
_DATA_GB = 10
_DATA_DEVICES = "fghijklmnop"  # /dev/sdf to /dev/sdp are what AWS recommends


def request(api: Api, region: str, order: Order) -> dict[str, Any]:
    """Everything of RunInstances but the token."""
    image = find_image(api, region, order.image)
    tags = {**order.tags, "Name": order.machine}
    wanted: dict[str, Any] = {
        "ImageId": image["ImageId"],
        "InstanceType": order.place.size,
        "MinCount": 1,
        "MaxCount": 1,
        "UserData": order.user_data,
        "BlockDeviceMappings": disks(image, order.settings),
        "NetworkInterfaces": [_interface(api, region, order)],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": [{"Key": key, "Value": tags[key]} for key in tags]}
            for kind in ("instance", "volume", "network-interface")
        ],
        "InstanceInitiatedShutdownBehavior": "stop",
        "MetadataOptions": {"HttpTokens": "required"},
    }
    if order.place.zone:
        wanted["Placement"] = {"AvailabilityZone": order.place.zone}
    return wanted


def disks(image: Mapping[str, Any], settings: Mapping[str, object]) -> list[dict[str, Any]]:
    """The root volume and the data volumes; all of them end with the instance. Sizes are in GB.

    Raises:
        UsageError: there are more than there are names.
    """
    count = number(settings, "data_volumes_per_node")
    if count > len(_DATA_DEVICES):
        raise UsageError(f"aws: {count} data volumes are wanted, at most {len(_DATA_DEVICES)} can be")
    root = str(image.get("RootDeviceName") or "/dev/xvda")
    own = {each["DeviceName"]: each.get("Ebs", {}) for each in image.get("BlockDeviceMappings", ())}
    of_image = own.get(root, {}).get("VolumeSize") or _ROOT_GB
    data_size = number(settings, "data_volume_size", _DATA_GB)
    return [
        _disk(root, number(settings, "root_volume_size", of_image)),
        *(_disk(f"/dev/sd{letter}", data_size) for letter in _DATA_DEVICES[:count]),
    ]


def _disk(device: str, size: int) -> dict[str, Any]:
    volume = {"DeleteOnTermination": True, "VolumeType": "gp3", "VolumeSize": size}
    return {"DeviceName": device, "Ebs": volume}


def _interface(api: Api, region: str, order: Order) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": is_public(order.settings),
        "DeleteOnTermination": True,
    }
    subnet = subnet_of(api, region, order)
    if subnet:
        wanted["SubnetId"] = subnet
    if groups := groups_of(api, region, order.settings, subnet):
        wanted["Groups"] = groups
    return wanted
