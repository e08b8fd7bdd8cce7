"""A fake of the API of Hetzner Cloud: servers, their actions, locations, networks and firewalls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.clouds.server import Answer, Call, FakeMachine, FakeServer, Refused, page, serving

LOCATIONS = {"fsn1": 1, "nbg1": 2}
_TYPES = {"cx23": 1, "cx33": 2}
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ERRORS = {
    "forbidden": (401, "unauthorized", "unable to authenticate"),
    "capacity": (412, "resource_unavailable", "the server type is not available in this location now"),
    "quota": (403, "resource_limit_exceeded", "server limit reached"),
}
_FAILURES = {429: "rate_limit_exceeded", 500: "server_error", 503: "unavailable"}
#: What an operation ends in; an orderly shutdown ends some time after its action.
_OPERATIONS = {
    "poweron": "running",
    "poweroff": "off",
    "shutdown": "off",
    "reboot": "running",
    "reset": "running",
}


class FakeHetzner(FakeServer):
    """One project."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: dict[int, dict[str, Any]] = {}
        self.actions_fail = False
        self.networks = [{"id": 7, "name": "inner", "labels": {}}]
        self.firewalls = [{"id": 8, "name": "ssh-only", "labels": {}}]

    def retag(self, machine: str, old: str, new: str) -> None:
        """See `cases.Fake`; the real API would not take such a name."""
        for each in self.fleet:
            if each.name == machine:
                each.tags[new] = each.tags.pop(old)

    def error(self, status: int, reason: str = "") -> Answer:
        """As the API describes errors."""
        status, code, message = _ERRORS.get(reason) or (status, _FAILURES.get(status, "unknown"), "try later")
        return Answer(status, _error(code, message))

    def answer(self, call: Call) -> Answer:
        """Find what is asked for."""
        self.only(call, "label_selector", "name", "page", "per_page")
        match (call.method, *call.path.strip("/").split("/")):
            case ("GET", "servers"):
                return self._list(call)
            case ("POST", "servers"):
                return self._create(call.body)
            case ("DELETE", "servers", key):
                return self._delete(self._server(key))
            case ("POST", "servers", key, "actions", operation) if operation in _OPERATIONS:
                return self._operate(self._server(key), operation)
            case ("GET", "actions", key):
                return Answer(200, {"action": self._action_now(int(key))})
            case ("GET", "locations"):
                there = [_location(name) for name in LOCATIONS]
                return Answer(200, {"locations": there, **_meta(1, 25, 1, len(there))})
            case ("GET", "networks" | "firewalls" as kind):
                there = self.networks if kind == "networks" else self.firewalls
                found = [each for each in there if each["name"] == call.query.get("name")]
                return Answer(200, {kind: found, **_meta(1, 25, 1, len(found))})
        raise Refused(Answer(404, _error("not_found", f"no route {call.method} {call.path}")))

    def _list(self, call: Call) -> Answer:
        chosen = [
            each for each in self.living() if _selected(each.tags, call.query.get("label_selector", ""))
        ]
        items, number, size, last = page(call, chosen, 25, 50)
        servers = [_server(each) for each in items]
        return Answer(200, {"servers": servers, **_meta(number, size, last, len(chosen))})

    def _create(self, body: Any) -> Answer:
        self._check(body)
        self.admit()
        machine = FakeMachine(
            id=self.next_id(),
            name=body["name"],
            zone=body.get("location", "nbg1"),
            size=body["server_type"],
            tags=dict(body.get("labels", {})),
            state="initializing",
            settings=body,
        )
        machine.later(1, machine.become("starting"))
        if not self.stuck:
            machine.later(2, machine.become("running"))
        self.enter(machine)
        self.lose_now()
        made = {
            "server": _server(machine),
            "action": self._act("create_server", machine, 1),
            "next_actions": [self._act("start_server", machine, 2)],
            "root_password": "not-to-be-used",
        }
        return Answer(201, made)

    def _check(self, body: Any) -> None:
        wrong = [
            *(["name"] if not _NAME.fullmatch(body.get("name", "")) else []),
            *(["server_type"] if body.get("server_type") not in _TYPES else []),
            *(["location"] if body.get("location", "nbg1") not in LOCATIONS else []),
            *(["image"] if body.get("image") != "debian-12" else []),
            *(["user_data"] if len(body.get("user_data", "")) > 32 * 1024 else []),
            *(
                ["labels"]
                if not all(
                    _LABEL_NAME.fullmatch(name) and _LABEL_VALUE.fullmatch(value)
                    for name, value in body.get("labels", {}).items()
                )
                else []
            ),
        ]
        if wrong:
            raise Refused(Answer(422, _error("invalid_input", f"invalid input in field {', '.join(wrong)}")))
        if any(each.name == body["name"] for each in self.living()):
            raise Refused(Answer(409, _error("uniqueness_error", "server name is already used")))

    def _delete(self, machine: FakeMachine) -> Answer:
        if machine.state == "deleting":
            raise Refused(Answer(423, _error("locked", "server is locked")))
        machine.due.clear()
        machine.state = "deleting"
        machine.looked_at = False  # its end is to be seen as well
        machine.later(1, machine.become(self.gone_state))
        return Answer(200, {"action": self._act("delete_server", machine, 1)})

    def _operate(self, machine: FakeMachine, operation: str) -> Answer:
        if machine.due:
            raise Refused(Answer(423, _error("locked", "server is locked")))
        self.operations.append(operation)
        if not self.idle:
            machine.later(2 if operation == "shutdown" else 1, machine.become(_OPERATIONS[operation]))
        moments = float("inf") if self.idle and operation != "shutdown" else 1
        return Answer(201, {"action": self._act(f"{operation}_server", machine, moments)})

    def _server(self, key: str) -> FakeMachine:
        for machine in self.living():
            if str(machine.id) == key:
                return machine
        raise Refused(Answer(404, _error("not_found", "server not found")))

    def _act(self, command: str, machine: FakeMachine, moments: float) -> dict[str, Any]:
        action: dict[str, Any] = {
            "id": self.next_id(),
            "command": command,
            "status": "running",
            "progress": 0,
            "started": _time(datetime.now(UTC).timestamp()),
            "finished": None,
            "resources": [{"id": machine.id, "type": "server"}],
            "error": None,
        }
        self.actions[action["id"]] = action
        clock = FakeMachine(action["id"], command, "", "", {}, "", {})

        def end() -> None:
            action.update(status="success", progress=100, finished=_time(datetime.now(UTC).timestamp()))
            if self.actions_fail:
                action.update(
                    status="error", error={"code": "action_failed", "message": "the host is broken"}
                )

        clock.later(moments, end)
        action["clock"] = clock
        return _public(action)

    def _action_now(self, key: int) -> dict[str, Any]:
        action = self.actions.get(key)
        if action is None:
            raise Refused(Answer(404, _error("not_found", "action not found")))
        action["clock"].settle()
        return _public(action)


@contextmanager
def served() -> Iterator[FakeHetzner]:
    """A project that answers on loopback."""
    with serving(FakeHetzner(), "/v1") as fake:
        yield fake


def _public(action: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in action.items() if key != "clock"}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": None}}


def _meta(number: int, size: int, last: int, total: int) -> dict[str, Any]:
    pagination = {
        "page": number,
        "per_page": size,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if number < last else None,
        "last_page": last,
        "total_entries": total,
    }
    return {"meta": {"pagination": pagination}}


def _selected(labels: dict[str, str], selector: str) -> bool:
    """Only what is used of label selectors: that a label is there, or has a value."""
    for term in filter(None, selector.split(",")):
        name, equal, value = term.partition("=")
        if name not in labels or (equal and labels[name] != value):
            return False
    return True


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _server(machine: FakeMachine) -> dict[str, Any]:
    body = machine.settings
    public = body.get("public_net", {}).get("enable_ipv4", True)
    networks = body.get("networks", [])
    return {
        "id": machine.id,
        "name": machine.name,
        "status": machine.state,
        "created": _time(machine.created),
        "public_net": {
            "ipv4": _ipv4(machine.address) if public else None,
            "ipv6": {"id": 2, "ip": "2001:db8:7d1f::/64", "blocked": False, "dns_ptr": []}
            if public
            else None,
            "floating_ips": [],
            "firewalls": [
                {"id": each["firewall"], "status": "applied"} for each in body.get("firewalls", [])
            ],
        },
        "private_net": [
            {
                "network": each,
                "ip": f"10.0.0.{machine.id % 250}",
                "alias_ips": [],
                "mac_address": "86:00:ff:2a:7d:e1",
            }
            for each in networks
        ],
        "server_type": _type(machine.size),
        "location": _location(machine.zone),
        "image": _image(machine.settings.get("image", "debian-12")),
        "iso": None,
        "rescue_enabled": False,
        "locked": bool(machine.due),
        "backup_window": None,
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": 20 * 2**40,
        "protection": {"delete": False, "rebuild": False},
        "labels": machine.tags,
        "volumes": [],
        "primary_disk_size": 40,
        "placement_group": None,
    }


def _ipv4(address: str) -> dict[str, Any]:
    return {"id": 1, "ip": address, "blocked": False, "dns_ptr": f"static.{address}.example"}


def _type(name: str) -> dict[str, Any]:
    return {
        "id": _TYPES[name],
        "name": name,
        "description": name.upper(),
        "category": "cost_optimized",
        "cores": 2,
        "memory": 4,
        "disk": 40,
        "prices": [],
        "storage_type": "local",
        "cpu_type": "shared",
        "architecture": "x86",
        "locations": [],
    }


def _image(name: str) -> dict[str, Any]:
    return {
        "id": 114690387,
        "name": name,
        "type": "system",
        "description": "Debian 12",
        "image_size": None,
        "disk_size": 5,
        "bound_to": None,
        "os_flavor": "debian",
        "os_version": "12",
        "architecture": "x86",
        "rapid_deploy": True,
        "created_from": None,
        "status": "available",
        "protection": {"delete": False},
        "labels": {},
        "created": "2023-06-13T06:00:05+00:00",
        "deprecation": None,
    }


def _location(name: str) -> dict[str, Any]:
    return {
        "id": LOCATIONS[name],
        "name": name,
        "description": name,
        "country": "DE",
        "city": name,
        "latitude": 50.0,
        "longitude": 12.0,
        "network_zone": "eu-central",
    }
