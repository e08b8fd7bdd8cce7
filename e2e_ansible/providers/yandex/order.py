"""What an instance of Yandex Compute Cloud is to be, as its SDK spells it."""

from __future__ import annotations

import re
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.settings import is_public, number, words
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, passing
from e2e_ansible.providers.yandex.api import Api, folder
from e2e_ansible.providers.yandex.place import subnet_of, zone_of

__all__ = ["GB", "request", "resources_of"]

GB = 2**30
"""Bytes of what sizes are counted in."""

_SIZE = re.compile(r"(?P<platform>[a-z]+-v\d+)-(?P<cores>\d+)-(?P<memory>\d+)(?:-(?P<fraction>\d+))?")
_SIZE_HINT = (
    "such as standard-v3-2-4: platform, processors, GB of memory; standard-v3-2-4-20 for 20 % of a processor"
)
_IMAGE_ID = re.compile(r"fd[0-9a-z]{18}")
_PUBLIC_IMAGES = "standard-images"
_DISK_GB = 20


def request(api: Api, order: Order) -> dict[str, Any]:
    """The fields of the request for one instance."""
    settings, zone = order.settings, zone_of(order.place)
    size = _SIZE.fullmatch(order.place.size)
    network: dict[str, Any] = {
        "subnet_id": subnet_of(api, zone, settings),
        "primary_v4_address_spec": {},
    }
    if is_public(settings):
        network["primary_v4_address_spec"] = {"one_to_one_nat_spec": {"ip_version": "IPV4"}}
    if groups := words(settings.get("security_groups")):
        network["security_group_ids"] = groups
    root = number(settings, "root_volume_size", _DISK_GB) * GB
    data = number(settings, "data_volume_size", _DISK_GB) * GB
    return {
        "folder_id": folder(),
        "name": order.machine,
        "hostname": order.machine,
        "labels": dict(order.tags),
        "zone_id": zone,
        "platform_id": size["platform"] if size else "",
        "resources_spec": resources_of(order.place.size),
        "metadata": {"user-data": order.user_data},
        "boot_disk_spec": _disk(root, image_id=_image(api, order.image)),
        "secondary_disk_specs": [_disk(data) for _ in range(number(settings, "data_volumes_per_node"))],
        "network_interface_specs": [network],
    }


def resources_of(size: str) -> dict[str, int]:
    """Processors, bytes of memory and percent of a processor.

    Raises:
        UsageError: no such size can be.
    """
    parts = _SIZE.fullmatch(size)
    if parts is None:
        raise UsageError(f"yandex: instance_type {size!r} is no size", hint=_SIZE_HINT)
    fraction = {"core_fraction": int(parts["fraction"])} if parts["fraction"] else {}
    return {"cores": int(parts["cores"]), "memory": int(parts["memory"]) * GB, **fraction}


def _disk(size: int, **source: str) -> dict[str, Any]:
    """A disk of so many bytes that goes with its instance."""
    return {"auto_delete": True, "disk_spec": {"size": size, **source}}


def _image(api: Api, image: str) -> str:
    """An id as it is; a family of this folder or of the public images."""
    if _IMAGE_ID.fullmatch(image):
        return image
    for place in (folder(), _PUBLIC_IMAGES):
        with passing(Trouble.MISSING):
            return str(api.call("compute", "Image", "GetLatestByFamily", folder_id=place, family=image).id)
    text = f"yandex: neither the folder nor {_PUBLIC_IMAGES} has images of the family {image!r}"
    raise CloudError(text, Trouble.MISSING, hint=f"yc compute image list --folder-id {_PUBLIC_IMAGES}")
