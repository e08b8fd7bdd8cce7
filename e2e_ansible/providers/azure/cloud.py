"""The calls of `Cloud` for virtual machines of Azure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from e2e_ansible.providers.azure.api import MODULES, Api, split
from e2e_ansible.providers.azure.machine import (
    addresses,
    is_ours,
    ordered,
    power_word,
    read_machine,
    resource,
)
from e2e_ansible.providers.azure.network import Network
from e2e_ansible.providers.azure.order import DEFAULT_IMAGE, card, request
from e2e_ansible.providers.azure.place import place_of
from e2e_ansible.providers.azure.size import find_size, processors_of
from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.machine import Cloud, Machine, Order, Pending, Place, Resource
from e2e_ansible.providers.cloud.ordered import Orders
from e2e_ansible.providers.cloud.refusal import way_of
from e2e_ansible.providers.cloud.trouble import Trouble, passing
from e2e_ansible.providers.cloud.turns import in_turn

__all__ = ["AzureCloud"]

_LOOKS_AT_ONCE = 8
_OFF: Mapping[str, object] = {"skip_shutdown": False}
_HARD: Mapping[str, object] = {"skip_shutdown": True}
_CALLS: Mapping[Operation, Sequence[tuple[str, Mapping[str, object]]]] = {
    Operation.ON: [("begin_start", {})],
    Operation.OFF: [("begin_power_off", _OFF)],
    Operation.HARD_OFF: [("begin_power_off", _HARD)],
    Operation.REBOOT: [("begin_restart", {})],
    Operation.RESET: [("begin_power_off", _HARD), ("begin_start", {})],  # Azure has none of its own
}
#: Kind to client, its operations, and how they list a group and the subscription; in the order of their removal.
_KINDS: Mapping[str, tuple[str, str, str, str]] = {
    "network interface": ("network", "network_interfaces", "list", "list_all"),
    "address": ("network", "public_ip_addresses", "list", "list_all"),
    "disk": ("compute", "disks", "list_by_resource_group", "list"),
    "network": ("network", "virtual_networks", "list", "list_all"),
    "firewall": ("network", "network_security_groups", "list", "list_all"),
}
_MACHINES = ("compute", "virtual_machines")


class AzureCloud(Cloud):
    """Tags are tags. `look` is the seconds between two looks at an operation, where Azure does not say.

    The SDK repeats calls by itself and is told not to: only `creation` knows what is safe.
    """

    name = "azure"
    user = "e2e"
    image = DEFAULT_IMAGE
    size = "Standard_B2s"

    def __init__(self, look: float = 2) -> None:
        self._api = Api(look)
        self._network = Network(self._api)
        self._orders = Orders()

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the credentials are tried."""
        return sdk.findings(self.name, MODULES, {"credentials": self._may_read})

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`.

        Raises:
            CloudError: as for every call; or one that this process ordered could not be made. That is told once.
        """
        self._orders.still(deployment)
        machines = self._api.listed(*_MACHINES, "list", "list_all")
        ours = [each for each in machines if is_ours(each, deployment)]
        if not ours:
            return []
        cards = self._api.listed("network", "network_interfaces", "list", "list_all")
        public = self._api.listed("network", "public_ip_addresses", "list", "list_all")
        known = addresses(cards, public)
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
            states = list(pool.map(lambda each: power_word(self._api, each), ours))
        return [
            read_machine(each, state, known.get(each["id"].lower(), ("", "")))
            for each, state in zip(ours, states, strict=True)
            if state
        ]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """See `Cloud.resources`. What is in a group that was made for a deployment goes with the group."""
        groups = self._network.own_groups(deployment)
        found = [resource("group", each) for each in groups]
        whole = {each["name"].lower() for each in groups}
        for kind, where in _KINDS.items():
            for each in self._api.listed(*where):
                if is_ours(each, deployment) and split(each["id"])[0].lower() not in whole:
                    found.append(resource(kind, each))
        return found

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The least of what is left of machines, of processors, and of those of the family of the size."""
        location, _ = place_of(place, settings)
        size = find_size(self._api, location, place.size)
        usages = self._api.every("compute", "usage", "list", location)
        left = {each["name"]["value"].lower(): each["limit"] - each["currentValue"] for each in usages}
        counts = [left.get("virtualmachines")]
        for name in ("cores", str(size.get("family", "")).lower()):
            counts.append(left[name] // processors_of(size) if name in left else None)
        told = [int(count) for count in counts if count is not None]
        return min(told) if told else None

    def create(self, order: Order) -> None:
        """See `Cloud.create`. Each call says how something is to be, so it may be made again."""
        location, zone = place_of(order.place, order.settings)
        group, subnet, firewall = self._network.ready(order, location)
        wanted = request(order, location, zone, card(order, subnet, firewall))
        poller = self._api.call(*_MACHINES, "begin_create_or_update", group, order.machine, wanted)
        self._orders.add(ordered(order), lambda: self._api.ended(poller))

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`. Its card, address and disks go with it."""
        self._api.remove(*_MACHINES, machine.id)

    def remove(self, resource: Resource) -> None:
        """See `Cloud.remove`."""
        self._network.forget()
        if resource.kind == "group":
            with passing(Trouble.MISSING):
                self._api.call("resource", "resource_groups", "begin_delete", resource.id, polling=False)
        else:
            client, operations, _, _ = _KINDS[resource.kind]
            self._api.remove(client, operations, resource.id)

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        calls = way_of(self.name, operation, _CALLS)
        group, name = split(machine.id)

        def asked(call: str, options: Mapping[str, object]) -> Pending:
            poller = self._api.call(*_MACHINES, call, group, name, **options)
            return lambda: self._api.ended(poller)

        return in_turn([lambda call=call: asked(*call) for call in calls])  # type: ignore[misc]

    def _may_read(self) -> str:
        self._api.listed(*_MACHINES, "list", "list_all")
        return "virtual machines can be listed"
