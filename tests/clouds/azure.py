"""A fake of Azure's Resource Manager: virtual machines, what is made with them, operations, and usages."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.clouds.server import Answer, Call, FakeMachine, FakeServer, Refused, serving

SUBSCRIPTION = "2f7d1e0c-0000-4000-8000-00000000e2e0"
LOCATIONS = ("westeurope", "northeurope")
SIZES = {"Standard_B2s": (2, "standardBSFamily"), "Standard_D4s_v5": (4, "standardDSv5Family")}
_HERE = f"/subscriptions/{SUBSCRIPTION}"
_NAME = re.compile(r"[a-z][-a-z0-9]{0,62}[a-z0-9]")
_SHORT_OF = {
    "networkInterfaces": "Microsoft.Network",
    "publicIPAddresses": "Microsoft.Network",
    "virtualNetworks": "Microsoft.Network",
    "networkSecurityGroups": "Microsoft.Network",
    "disks": "Microsoft.Compute",
}
_CODES = {401: "InvalidAuthenticationToken", 403: "AuthorizationFailed", 429: "TooManyRequests"}
_OPERATIONS = {
    "start": ("starting", "running"),
    "powerOff": ("stopping", "stopped"),
    "restart": ("running", "running"),
}


@dataclass
class _Operation:
    """What was asked for; `clock` ends it."""

    clock: FakeMachine
    error: tuple[str, str] | None = None


class FakeAzure(FakeServer):
    """One subscription. A machine without capacity is accepted, stays in the state Failed, and its operation fails."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[str, FakeMachine] = {}
        self.things: dict[str, dict[str, Any]] = {}
        self.pending: dict[str, _Operation] = {}
        self.usages = {"cores": 400, "standardDSv5Family": 8}
        self.restricted = ""
        self.full_zone = ""
        self.page_size = 2

    def retag(self, machine: str, old: str, new: str) -> None:
        """See `cases.Fake`; Azure takes nearly every text."""
        for each in self.fleet:
            if each.name == machine:
                each.tags[new] = each.tags.pop(old)

    def left(self) -> list[str]:
        """All that is no machine."""
        self.living()
        return sorted([*self.groups, *(each["name"] for each in self.things.values())])

    def living(self) -> list[FakeMachine]:
        """Machines that are there; groups that are gone take all in them along."""
        for name, group in list(self.groups.items()):
            group.settle()
            if group.state == self.gone_state:
                del self.groups[name]
                inside = f"{_HERE}/resourceGroups/{name}/"
                self.things = {key: each for key, each in self.things.items() if not key.startswith(inside)}
                for machine in self.fleet:
                    machine.state = self.gone_state if machine.settings["group"] == name else machine.state
        return super().living()

    def error(self, status: int, reason: str = "") -> Answer:
        """As the API describes errors."""
        if reason == "forbidden":
            return _error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if reason == "quota":
            text = "Operation could not be completed as it results in exceeding approved Total Regional Cores quota."
            return _error(409, "OperationNotAllowed", text)
        return _error(status, _CODES.get(status, "InternalServerError"), "try again later")

    def answer(self, call: Call) -> Answer:
        """Find what is asked for."""
        path = call.path.removeprefix(_HERE)
        match (call.method, *path.strip("/").split("/")):
            case ("GET", "resourcegroups" | "resourceGroups"):
                return self._page(call, self._own_groups(call.query.get("$filter", "")))
            case (method, "resourcegroups" | "resourceGroups", name):
                return self._group(method, name, call)
            case ("GET", "providers", "Microsoft.Compute", "skus"):
                return Answer(200, {"value": [self._sku(name, call) for name in SIZES]})
            case ("GET", "providers", "Microsoft.Compute", "locations", _, "usages"):
                return Answer(200, {"value": self._usages()})
            case ("GET", "providers", _, "locations", _, "operations", key) if key in self.pending:
                return Answer(200, self._operation(key))
            case ("GET", "providers", _, kind):
                return self._list(call, kind, "")
            case (_, "resourceGroups", name, *_) if name not in self.groups:
                raise Refused(_error(404, "ResourceGroupNotFound", f"Resource group '{name}' was not found."))
            case ("GET", "resourceGroups", name, "providers", _, kind):
                return self._list(call, kind, name)
            case (method, "resourceGroups", group, "providers", _, "virtualMachines", name, *rest):
                return self._machine(method, group, name, rest, call)
            case (method, "resourceGroups", _, "providers", _, kind, name) if kind in _SHORT_OF:
                return self._thing(method, call, kind, name)
        raise Refused(_error(404, "NotFound", f"no route {call.method} {call.path}"))

    # groups, and what is no machine

    def _group(self, method: str, name: str, call: Call) -> Answer:
        self.living()
        group = self.groups.get(name)
        if method == "PUT":
            location = call.body["location"]
            if group and group.state == "Deleting":
                raise Refused(
                    _error(409, "ResourceGroupBeingDeleted", "The resource group is being deleted.")
                )
            if group and group.zone != location:
                raise Refused(_error(409, "InvalidResourceGroupLocation", f"It exists in '{group.zone}'."))
            made = FakeMachine(self.next_id(), name, location, "", call.body.get("tags", {}), "Succeeded", {})
            self.groups[name] = group or made
            return Answer(200 if group else 201, _group(self.groups[name]))
        if group is None:
            raise Refused(_error(404, "ResourceGroupNotFound", f"Resource group '{name}' was not found."))
        if method == "DELETE":
            if group.state != "Deleting":
                group.state = "Deleting"
                group.later(2, group.become(self.gone_state))
            return Answer(202, None, self._begun("Microsoft.Resources", group.zone, 2))
        return Answer(200, _group(group))

    def _own_groups(self, wanted: str) -> list[dict[str, Any]]:
        self.living()
        tag = re.fullmatch(r"tagName eq '([^']+)'", wanted)
        return [_group(each) for each in self.groups.values() if not tag or tag[1] in each.tags]

    def _thing(self, method: str, call: Call, kind: str, name: str) -> Answer:
        self.living()
        there = self.things.get(call.path)
        if method == "PUT":
            made = {"id": call.path, "name": name, "type": f"{_SHORT_OF[kind]}/{kind}", **call.body}
            self.things[call.path] = made
            made["properties"] = {**call.body["properties"], "provisioningState": "Succeeded"}
            return Answer(200 if there else 201, made, self._begun("Microsoft.Network", made["location"], 1))
        if there is None:
            raise Refused(_error(404, "ResourceNotFound", f"The Resource '{kind}/{name}' was not found."))
        if method == "DELETE":
            self._refuse_used(call.path)
            del self.things[call.path]
            return Answer(202, None, self._begun("Microsoft.Network", "westeurope", 0))
        return Answer(200, there)

    def _refuse_used(self, path: str) -> None:
        for other in self.things.values():
            if other["id"] != path and f'"{path}' in str(other["properties"]).replace("'", '"'):
                text = f"{path} is in use by {other['id']}"
                raise Refused(_error(400, "InUseResourceCannotBeDeleted", text))

    def _list(self, call: Call, kind: str, group: str) -> Answer:
        inside = f"{_HERE}/resourceGroups/{group}/" if group else _HERE
        if kind == "virtualMachines":
            every = [self._shown(machine) for machine in self.living()]
        else:
            self.living()
            every = [each for each in self.things.values() if each["type"].endswith(f"/{kind}")]
        return self._page(call, [each for each in every if each["id"].startswith(inside)])

    def _page(self, call: Call, items: list[dict[str, Any]]) -> Answer:
        begin = int(call.query.get("$skiptoken", "0"))
        end = begin + self.page_size
        body: dict[str, Any] = {"value": items[begin:end]}
        if end < len(items):
            body["nextLink"] = f"{self.url}{call.path}?api-version=2026-04-01&$skiptoken={end}"
        return Answer(200, body)

    # machines

    def _machine(self, method: str, group: str, name: str, rest: list[str], call: Call) -> Answer:
        there = next(
            (each for each in self.living() if each.name == name and each.settings["group"] == group), None
        )
        if method == "PUT":
            return self._order(group, name, there, call)
        if there is None:
            if method == "DELETE":
                return Answer(204)
            raise Refused(_error(404, "ResourceNotFound", f"The Resource '{name}' was not found."))
        match (method, *rest):
            case ("GET",):
                return Answer(200, self._shown(there))
            case ("GET", "instanceView"):
                return Answer(200, _view(there))
            case ("DELETE",):
                return self._delete(there)
            case ("POST", operation) if operation in _OPERATIONS:
                return self._operate(there, operation, call)
        raise Refused(_error(404, "NotFound", f"no route {call.method} {call.path}"))

    def _order(self, group: str, name: str, there: FakeMachine | None, call: Call) -> Answer:
        if there:
            return Answer(200, self._shown(there), self._begun("Microsoft.Compute", there.zone, 1))
        self._check(name, call.body)
        machine = FakeMachine(
            id=self.next_id(),
            name=name,
            zone="-".join([call.body["location"], *call.body.get("zones", [])]),
            size=call.body["properties"]["hardwareProfile"]["vmSize"],
            tags=dict(call.body["tags"]),
            state="Creating",
            settings={**call.body["properties"], "group": group},
        )
        headers = self._begun("Microsoft.Compute", call.body["location"], 2)
        if not self._has_room(machine.zone):
            machine.later(2, machine.become("Failed"))
            operation = list(self.pending.values())[-1]
            operation.error = ("AllocationFailed", "Allocation failed. We do not have sufficient capacity.")
        elif not self.stuck:
            machine.later(2, machine.become("running"))
        self.enter(machine)
        self._add_things(machine, call.body)
        self.lose_now()
        return Answer(201, self._shown(machine), headers)

    def _has_room(self, zone: str) -> bool:
        """Raises Refused when the quota is short: that is told at once."""
        try:
            self.admit()
        except Refused as refused:
            if refused.answer.status == 409:
                raise
            return False
        return zone != self.full_zone

    def _check(self, name: str, body: Any) -> None:
        properties = body["properties"]
        (card,) = properties["networkProfile"]["networkInterfaceConfigurations"]
        subnet = card["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
        wrong = [
            *([] if _NAME.fullmatch(name) else ["name"]),
            *([] if body["location"] in LOCATIONS else ["location"]),
            *([] if properties["hardwareProfile"]["vmSize"] in SIZES else ["vmSize"]),
            *([] if subnet.rpartition("/subnets/")[0] in self.things else ["subnet"]),
            *([] if len(body["tags"]) <= 50 else ["tags"]),
        ]
        if wrong:
            raise Refused(_error(400, "InvalidParameter", f"The value of {', '.join(wrong)} is invalid."))

    def _add_things(self, machine: FakeMachine, body: Any) -> None:
        """The card, the address and the disks that are made with a machine, and that go with it."""
        network = f"{_HERE}/resourceGroups/{machine.settings['group']}/providers/Microsoft.Network"
        (card,) = machine.settings["networkProfile"]["networkInterfaceConfigurations"]
        inside = card["properties"]["ipConfigurations"][0]["properties"]
        public = inside.get("publicIPAddressConfiguration")
        address: dict[str, Any] = {
            "privateIPAddress": f"10.77.0.{machine.id % 250}",
            "subnet": inside["subnet"],
        }
        common = {"location": body["location"], "tags": dict(card.get("tags", {}))}
        if public:
            path = f"{network}/publicIPAddresses/{public['name']}"
            address["publicIPAddress"] = {"id": path}
            self.things[path] = {
                **common,
                **{"id": path, "name": public["name"], "type": "Microsoft.Network/publicIPAddresses"},
                "properties": {"ipAddress": machine.address, "publicIPAllocationMethod": "Static"},
            }
        path = f"{network}/networkInterfaces/{card['name']}"
        self.things[path] = {
            **common,
            **{"id": path, "name": card["name"], "type": "Microsoft.Network/networkInterfaces"},
            "properties": {
                "ipConfigurations": [{"name": "nodes", "properties": address}],
                "virtualMachine": {"id": self._path(machine).upper()},
            },
        }
        disks = machine.settings["storageProfile"]
        for disk in (disks["osDisk"], *disks["dataDisks"]):
            path = f"{network.replace('Network', 'Compute')}/disks/{disk['name']}"
            self.things[path] = {
                **{"id": path, "name": disk["name"], "type": "Microsoft.Compute/disks"},
                "location": body["location"],
                "tags": machine.tags,
                "properties": {
                    "diskSizeGB": disk.get("diskSizeGB", 30),
                    "creationData": {"createOption": disk["createOption"]},
                    "timeCreated": _time(machine.created),
                },
            }

    def _operate(self, machine: FakeMachine, operation: str, call: Call) -> Answer:
        if machine.due or machine.state in ("Creating", "Deleting", "Failed"):
            raise Refused(_error(409, "OperationNotAllowed", "Another operation is in progress."))
        hard = call.query.get("skipShutdown", "").lower() == "true"
        self.operations.append(f"{operation} skipShutdown" if hard else operation)
        passes, ends = _OPERATIONS[operation]
        moments = float("inf") if self.idle else 2
        machine.state = passes
        machine.later(moments, machine.become(ends))
        return Answer(202, None, self._begun("Microsoft.Compute", machine.zone, moments))

    def _delete(self, machine: FakeMachine) -> Answer:
        machine.due.clear()
        machine.state = "Deleting"

        def gone() -> None:
            machine.state = self.gone_state
            (card,) = machine.settings["networkProfile"]["networkInterfaceConfigurations"]
            disks = machine.settings["storageProfile"]
            public = card["properties"]["ipConfigurations"][0]["properties"].get(
                "publicIPAddressConfiguration"
            )
            made = [
                ("networkInterfaces", card["name"], card["properties"].get("deleteOption")),
                *(
                    [("publicIPAddresses", public["name"], public["properties"].get("deleteOption"))]
                    if public
                    else []
                ),
                *(
                    ("disks", disk["name"], disk.get("deleteOption"))
                    for disk in (disks["osDisk"], *disks["dataDisks"])
                ),
            ]
            with_it = {f"{kind}/{name}" for kind, name, option in made if option == "Delete"}
            self.things = {
                key: each for key, each in self.things.items() if "/".join(key.split("/")[-2:]) not in with_it
            }

        machine.later(1, gone)
        return Answer(202, None, self._begun("Microsoft.Compute", machine.zone, 1))

    def _shown(self, machine: FakeMachine) -> dict[str, Any]:
        state = machine.state if machine.state in ("Creating", "Deleting", "Failed") else "Succeeded"
        body = {key: value for key, value in machine.settings.items() if key != "group"}
        body["osProfile"] = {key: value for key, value in body["osProfile"].items() if key != "customData"}
        location, _, zone = machine.zone.partition("-")
        (card,) = body["networkProfile"]["networkInterfaceConfigurations"]
        network = f"{_HERE}/resourceGroups/{machine.settings['group']}/providers/Microsoft.Network"
        cards = [{"id": f"{network}/networkInterfaces/{card['name']}", "properties": {"primary": True}}]
        return {
            "id": self._path(machine),
            "name": machine.name,
            "type": "Microsoft.Compute/virtualMachines",
            "location": location,
            "tags": machine.tags,
            **({"zones": [zone]} if zone else {}),
            "properties": {
                **body,
                "networkProfile": {**body["networkProfile"], "networkInterfaces": cards},
                "vmId": str(uuid.UUID(int=machine.id)),
                "provisioningState": state,
                "timeCreated": _time(machine.created),
            },
        }

    def _path(self, machine: FakeMachine) -> str:
        group = machine.settings["group"]
        return f"{_HERE}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{machine.name}"

    # operations, sizes, usages

    def _begun(self, namespace: str, location: str, moments: float) -> Mapping[str, str]:
        key = f"op-{self.next_id()}"
        clock = FakeMachine(0, key, "", "", {}, "InProgress", {})
        clock.later(moments, clock.become("Succeeded"))
        self.pending[key] = _Operation(clock)
        where = location.partition("-")[0]
        path = f"{_HERE}/providers/{namespace}/locations/{where}/operations/{key}"
        return {"Azure-AsyncOperation": f"{self.url}{path}?api-version=2026-04-01"}

    def _operation(self, key: str) -> dict[str, Any]:
        operation = self.pending[key]
        operation.clock.settle()
        done = operation.clock.state == "Succeeded"
        if done and operation.error:
            code, message = operation.error
            return {"name": key, "status": "Failed", "error": {"code": code, "message": message}}
        return {"name": key, "status": operation.clock.state}

    def _sku(self, name: str, call: Call) -> dict[str, Any]:
        processors, family = SIZES[name]
        location = call.query["$filter"].removeprefix("location eq '").removesuffix("'")
        refused = {"type": "Location", "values": [location], "reasonCode": "NotAvailableForSubscription"}
        return {
            "resourceType": "virtualMachines",
            "name": name,
            "family": family,
            "locations": [location],
            "capabilities": [{"name": "vCPUs", "value": str(processors)}],
            "restrictions": [refused] if location == self.restricted else [],
        }

    def _usages(self) -> list[dict[str, Any]]:
        used = sum(SIZES[each.size][0] for each in self.living())
        counts = {"virtualMachines": (len(self.living()), self.most)}
        counts |= {name: (used if name == "cores" else 0, limit) for name, limit in self.usages.items()}
        return [
            {
                "unit": "Count",
                "name": {"value": name, "localizedValue": name},
                "currentValue": current,
                "limit": limit,
            }
            for name, (current, limit) in counts.items()
        ]


@contextmanager
def served() -> Iterator[FakeAzure]:
    """A subscription that answers on loopback."""
    with serving(FakeAzure()) as fake:
        yield fake


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})


def _group(group: FakeMachine) -> dict[str, Any]:
    return {
        "id": f"{_HERE}/resourceGroups/{group.name}",
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.zone,
        "tags": group.tags,
        "properties": {"provisioningState": group.state},
    }


def _view(machine: FakeMachine) -> dict[str, Any]:
    failed = machine.state == "Failed"
    statuses = [{"code": f"ProvisioningState/{'failed' if failed else 'succeeded'}", "level": "Info"}]
    if not failed:
        shown = f"VM {machine.state}"
        statuses.append({"code": f"PowerState/{machine.state}", "level": "Info", "displayStatus": shown})
    return {"statuses": statuses}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
