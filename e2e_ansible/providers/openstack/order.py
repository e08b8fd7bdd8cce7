"""What a server of nova is to be, as the SDK spells it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.settings import text, words
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.openstack.api import Api

__all__ = ["flavor_of", "network_of", "request"]


def request(api: Api, order: Order) -> dict[str, Any]:
    """The arguments of the SDK for one server."""
    wanted: dict[str, Any] = {
        "name": order.machine,
        "flavor_id": flavor_of(api, order.place.size).id,
        "image_id": api.one("image", "image", order.image).id,
        "networks": [{"uuid": network_of(api, order.settings).id}],
        "metadata": dict(order.tags),
        "user_data": base64.b64encode(order.user_data.encode()).decode(),
    }
    if order.place.zone:
        wanted["availability_zone"] = order.place.zone
    if groups := words(order.settings.get("security_groups")):
        wanted["security_groups"] = [{"name": group} for group in groups]
    return wanted


def flavor_of(api: Api, size: str) -> Any:
    """The flavor of that name or id.

    Raises:
        CloudError: there is none, or none is named.
    """
    if not size:
        with api.told():
            known = sorted(str(each.name) for each in api.compute.flavors())
        said = "openstack: nothing says which flavor servers are to be made of"
        hint = f"parameters: {{instance_type: ...}}; the cloud has {', '.join(known) or 'none'}"
        raise CloudError(said, Trouble.OTHER, hint=hint)
    return api.one("compute", "flavor", size)


def network_of(api: Api, settings: Mapping[str, object]) -> Any:
    """The network that is named, or the only one there is.

    Raises:
        CloudError: there is none, or none is named and there are several.
    """
    if named := text(settings, "network"):
        return api.one("network", "network", named)
    with api.told():
        networks = list(api.connection.network.networks())
    if len(networks) != 1:
        names = ", ".join(sorted(str(each.name) for each in networks))
        said = "openstack: nothing says on which network servers are to be"
        hint = f"parameters: {{network: ...}}; the project has {names or 'none'}"
        raise CloudError(said, Trouble.OTHER, hint=hint)
    return networks[0]
