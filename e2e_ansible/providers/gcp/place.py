"""The zone that instances are made in, and its region."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.environment import first_set
from e2e_ansible.providers.cloud.machine import Place
from e2e_ansible.providers.cloud.settings import text
from e2e_ansible.providers.gcp.api import Api

__all__ = ["region_of", "zone_of"]

_ZONE = ("GOOGLE_CLOUD_ZONE", "CLOUDSDK_COMPUTE_ZONE")
_REGION = ("GOOGLE_CLOUD_REGION", "CLOUDSDK_COMPUTE_REGION")


def zone_of(api: Api, place: Place, settings: Mapping[str, object]) -> str:
    """The zone asked for, or that of the environment, or the first of the region.

    Raises:
        UsageError: nothing names one.
    """
    if zone := place.zone or first_set(_ZONE):
        return zone
    region = text(settings, "region") or first_set(_REGION)
    if not region:
        raise UsageError(
            "gcp: nothing says in which zone instances are to be made",
            hint=f"parameters: {{zones: [europe-west1-b]}}; or set {_ZONE[0]}",
        )
    return min(str(zone).rpartition("/")[2] for zone in api.call("Regions", "get", region=region).zones)


def region_of(zone: str) -> str:
    """The region of a zone."""
    return zone.rpartition("-")[0]
