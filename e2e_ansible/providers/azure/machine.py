"""Things of Azure as machines and resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.azure.api import Api, split
from e2e_ansible.providers.cloud.machine import DEPLOYMENT_TAG, Machine, Order, Place, Resource
from e2e_ansible.providers.cloud.timestamp import seconds
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["addresses", "is_ours", "ordered", "power_word", "read_machine", "resource"]

_POWER = {
    "running": PowerState.ON,
    "stopped": PowerState.OFF,
    "deallocated": PowerState.OFF,
}
_ENDING = "Deleting"
_UNFINISHED = ("Creating", _ENDING)
_OF_POWER = "PowerState/"


def is_ours(thing: Mapping[str, Any], deployment: str) -> bool:
    """Whether it has our tag, of one deployment or of any."""
    tagged = (thing.get("tags") or {}).get(DEPLOYMENT_TAG, "")
    return bool(tagged) and deployment in ("", tagged)


def ordered(order: Order) -> Machine:
    """A machine that was ordered. Azure lists it at once, so this is only who it is."""
    return Machine(id="", machine=order.machine, power=PowerState.UNKNOWN, state="ORDERED", tags=order.tags)


def power_word(api: Api, machine: Mapping[str, Any]) -> str:
    """Azure's word for the power of a machine, or for what is done to it; '' if it is gone."""
    doing = str(machine["properties"].get("provisioningState", ""))
    if doing in _UNFINISHED:
        return doing
    try:
        view = api.call("compute", "virtual_machines", "instance_view", *split(machine["id"])).as_dict()
    except CloudError as error:
        if error.trouble is Trouble.MISSING:
            return ""
        raise
    codes = [str(each.get("code", "")) for each in view.get("statuses", ())]
    return next((code[len(_OF_POWER) :] for code in codes if code.startswith(_OF_POWER)), doing)


def addresses(
    cards: Sequence[Mapping[str, Any]], public: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    """Public and private address by the path of the machine, in lower case: Azure does not keep the case."""
    known = {each["id"].lower(): str(each["properties"].get("ipAddress", "")) for each in public}
    found = {}
    for card in cards:
        machine = (card["properties"].get("virtualMachine") or {}).get("id", "")
        for each in card["properties"].get("ipConfigurations", ())[:1]:
            inside = each["properties"]
            path = (inside.get("publicIPAddress") or {}).get("id", "")
            found[machine.lower()] = known.get(path.lower(), ""), str(inside.get("privateIPAddress", ""))
    return found


def read_machine(machine: Mapping[str, Any], state: str, address: tuple[str, str]) -> Machine:
    """What the API says about a machine, with its public and its private address."""
    properties = machine["properties"]
    zone = "-".join([machine["location"], *machine.get("zones", ())[:1]])
    return Machine(
        id=machine["id"],
        machine=machine["name"],
        power=_POWER.get(state, PowerState.UNKNOWN),
        state=state,
        address=address[0],
        private_address=address[1],
        place=Place(zone=zone, size=properties["hardwareProfile"]["vmSize"]),
        tags=machine["tags"],
        ending=state == _ENDING,
        created=seconds(properties.get("timeCreated", "")),
    )


def resource(kind: str, thing: Mapping[str, Any]) -> Resource:
    """What the API says about something else; a group is known by its name, all others by their path."""
    made = str((thing.get("properties") or {}).get("timeCreated", ""))
    key = thing["name"] if kind == "group" else thing["id"]
    return Resource(kind=kind, id=key, tags=thing["tags"], created=seconds(made))
