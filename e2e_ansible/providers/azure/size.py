"""Sizes of machines, as a location has them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from e2e_ansible.providers.azure.api import Api
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["find_size", "processors_of"]


def find_size(api: Api, location: str, name: str) -> Mapping[str, Any]:
    """A size as its location has it.

    Raises:
        CloudError: there is none of that name, or the subscription may not have it there.
    """
    listed = api.every("compute", "resource_skus", "list", filter=f"location eq '{location}'")
    sizes = {each["name"]: each for each in listed if each.get("resourceType") == "virtualMachines"}
    if name not in sizes:
        near = difflib.get_close_matches(name, sizes, n=1)
        hint = f"did you mean {near[0]}?" if near else f"az vm list-skus --location {location}"
        raise CloudError(f"azure: {location} has no size {name!r}", Trouble.MISSING, hint=hint)
    if any(each.get("type") == "Location" for each in sizes[name].get("restrictions", ())):
        raise CloudError(f"azure: {name} is not available in {location} now", Trouble.CAPACITY)
    return dict(sizes[name])


def processors_of(size: Mapping[str, Any]) -> int:
    """How many a machine of the size has."""
    abilities = {each["name"]: each["value"] for each in size.get("capabilities", ())}
    return int(abilities.get("vCPUs") or 1)
