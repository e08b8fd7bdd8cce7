"""What a server of Hetzner Cloud is to be, as its SDK spells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.settings import is_public, text, words
from e2e_ansible.providers.hetzner.api import Api

__all__ = ["request"]


def request(api: Api, order: Order) -> dict[str, Any]:
    """The arguments of the SDK for one server."""
    kind = sdk.load("hcloud.server_types", "hetzner").ServerType
    image = sdk.load("hcloud.images", "hetzner").Image
    location = order.place.zone or text(order.settings, "region")
    return {
        "name": order.machine,
        "server_type": kind(name=order.place.size),
        "image": image(id=int(order.image)) if order.image.isdigit() else image(name=order.image),
        "user_data": order.user_data,
        "labels": dict(order.tags),
        "location": sdk.load("hcloud.locations", "hetzner").Location(name=location) if location else None,
        **_network(api, order.settings),
    }


def _network(api: Api, settings: Mapping[str, object]) -> dict[str, Any]:
    """Networks and firewalls by name or id, and whether there are public addresses."""
    wanted: dict[str, Any] = {}
    if network := text(settings, "network"):
        wanted["networks"] = [api.found("network", network)]
    if firewalls := words(settings.get("security_groups")):
        wanted["firewalls"] = [api.found("firewall", name) for name in firewalls]
    if not is_public(settings):
        public = sdk.load("hcloud.servers.domain", "hetzner").ServerCreatePublicNetwork
        wanted["public_net"] = public(enable_ipv4=False, enable_ipv6=False)
    return wanted
