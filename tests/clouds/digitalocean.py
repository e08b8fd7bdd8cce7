"""A fake of DigitalOcean's API: Droplets, their actions, tags and the account."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.clouds.server import Answer, Call, FakeMachine, FakeServer, Refused, page, serving

REGIONS = ("fra1", "ams3")
_SIZES = ("s-2vcpu-2gb", "s-4vcpu-8gb")
_TAG = re.compile(r"[A-Za-z0-9:_-]{1,255}")
_NAME = re.compile(r"[A-Za-z0-9]([-.A-Za-z0-9]{0,253}[A-Za-z0-9])?")
_ERRORS = {
    "forbidden": (401, "Unauthorized", "Unable to authenticate you"),
    "capacity": (422, "unprocessable_entity", "Size is not available in this region."),
    "quota": (422, "unprocessable_entity", "creating this/these droplet(s) will exceed your droplet limit"),
}
_FAILURES = {429: "too_many_requests", 500: "server_error", 503: "service_unavailable"}
_ACTIONS = {
    "power_on": "active",
    "power_off": "off",
    "shutdown": "off",
    "reboot": "active",
    "power_cycle": "active",
}


class FakeDigitalOcean(FakeServer):
    """One team."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = ["somebody-elses"]
        self.actions: dict[int, dict[str, Any]] = {}
        self.actions_fail = False
        self.deletes_fail_after = 100
        self.doomed: set[int] = set()

    def left(self) -> list[str]:
        """Tags outlive what carries them."""
        return [tag for tag in self.tags if tag.startswith("e2e-")]

    def retag(self, machine: str, old: str, new: str) -> None:
        """See `cases.Fake`; the real API would not take such a name."""
        for each in self.fleet:
            if each.name == machine:
                each.tags[:] = [
                    new + tag.removeprefix(old) if tag.startswith(old) else tag for tag in each.tags
                ]

    def error(self, status: int, reason: str = "") -> Answer:
        """As the API describes errors; 429 tells when to come back."""
        status, kind, message = _ERRORS.get(reason) or (status, _FAILURES.get(status, "unknown"), "try later")
        headers = {"retry-after": "1"} if status == 429 else {}
        return Answer(status, _error(kind, message), headers)

    def answer(self, call: Call) -> Answer:
        """Find what is asked for."""
        self.only(call, "tag_name", "page", "per_page")
        match (call.method, *call.path.strip("/").split("/")):
            case ("GET", "account"):
                return Answer(200, {"account": self._account()})
            case ("GET", "droplets"):
                tag = call.query.get("tag_name", "")
                chosen = [each for each in self.living() if not tag or tag in each.tags]
                return self._page(call, "droplets", [_droplet(each) for each in chosen])
            case ("POST", "droplets"):
                return self._create(call.body)
            case ("DELETE", "droplets", key):
                return self._delete(self._machine(key))
            case ("POST", "droplets", key, "actions"):
                return self._act(self._machine(key), call.body.get("type", ""))
            case ("GET", "droplets", _, "actions", key) if int(key) in self.actions:
                return Answer(200, {"action": _now(self.actions[int(key)])})
            case ("GET", "tags"):
                return self._page(
                    call, "tags", [{"name": tag, "resources": {"count": 0}} for tag in self.tags]
                )
            case ("DELETE", "tags", name) if name in self.tags:
                self.deletes_fail_after -= 1
                if self.deletes_fail_after < 0:
                    raise Refused(self.error(403))
                self.tags.remove(name)
                return Answer(204)
        raise Refused(Answer(404, _error("not_found", "The resource you requested could not be found.")))

    def _account(self) -> dict[str, Any]:
        return {
            "droplet_limit": self.most,
            "floating_ip_limit": 3,
            "email": "somebody@example.com",
            "name": "Somebody",
            "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef",
            "email_verified": True,
            "status": "active",
            "status_message": "",
        }

    def _page(self, call: Call, key: str, items: list[Any]) -> Answer:
        shown, _, _, _ = page(call, items, 20, 200)
        return Answer(200, {key: shown, "links": {}, "meta": {"total": len(items)}})

    def _create(self, body: Any) -> Answer:
        _check(body)
        self.admit()
        machine = FakeMachine(
            id=self.next_id(),
            name=body["name"],
            zone=body.get("region", REGIONS[0]),
            size=body["size"],
            tags=list(body.get("tags", [])),
            state="new",
            settings=body,
        )
        if not self.stuck:
            machine.later(2, machine.become("active"))
        self.tags += [tag for tag in machine.tags if tag not in self.tags]
        self.enter(machine)
        self.lose_now()
        return Answer(202, {"droplet": _droplet(machine), "links": {"actions": []}})

    def _delete(self, machine: FakeMachine) -> Answer:
        """It stays listed for a moment, as it was."""
        if machine.id not in self.doomed:
            self.doomed.add(machine.id)
            machine.due.clear()
            machine.later(1, machine.become(self.gone_state))
        return Answer(204)

    def _act(self, machine: FakeMachine, kind: str) -> Answer:
        if kind not in _ACTIONS:
            raise Refused(Answer(422, _error("unprocessable_entity", f"{kind} is no action")))
        if machine.due:
            text = "Droplet already has a pending event."
            raise Refused(Answer(422, _error("unprocessable_entity", text)))
        self.operations.append(kind)
        action: dict[str, Any] = {
            "id": self.next_id(),
            "status": "in-progress",
            "type": kind,
            "started_at": _time(time.time()),
            "completed_at": None,
            "resource_id": machine.id,
            "resource_type": "droplet",
            "region": _region(machine.zone),
            "region_slug": machine.zone,
        }
        self.actions[action["id"]] = {"shown": action, "machine": machine}

        def end() -> None:
            action.update(
                status="errored" if self.actions_fail else "completed", completed_at=_time(time.time())
            )
            if not self.actions_fail:
                machine.state = _ACTIONS[kind]

        machine.later(float("inf") if self.idle else 1, end)
        return Answer(201, {"action": dict(action)})

    def _machine(self, key: str) -> FakeMachine:
        for machine in self.living():
            if str(machine.id) == key:
                return machine
        raise Refused(Answer(404, _error("not_found", "The resource you requested could not be found.")))


@contextmanager
def served() -> Iterator[FakeDigitalOcean]:
    """A team that answers on loopback."""
    with serving(FakeDigitalOcean(), "/v2") as fake:
        fake.url = fake.url.removesuffix("/v2")  # the SDK adds it
        yield fake


def _check(body: Any) -> None:
    wrong = [
        *(["name"] if not _NAME.fullmatch(body.get("name", "")) else []),
        *(["size"] if body.get("size") not in _SIZES else []),
        *(["region"] if body.get("region", REGIONS[0]) not in REGIONS else []),
        *(["image"] if body.get("image") != "debian-12-x64" else []),
        *(["user_data"] if len(body.get("user_data", "")) > 64 * 1024 else []),
        *(["tags"] if not all(_TAG.fullmatch(tag) for tag in body.get("tags", [])) else []),
    ]
    if wrong:
        raise Refused(Answer(422, _error("unprocessable_entity", f"invalid {', '.join(wrong)}")))


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"id": kind, "message": message, "request_id": "4d9d8375-3c56-4925-a3e7-eb137fed17e9"}


def _now(action: dict[str, Any]) -> dict[str, Any]:
    action["machine"].settle()
    return dict(action["shown"])


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _droplet(machine: FakeMachine) -> dict[str, Any]:
    return {
        "id": machine.id,
        "name": machine.name,
        "memory": 2048,
        "vcpus": 2,
        "disk": 60,
        "disk_info": [{"type": "local", "size": {"amount": 60, "unit": "gib"}}],
        "locked": bool(machine.due),
        "status": machine.state,
        "created_at": _time(machine.created),
        "features": ["droplet_agent", "private_networking"],
        "backup_ids": [],
        "next_backup_window": None,
        "snapshot_ids": [],
        "image": _image(),
        "volume_ids": [],
        "size": _size(machine.size),
        "size_slug": machine.size,
        "networks": {"v4": _addresses(machine), "v6": []},
        "region": _region(machine.zone),
        "tags": machine.tags,
        "vpc_uuid": machine.settings.get("vpc_uuid", "760e09ef-dc84-11e8-981e-3cfdfeaae000"),
    }


def _addresses(machine: FakeMachine) -> list[dict[str, Any]]:
    """None until the Droplet is there."""
    if machine.state == "new":
        return []
    inner = {"ip_address": f"10.128.0.{machine.id % 250}", "netmask": "255.255.0.0", "type": "private"}
    outer = {"ip_address": machine.address, "netmask": "255.0.0.0", "gateway": "127.0.0.1", "type": "public"}
    return [{**inner, "gateway": None}, outer]


def _image() -> dict[str, Any]:
    return {
        "id": 119383150,
        "name": "12 x64",
        "distribution": "Debian",
        "slug": "debian-12-x64",
        "public": True,
        "regions": list(REGIONS),
        "created_at": "2023-06-13T14:27:04Z",
        "min_disk_size": 7,
        "type": "base",
        "size_gigabytes": 0.4,
        "description": "Debian 12 x64",
        "tags": [],
        "status": "available",
    }


def _size(slug: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "memory": 2048,
        "vcpus": 2,
        "disk": 60,
        "transfer": 3.0,
        "price_monthly": 18.0,
        "price_hourly": 0.02679,
        "regions": list(REGIONS),
        "available": True,
        "description": "Basic",
    }


def _region(slug: str) -> dict[str, Any]:
    return {"name": slug, "slug": slug, "features": ["metadata"], "available": True, "sizes": list(_SIZES)}
