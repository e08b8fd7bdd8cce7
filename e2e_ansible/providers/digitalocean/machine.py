"""A Droplet as a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.cloud.machine import Machine, Place
from e2e_ansible.providers.cloud.timestamp import seconds
from e2e_ansible.providers.digitalocean.tags import read_tags

__all__ = ["read_machine"]

_POWER = {"active": PowerState.ON, "off": PowerState.OFF}


def read_machine(droplet: Mapping[str, Any]) -> Machine:
    """What the API says about it."""
    return Machine(
        id=str(droplet["id"]),
        machine=droplet["name"],
        power=_POWER.get(droplet["status"], PowerState.UNKNOWN),
        state=droplet["status"],
        address=_address(droplet, "public"),
        private_address=_address(droplet, "private"),
        place=Place(zone=droplet["region"]["slug"], size=droplet["size_slug"]),
        tags=read_tags(droplet["tags"]),
        created=seconds(droplet["created_at"]),
    )


def _address(droplet: Mapping[str, Any], kind: str) -> str:
    networks = droplet["networks"].get("v4", ())
    return next((str(each["ip_address"]) for each in networks if each["type"] == kind), "")
