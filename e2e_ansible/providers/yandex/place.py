"""The zone that instances are made in, and the subnet that they are in there."""

from __future__ import annotations

import os
from collections.abc import Mapping

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.machine import Place
from e2e_ansible.providers.cloud.settings import text
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.yandex.api import Api, folder

__all__ = ["subnet_of", "zone_of"]

_ZONE = "YC_ZONE"


def zone_of(place: Place) -> str:
    """The zone asked for, or that of the environment.

    Raises:
        UsageError: nothing names one.
    """
    zone = place.zone or os.environ.get(_ZONE, "").strip()
    if not zone:
        raise UsageError(
            "yandex: nothing says in which zone instances are to be made",
            hint=f"parameters: {{zones: [ru-central1-a]}}; or set {_ZONE}",
        )
    return zone


def subnet_of(api: Api, zone: str, settings: Mapping[str, object]) -> str:
    """The id of the subnet: the one that is named, else the first of the network in the zone.

    Raises:
        CloudError: there is none.
    """
    named, network = text(settings, "subnet"), text(settings, "network")
    subnets = [
        each
        for each in api.pages("vpc", "Subnet", "subnets", folder_id=folder())
        if each.zone_id == zone and network in ("", each.network_id)
    ]
    found = [each for each in subnets if named in ("", each.id, each.name)]
    if not found:
        names = ", ".join(sorted(f"{each.name} ({each.id})" for each in subnets))
        said = f"yandex: no subnet {named or 'at all'} in zone {zone}"
        said += f" of network {network}" if network else ""
        raise CloudError(said, Trouble.MISSING, hint=f"there is {names or 'none'}; network takes an id")
    return str(min(found, key=lambda each: each.name).id)
