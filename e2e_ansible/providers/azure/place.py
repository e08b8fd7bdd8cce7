"""Where machines are made: a location, and a zone of it."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.environment import first_set
from e2e_ansible.providers.cloud.machine import Place
from e2e_ansible.providers.cloud.settings import text

__all__ = ["place_of"]

_LOCATION = ("AZURE_LOCATION",)


def place_of(place: Place, settings: Mapping[str, object]) -> tuple[str, str]:
    """Location and zone: `westeurope`, `westeurope-2`, or `2` of the region that is set.

    Raises:
        UsageError: nothing names a location.
    """
    region = text(settings, "region") or first_set(_LOCATION)
    location, _, zone = place.zone.partition("-")
    if location.isdigit():
        location, zone = region, location
    location = location or region
    if not location:
        raise UsageError(
            "azure: nothing says in which location machines are to be made",
            hint=f"parameters: {{zones: [westeurope-1]}}; or set {_LOCATION[0]}",
        )
    return location, zone
