"""The group, the network and the firewall of a deployment: what is given, or what is made for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from e2e_ansible.providers.azure.api import Api, given_group
from e2e_ansible.providers.azure.machine import is_ours
from e2e_ansible.providers.azure.order import (
    firewall_properties,
    named_firewall,
    network_properties,
    shared_tags,
)
from e2e_ansible.providers.cloud.machine import DEPLOYMENT_TAG, Order
from e2e_ansible.providers.cloud.settings import text
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, passing

__all__ = ["Network"]


class Network:
    """Of all deployments of one subscription. What was made once is not made again by this process."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._subnets: dict[tuple[str, str], str] = {}

    def ready(self, order: Order, location: str) -> tuple[str, str, str]:
        """The name of the group, and the paths of subnet and firewall, '' where the subnet has its own."""
        named = named_firewall(order.settings)
        group = self._group(order, location)
        subnet = self._subnet(order, group, location)
        return group, subnet, self._path(group, "networkSecurityGroups", named) if named else ""

    def own_groups(self, deployment: str) -> list[dict[str, Any]]:
        """Groups that were made for a deployment; where one is given there may be no right to look at others."""
        if given_group():
            return []
        wanted = f"tagName eq '{DEPLOYMENT_TAG}'"
        groups = self._api.every("resource", "resource_groups", "list", filter=wanted)
        return [each for each in groups if is_ours(each, deployment)]

    def forget(self) -> None:
        """Something was removed, so it has to be made again."""
        self._subnets.clear()

    def _group(self, order: Order, location: str) -> str:
        """The group that is given, or that of the deployment, which is made."""
        given = given_group()
        if given:
            return given
        name = f"e2e-{order.deployment}"
        if (order.deployment, location) not in self._subnets:
            self._refuse_foreign(name, order.deployment)
            wanted = {"location": location, "tags": shared_tags(order)}
            self._api.call("resource", "resource_groups", "create_or_update", name, wanted)
        return name

    def _refuse_foreign(self, group: str, deployment: str) -> None:
        """A group of this name that is somebody else's would become ours by its tags, and be removed with all in it."""
        with passing(Trouble.MISSING):
            there = self._api.call("resource", "resource_groups", "get", group).as_dict()
            if not is_ours(there, deployment):
                text = f"azure: there is a resource group {group}, which was not made for deployment {deployment}"
                raise CloudError(text, Trouble.CONFLICT, hint="use another name for the deployment")

    def _subnet(self, order: Order, group: str, location: str) -> str:
        """The path of the subnet that is given, or of the deployment's own, which is made with its firewall."""
        network, subnet = text(order.settings, "network"), text(order.settings, "subnet")
        if subnet.startswith("/"):
            return subnet
        if network:
            return f"{self._path(group, 'virtualNetworks', network)}/subnets/{subnet or 'default'}"
        key = (order.deployment, location)
        if key not in self._subnets:
            self._subnets[key] = self._made_subnet(order, group, location)
        return self._subnets[key]

    def _made_subnet(self, order: Order, group: str, location: str) -> str:
        name = f"e2e-{hashlib.sha256(order.deployment.encode()).hexdigest()[:8]}-{location}"
        common = {"location": location, "tags": shared_tags(order)}
        firewall = self._path(group, "networkSecurityGroups", name)
        self._make("network_security_groups", group, name, {**common, "properties": firewall_properties()})
        properties = network_properties(firewall)
        self._make("virtual_networks", group, name, {**common, "properties": properties})
        return f"{self._path(group, 'virtualNetworks', name)}/subnets/nodes"

    def _make(self, operations: str, group: str, name: str, wanted: Mapping[str, object]) -> None:
        """Make a part of a network and wait for it: what refers to it is refused before."""
        poller = self._api.call("network", operations, "begin_create_or_update", group, name, wanted)
        self._api.wait(poller, name)

    def _path(self, group: str, kind: str, name: str) -> str:
        if name.startswith("/"):
            return name
        where = f"/subscriptions/{self._api.subscription}/resourceGroups/{group}"
        return f"{where}/providers/Microsoft.Network/{kind}/{name}"
