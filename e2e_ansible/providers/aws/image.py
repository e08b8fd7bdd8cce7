"""Images as a suite names them, and as a region has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.aws.api import Api
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["DEBIAN", "find_image", "image_words"]

DEBIAN = "136693071363/debian-12-amd64-*"
"""What Debian itself publishes."""

_IMAGE = re.compile(r"(?P<id>ami-[0-9a-f]+)|(?P<owner>\d{12}|self|amazon|aws-marketplace)/(?P<name>.+)")


def image_words(wanted: str) -> Mapping[str, str]:
    """`id`, or `owner` and `name`, of an image as a suite names it.

    Raises:
        UsageError: it is neither.
    """
    found = _IMAGE.fullmatch(wanted)
    if found is None:
        text = f"aws: the image {wanted!r} is neither an id nor an owner with a name"
        raise UsageError(text, hint=f"for example ami-0123456789abcdef0, or {DEBIAN}")
    return {key: value or "" for key, value in found.groupdict().items()}


def find_image(api: Api, region: str, wanted: str) -> Any:
    """The newest image of that name, or the one of that id.

    Raises:
        CloudError: there is none.
    """
    words = image_words(wanted)
    chosen: dict[str, Any] = {"ImageIds": [words["id"]]}
    if not words["id"]:
        filters = [
            {"Name": "name", "Values": [words["name"]]},
            {"Name": "state", "Values": ["available"]},
        ]
        chosen = {"Owners": [words["owner"]], "Filters": filters}
    images = api.every(region, "describe_images", "Images", **chosen)
    if not images:
        text = f"aws: in {region} there is no image {wanted}"
        raise CloudError(text, Trouble.MISSING, hint="parameters: {image: ami-... or OWNER/NAME*}")
    return max(images, key=lambda image: (image.get("CreationDate", ""), image.get("Name", "")))
