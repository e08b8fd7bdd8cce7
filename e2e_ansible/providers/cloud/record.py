"""What is written down about a deployment of machines before any call is made, and the ledger of those calls."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.cloud.machine import (
    ADDRESS_TAG,
    DEPLOYMENT_TAG,
    EXPIRES_TAG,
    LABEL_TAG,
    NODE_TAG,
    OWNER_TAG,
    RUN_TAG,
    Cloud,
    Order,
    Place,
)
from e2e_ansible.providers.cloud.settings import words
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.names import checked_id, checked_nodes
from e2e_ansible.providers.store import Record, RecordFolder, Store
from e2e_ansible.providers.system import run, write_durably

__all__ = ["Act", "CloudDeployment", "CloudRecord", "CloudStore", "new_record"]

_LEDGER = "ledger.jsonl"
_LIVES_HOURS = 24.0
_MOST_HOURS = 8760.0
_MOST_BYTES_OF_A_TAG = 63
_MOST_BYTES_OF_A_NODE = 40
_LABEL = re.compile(r"[a-z0-9_-]+")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_ANSWERS = {"asked", "created", "refused", "removed"}
_USER_DATA = """\
#cloud-config
users:
  - name: {user}
    groups: [sudo]
    shell: /bin/bash
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    ssh_authorized_keys: [{key}]
disable_root: {disable_root}
ssh_pwauth: false
package_update: false
"""


class CloudRecord(Record):
    """Everything that is needed to make a deployment, to find it again and to remove it.

    `places` are tried in order. `tag` makes names of machines unique in an account that several controllers use.
    `folder` is the run folder on this controller, '' when it was made by hand.
    """

    provider: str
    owner: str
    run: str
    folder: str = ""
    tag: str
    created: float
    expires: float
    places: tuple[Place, ...]
    image: str
    user: str
    settings: dict[str, object] = Field(default_factory=dict)
    nodes: tuple[NodeSpec, ...]

    def machine_name(self, node: str) -> str:
        """What the machine of a node is called at the provider."""
        return _machine_name(self.id, self.tag, node)

    def order(self, node: NodeSpec, place: Place, public_key: str) -> Order:
        """The order of one node at one place; the same each time it is asked for."""
        tags = {
            DEPLOYMENT_TAG: self.id,
            NODE_TAG: node.name,
            OWNER_TAG: self.owner,
            RUN_TAG: self.run,
            EXPIRES_TAG: str(int(self.expires)),
            **{f"{LABEL_TAG}{label}": "yes" for label in node.labels},
            **({ADDRESS_TAG: "private"} if self.settings.get("public_address") is False else {}),
        }
        unique = f"{self.tag} {self.created} {self.id} {node.name} {place.zone} {place.size}"
        return Order(
            deployment=self.id,
            node=node.name,
            machine=self.machine_name(node.name),
            token=hashlib.sha256(unique.encode()).hexdigest()[:32],
            place=place,
            image=self.image,
            user=self.user,
            public_key=public_key,
            user_data=_USER_DATA.format(
                user=self.user, key=json.dumps(public_key), disable_root=str(self.user != "root").lower()
            ),
            tags=tags,
            settings=self.settings,
        )


class Act(BaseModel):
    """What a line of the ledger says.

    `creating` and `asked` stand there before the call, for each machine and for each call. Then come `created`, or
    `refused` when the provider has said no; neither, when no answer was heard. `failed` and `removed` follow when
    the machine was given up.
    """

    model_config = ConfigDict(frozen=True)

    at: float
    act: str
    machine: str
    node: str = ""
    zone: str = ""
    size: str = ""
    error: str = ""


class CloudDeployment(RecordFolder[CloudRecord]):
    """A record with its folder (0700): keys, known hosts, ledger."""

    def __init__(self, folder: Path, record: CloudRecord) -> None:
        super().__init__(folder, record)
        self._ledger = folder / _LEDGER

    @property
    def public_key(self) -> str:
        """The line for `authorized_keys`."""
        return self.key.with_suffix(".pub").read_text(encoding="utf-8").strip()

    def note(self, act: str, order: Order, error: str = "") -> None:
        """Append one line to the ledger; it is on the disk when this returns."""
        line = Act(
            at=time.time(),
            act=act,
            machine=order.machine,
            node=order.node,
            zone=order.place.zone,
            size=order.place.size,
            error=error[:500],
        )
        before = self._ledger.read_bytes() if self._ledger.exists() else b""
        torn = before[-1:] not in (b"", b"\n")
        descriptor = os.open(self._ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(b"\n" * torn + line.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def ledger(self) -> list[Act]:
        """All whole lines, oldest first. A line that a crash of the controller has torn is left out."""
        if not self._ledger.exists():
            return []
        return [act for line in self._ledger.read_bytes().split(b"\n") if (act := _act(line))]

    def unanswered(self) -> dict[str, float]:
        """Machines that were asked for and never heard of again, with when that was (seconds since 1970)."""
        last = {act.machine: act for act in self.ledger() if act.act in _ANSWERS}
        return {name: act.at for name, act in last.items() if act.act == "asked"}


class CloudStore(Store[CloudRecord, CloudDeployment]):
    """All deployments of one provider below the home folder (0700)."""

    record_type = CloudRecord
    folder_type = CloudDeployment

    def __init__(self, provider: str, home: Path | None = None) -> None:
        super().__init__(home or default_home(), "clouds", provider)

    def _fill(self, fresh: CloudDeployment) -> None:
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", fresh.record.id, "-f", str(fresh.key)])
        fresh.known_hosts.touch(mode=0o600)
        write_durably(fresh.client_password, secrets.token_urlsafe(24))
        (fresh.folder / _LEDGER).touch(mode=0o600)


def new_record(spec: DeploymentSpec, cloud: Cloud, home: Path, at: float) -> CloudRecord:
    """Fix everything about a deployment. `at` is in seconds since 1970.

    Raises:
        UsageError: what the suite asks for cannot be, or is not enough.
    """
    settings = dict(spec.parameters)
    image = str(settings.pop("image", "") or cloud.image)
    if not image:
        raise UsageError(f"provider {cloud.name} needs to know the image", hint="parameters: {image: ...}")
    sizes = words(settings.pop("instance_type", None)) or [cloud.size]
    zones = words(settings.pop("zones", None)) or [""]
    hours = _hours(settings.pop("expires_hours", None))
    return CloudRecord(
        id=checked_id(spec.id),
        provider=cloud.name,
        owner=_tag_value(os.environ.get("USER") or f"uid-{os.getuid()}"),
        run=_tag_value(Path(spec.owner).name),
        folder=spec.owner,
        tag=hashlib.sha256(f"{home}\0{os.uname().nodename}\0{spec.id}".encode()).hexdigest()[:6],
        created=at,
        expires=at + hours * 3600,
        places=tuple(Place(zone=zone, size=size) for size in sizes for zone in zones),
        image=image,
        user=_user(str(settings.pop("ssh_user", "") or cloud.user)),
        settings=settings,
        nodes=tuple(_taggable(node) for node in checked_nodes(spec.nodes)),
    )


def _act(line: bytes) -> Act | None:
    try:
        return Act.model_validate_json(line)
    except ValidationError:
        return None


def _machine_name(deployment: str, tag: str, node: str) -> str:
    """At most 63 of a-z, 0-9 and -, beginning with a letter: what the strictest provider takes."""
    begin = deployment if deployment[0].isalpha() else f"e{deployment}"
    room = _MOST_BYTES_OF_A_TAG - len(f"-{tag}-{node}")
    return f"{begin[: min(40, room)].rstrip('-')}-{tag}-{node}"


def _hours(value: object) -> float:
    try:
        hours = float(str(value)) if value is not None else _LIVES_HOURS
    except ValueError:
        hours = 0
    if not 0 < hours <= _MOST_HOURS:
        raise UsageError(f"expires_hours must be a number above 0 and at most {_MOST_HOURS:g}, not {value!r}")
    return hours


def _user(name: str) -> str:
    if not _USER.fullmatch(name):
        raise UsageError(f"ssh_user {name!r} is no name of a user", hint="use a-z, 0-9, - and _, at most 32")
    return name


def _taggable(node: NodeSpec) -> NodeSpec:
    """The node itself: its name and labels become tags, and its name a part of the machine's."""
    if len(node.name) > _MOST_BYTES_OF_A_NODE:
        raise UsageError(f"the name of node {node.name!r} is longer than {_MOST_BYTES_OF_A_NODE}")
    most = _MOST_BYTES_OF_A_TAG - len(LABEL_TAG)
    for label in node.labels:
        if not _LABEL.fullmatch(label) or len(label) > most:
            text = f"label {label!r} of {node.name} cannot be a tag of a machine"
            raise UsageError(text, hint=f"use a-z, 0-9, - and _, at most {most}")
    return node


def _tag_value(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:_MOST_BYTES_OF_A_TAG] or "none"
