"""What a Droplet is to be, as the API spells it."""

from __future__ import annotations

from typing import Any

from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.digitalocean.tags import flat

__all__ = ["request"]


def request(order: Order) -> dict[str, Any]:
    """The body of the call that makes one Droplet; without a region DigitalOcean chooses one."""
    region = order.place.zone or order.settings.get("region")
    network = order.settings.get("network")
    return {
        "name": order.machine,
        "size": order.place.size,
        "image": int(order.image) if order.image.isdigit() else order.image,
        "user_data": order.user_data,
        "tags": [flat(name, value, order.deployment) for name, value in order.tags.items()],
        **({"region": region} if region else {}),
        **({"vpc_uuid": network} if network else {}),
    }
