"""A fake of the API of Google Compute Engine: instances, their disks, operations, and quotas."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.clouds.server import Answer, Call, FakeMachine, FakeServer, Refused, serving

PROJECT = "proving-ground"
ZONES = ("europe-west1-b", "europe-west1-c", "europe-west4-a")
REGIONS = ("europe-west1", "europe-west4")
TYPES = {"e2-medium": 2, "n2-standard-4": 4, "c3-standard-4-lssd": 4}
PREFIX = "/compute/v1"
_SITE = "https://www.googleapis.com/compute/v1"
_HERE = f"/projects/{PROJECT}"
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_NAME = re.compile(r"[a-z][-_a-z0-9]{0,62}")
_LABEL_VALUE = re.compile(r"[-_a-z0-9]{0,63}")
_REASONS = {401: "authError", 403: "forbidden", 429: "rateLimitExceeded", 500: "backendError"}
#: Each operation: where it may begin, what it passes, where it ends.
_OPERATIONS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "start": (("TERMINATED", "RUNNING"), "STAGING", "RUNNING"),
    "stop": (("RUNNING", "TERMINATED"), "STOPPING", "TERMINATED"),
    "reset": (("RUNNING",), "RUNNING", "RUNNING"),
}


@dataclass
class _Operation:
    """What was asked for; `clock` ends it."""

    id: int
    kind: str
    target: FakeMachine
    clock: FakeMachine
    request: str = ""
    error: tuple[str, str] | None = None
    started: float = field(default_factory=lambda: datetime.now(UTC).timestamp())

    @property
    def name(self) -> str:
        return f"operation-{self.id}"


class FakeGcp(FakeServer):
    """One project. An instance that has no capacity is refused by its operation, as Google does, not by its call."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: dict[str, _Operation] = {}
        self.disks: dict[str, dict[str, Any]] = {}
        self.families: dict[str, float] = {"CPUS": 400, "N2_CPUS": 8}
        self.silent_zone = ""
        self.full_zone = ""
        self.page_size = 2
        self.unseen = 0.0
        self.diagnosed: list[str] = []

    def retag(self, machine: str, old: str, new: str) -> None:
        """See `cases.Fake`; the real API would not take such a name."""
        for each in self.fleet:
            if each.name == machine:
                each.tags[new] = each.tags.pop(old)

    def left(self) -> list[str]:
        """Disks."""
        self.living()
        return sorted(self.disks)

    def living(self) -> list[FakeMachine]:
        """Instances that are there; what their operations do is done first."""
        for operation in self.pending.values():
            operation.clock.settle()
        return super().living()

    def error(self, status: int, reason: str = "") -> Answer:
        """As the API describes errors."""
        if reason == "forbidden":
            return _error(401, "authError", "Request had invalid authentication credentials.")
        if reason == "quota":
            return _error(403, "quotaExceeded", "Quota 'INSTANCES' exceeded.")
        return _error(status, _REASONS.get(status, "unknown"), "try again later")

    def answer(self, call: Call) -> Answer:
        """Find what is asked for."""
        if not call.path.startswith(_HERE):
            raise Refused(_error(404, "notFound", f"no route {call.path}"))
        match (call.method, *call.path.removeprefix(_HERE).strip("/").split("/")):
            case ("GET", ""):
                return Answer(200, self._project())
            case ("GET", "regions", region) if region in REGIONS:
                return Answer(200, self._region(region))
            case ("GET", "zones", zone, "machineTypes", size) if zone in ZONES and size in TYPES:
                return Answer(200, _type(zone, size))
            case ("GET", "aggregated", "instances" | "disks" as kind):
                return self._list(call, kind)
            case ("POST", "zones", zone, "instances") if zone in ZONES:
                return self._insert(zone, call)
            case ("POST", "zones", zone, "instances", key, operation):
                return self._operate(self._instance(zone, key), operation, call)
            case ("DELETE", "zones", zone, "instances", key):
                return self._delete(self._instance(zone, key))
            case ("DELETE", "zones", _, "disks", name) if name in self.disks:
                return self._remove(name)
            case ("GET", "zones", _, "operations", name) if name in self.pending:
                return Answer(200, self._shown(self.pending[name]))
        raise Refused(_error(404, "notFound", f"The resource '{call.path}' was not found"))

    # what is told

    def _project(self) -> dict[str, Any]:
        quota = {"metric": "CPUS_ALL_REGIONS", "limit": 1000.0, "usage": 0.0}
        return {"kind": "compute#project", "id": "77", "name": PROJECT, "quotas": [quota]}

    def _region(self, region: str) -> dict[str, Any]:
        there = [each for each in self.living() if each.zone.startswith(region)]
        used = float(sum(TYPES[each.size] for each in there))
        quotas = [
            {"metric": "INSTANCES", "limit": float(self.most), "usage": float(len(there))},
            *(
                {"metric": name, "limit": limit, "usage": used if name == "CPUS" else 0.0}
                for name, limit in self.families.items()
            ),
        ]
        zones = [f"{_SITE}{_HERE}/zones/{zone}" for zone in reversed(ZONES) if zone.startswith(region)]
        return {"kind": "compute#region", "id": "5", "name": region, "quotas": quotas, "zones": zones}

    def _list(self, call: Call, kind: str) -> Answer:
        chosen = [
            (zone, shown)
            for zone, shown in (self._instances() if kind == "instances" else self._disks())
            if _selected(shown.get("labels", {}), call.query.get("filter", ""))
        ]
        begin = int(call.query.get("pageToken", "0"))
        end = begin + self.page_size
        items: dict[str, Any] = {f"zones/{zone}": _nothing(zone) for zone in ZONES}
        for zone in {zone for zone, _ in chosen[begin:end]}:
            items[f"zones/{zone}"] = {kind: [shown for at, shown in chosen[begin:end] if at == zone]}
        name = "instance" if kind == "instances" else "disk"
        body = {"kind": f"compute#{name}AggregatedList", "id": "lists", "items": items}
        if end < len(chosen):
            body["nextPageToken"] = str(end)
        if self.silent_zone:
            body["unreachables"] = [f"{_SITE}{_HERE}/zones/{self.silent_zone}"]
        return Answer(200, body)

    def _instances(self) -> list[tuple[str, dict[str, Any]]]:
        return [(each.zone, _shown(each)) for each in self.living() if each.state != "ORDERED"]

    def _disks(self) -> list[tuple[str, dict[str, Any]]]:
        self.living()
        return [(each["zone"].rpartition("/")[2], each) for each in self.disks.values()]

    # what is done

    def _insert(self, zone: str, call: Call) -> Answer:
        known = self._asked_before(call)
        if known:
            return Answer(200, self._shown(known))
        _check(call.body, zone)
        if any(each.name == call.body["name"] and each.zone == zone for each in self.living()):
            raise Refused(_error(409, "alreadyExists", f"'{call.body['name']}' already exists"))
        machine = FakeMachine(
            id=self.next_id(),
            name=call.body["name"],
            zone=zone,
            size=call.body["machineType"].rpartition("/")[2],
            tags=dict(call.body.get("labels", {})),
            state="ORDERED",
            settings=call.body,
        )
        if not self._has_room(zone):
            operation = self._begin("insert", machine, 2, call)
            operation.error = ("ZONE_RESOURCE_POOL_EXHAUSTED", f"The zone '{zone}' has not enough resources.")
            return Answer(200, self._shown(operation))
        operation = self._begin("insert", machine, self.unseen + 2, call)
        self.enter(machine)
        self._add_disks(machine)
        machine.later(self.unseen, machine.become("PROVISIONING"))
        machine.later(self.unseen + 1, machine.become("STAGING"))
        if not self.stuck:
            machine.later(self.unseen + 2, machine.become("RUNNING"))
        self.lose_now()
        return Answer(200, self._shown(operation))

    def _has_room(self, zone: str) -> bool:
        """Raises Refused when the quota is short: that is told at once."""
        try:
            self.admit()
        except Refused as refused:
            if refused.answer.status == 403:
                raise
            return False
        return zone != self.full_zone

    def _asked_before(self, call: Call) -> _Operation | None:
        request = call.query.get("requestId", "")
        return next((each for each in self.pending.values() if request and each.request == request), None)

    def _add_disks(self, machine: FakeMachine) -> None:
        for disk in machine.settings["disks"]:
            wanted = disk["initializeParams"]
            self.disks[wanted["diskName"]] = {
                "kind": "compute#disk",
                "id": str(self.next_id()),
                "name": wanted["diskName"],
                "zone": f"{_SITE}{_HERE}/zones/{machine.zone}",
                "labels": wanted.get("labels", {}),
                "status": "READY",
                "sizeGb": str(wanted.get("diskSizeGb", 10)),
                "users": [f"{_SITE}{_HERE}/zones/{machine.zone}/instances/{machine.name}"],
                "creationTimestamp": _time(machine.created),
            }

    def _operate(self, machine: FakeMachine, operation: str, call: Call) -> Answer:
        if operation == "sendDiagnosticInterrupt":
            self.operations.append(operation)
            self.diagnosed.append(machine.name)
            return Answer(200, {})
        if operation not in _OPERATIONS:
            raise Refused(_error(404, "notFound", f"no operation {operation}"))
        begins, passes, ends = _OPERATIONS[operation]
        busy = any(each.target is machine and not _is_done(each) for each in self.pending.values())
        if machine.state not in begins or busy:
            raise Refused(_error(400, "resourceNotReady", f"The resource '{machine.name}' is not ready"))
        if operation == "stop" and _has_local_disk(machine) and "discardLocalSsd" not in call.query:
            text = "instances with local SSDs need discardLocalSsd"
            raise Refused(_error(400, "invalid", text))
        self.operations.append(operation)
        moments = float("inf") if self.idle else 2
        machine.state = passes
        machine.later(moments, machine.become(ends))
        return Answer(200, self._shown(self._begin(operation, machine, moments, call)))

    def _delete(self, machine: FakeMachine) -> Answer:
        if any(
            each.kind == "delete" and each.target is machine and not _is_done(each)
            for each in self.pending.values()
        ):
            raise Refused(_error(400, "resourceNotReady", f"The resource '{machine.name}' is not ready"))
        machine.due.clear()
        machine.state = "STOPPING"

        def gone() -> None:
            machine.state = self.gone_state
            for disk in machine.settings["disks"]:
                if disk.get("autoDelete"):
                    self.disks.pop(disk["initializeParams"]["diskName"], None)

        machine.later(1, gone)
        return Answer(200, self._shown(self._begin("delete", machine, 1)))

    def _remove(self, name: str) -> Answer:
        disk = self.disks[name]
        if any(each.name == disk["users"][0].rpartition("/")[2] for each in self.living() if disk["users"]):
            raise Refused(_error(400, "resourceInUseByAnotherResource", f"The disk '{name}' is being used"))
        del self.disks[name]
        target = FakeMachine(int(disk["id"]), name, disk["zone"].rpartition("/")[2], "", {}, "", {})
        return Answer(200, self._shown(self._begin("delete", target, 0)))

    def _begin(self, kind: str, target: FakeMachine, moments: float, call: Call | None = None) -> _Operation:
        key = self.next_id()
        clock = FakeMachine(key, kind, target.zone, "", {}, "RUNNING", {})
        clock.later(moments, clock.become("DONE"))
        operation = _Operation(key, kind, target, clock, call.query.get("requestId", "") if call else "")
        self.pending[operation.name] = operation
        return operation

    def _shown(self, operation: _Operation) -> dict[str, Any]:
        operation.clock.settle()
        done = operation.clock.state == "DONE"
        shown = {
            "kind": "compute#operation",
            "id": str(operation.id),
            "name": operation.name,
            "operationType": operation.kind,
            "status": operation.clock.state,
            "progress": 100 if done else 0,
            "insertTime": _time(operation.started),
            "targetId": str(operation.target.id),
            "zone": f"{_SITE}{_HERE}/zones/{operation.target.zone}",
            "user": "tester@example.com",
        }
        if done and operation.error:
            code, message = operation.error
            shown |= {
                "error": {"errors": [{"code": code, "message": message}]},
                "httpErrorStatusCode": 503,
                "httpErrorMessage": "SERVICE UNAVAILABLE",
            }
        return shown

    def _instance(self, zone: str, key: str) -> FakeMachine:
        for machine in self.living():
            if machine.zone == zone and key in (machine.name, str(machine.id)) and machine.state != "ORDERED":
                return machine
        raise Refused(_error(404, "notFound", f"The resource 'instances/{key}' was not found"))


@contextmanager
def served() -> Iterator[FakeGcp]:
    """A project that answers on loopback."""
    with serving(FakeGcp()) as fake:
        answer: Callable[[Call], Answer] = fake.answer
        fake.answer = lambda call: answer(_below(call))
        yield fake


def _below(call: Call) -> Call:
    return Call(call.method, call.path.removeprefix(PREFIX), call.query, call.body)


def _error(status: int, reason: str, message: str) -> Answer:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return Answer(status, {"error": {"code": status, "message": message, "errors": errors}})


def _check(body: Any, zone: str) -> None:
    labels = body.get("labels", {})
    wrong = [
        *([] if _NAME.fullmatch(body.get("name", "")) else ["name"]),
        *([] if body["machineType"] in [f"zones/{zone}/machineTypes/{size}" for size in TYPES] else ["type"]),
        *([] if len(labels) <= 64 else ["labels"]),
        *(name for name in labels if not _LABEL_NAME.fullmatch(name)),
        *(value for value in labels.values() if not _LABEL_VALUE.fullmatch(value)),
        *(
            disk["initializeParams"]["diskName"]
            for disk in body["disks"]
            if not _NAME.fullmatch(disk["initializeParams"]["diskName"])
        ),
        *([] if [disk.get("boot", False) for disk in body["disks"]].count(True) == 1 else ["boot"]),
        *([] if body.get("networkInterfaces") else ["networkInterfaces"]),
    ]
    if wrong:
        raise Refused(_error(400, "invalid", f"Invalid value for field: {', '.join(wrong)}"))


def _selected(labels: Mapping[str, str], wanted: str) -> bool:
    """Only what is used of filters: that a label is there, or has a value."""
    name, colon, _ = wanted.removeprefix("labels.").partition(":*")
    if colon:
        return name in labels
    name, _, value = name.partition("=")
    return not name or labels.get(name) == value


def _is_done(operation: _Operation) -> bool:
    operation.clock.settle()
    return operation.clock.state == "DONE"


def _has_local_disk(machine: FakeMachine) -> bool:
    return machine.size.endswith("-lssd")


def _nothing(zone: str) -> dict[str, Any]:
    text = f"There are no results for scope 'zones/{zone}' on this page."
    return {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": text}}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="milliseconds")


def _type(zone: str, size: str) -> dict[str, Any]:
    return {
        "kind": "compute#machineType",
        "id": "9",
        "name": size,
        "guestCpus": TYPES[size],
        "memoryMb": 4096,
        "zone": zone,
        "isSharedCpu": size.startswith("e2"),
    }


def _shown(machine: FakeMachine) -> dict[str, Any]:
    card: dict[str, Any] = {
        "kind": "compute#networkInterface",
        "name": "nic0",
        "networkIP": f"10.132.0.{machine.id % 250}",
        "network": f"{_SITE}{_HERE}/global/networks/default",
    }
    if machine.settings["networkInterfaces"][0].get("accessConfigs"):
        # An address that is not reserved is there only while the instance runs.
        address = {"natIP": machine.address} if machine.state == "RUNNING" else {}
        card["accessConfigs"] = [
            {"kind": "compute#accessConfig", "name": "External NAT", "type": "ONE_TO_ONE_NAT", **address}
        ]
    disks = [
        {
            "kind": "compute#attachedDisk",
            "type": "PERSISTENT",
            "boot": index == 0,
            "index": index,
            "autoDelete": True,
        }
        for index, _ in enumerate(machine.settings["disks"])
    ]
    if _has_local_disk(machine):
        disks.append({"kind": "compute#attachedDisk", "type": "SCRATCH", "index": len(disks)})
    return {
        "kind": "compute#instance",
        "id": str(machine.id),
        "name": machine.name,
        "zone": f"{_SITE}{_HERE}/zones/{machine.zone}",
        "machineType": f"{_SITE}{_HERE}/zones/{machine.zone}/machineTypes/{machine.size}",
        "status": machine.state,
        "labels": machine.tags,
        "creationTimestamp": _time(machine.created),
        "networkInterfaces": [card],
        "disks": disks,
        "metadata": machine.settings["metadata"],
        "scheduling": {"onHostMaintenance": "MIGRATE", "automaticRestart": True, "preemptible": False},
    }
