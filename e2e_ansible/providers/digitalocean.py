"""The provider `digitalocean`: Droplets, by DigitalOcean's SDK `pydo`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e_ansible.errors import E2EError, UnsupportedOperation
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.creation import Pace
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.endpoint import endpoint
from e2e_ansible.providers.cloud.machine import (
    ADDRESS_TAG,
    DEPLOYMENT_TAG,
    EXPIRES_TAG,
    LABEL_TAG,
    NODE_TAG,
    OWNER_TAG,
    RUN_TAG,
    Cloud,
    Machine,
    Order,
    Pending,
    Place,
    Resource,
)
from e2e_ansible.providers.cloud.refusal import refuse
from e2e_ansible.providers.cloud.token import token
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["DigitalOceanCloud", "DigitalOceanProvider"]

_TOKENS = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
_ENDPOINT = "DIGITALOCEAN_ENDPOINT"
_API = "https://api.digitalocean.com"
_HINTS = {
    Trouble.FORBIDDEN: f"{_TOKENS[0]} must hold a token that may read the account, and read, create, update and "
    "delete Droplets and tags (control panel: API, Tokens)",
    Trouble.QUOTA: "destroy what is not needed (e2e-ansible reap), or ask DigitalOcean for a higher limit",
}
_NAMES = {ADDRESS_TAG, EXPIRES_TAG, NODE_TAG, OWNER_TAG, RUN_TAG}
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 60
_PER_PAGE = 200
_CANNOT = {
    "data_volumes_per_node": "Droplets have the disk of their size",
    "root_volume_size": "the disk comes with the size; choose an instance_type",
    "subnet": "name only the network, by the id of its VPC",
    "security_groups": "a firewall of DigitalOcean is for tags; make one for the tag e2e-deployment:ID",
    "public_address": "every Droplet has a public address",
}
_POWER = {"active": PowerState.ON, "off": PowerState.OFF}
_ACTIONS = {
    Operation.ON: "power_on",
    Operation.OFF: "shutdown",
    Operation.HARD_OFF: "power_off",
    Operation.REBOOT: "reboot",
    Operation.RESET: "power_cycle",
}
_TROUBLES = {
    401: Trouble.FORBIDDEN,
    403: Trouble.FORBIDDEN,
    404: Trouble.MISSING,
    409: Trouble.CONFLICT,
    429: Trouble.TRANSIENT,
}
#: A refused Droplet is status 422 whatever the reason is; only the words tell.
_WORDS = (
    ("limit", Trouble.QUOTA),
    ("capacity", Trouble.CAPACITY),
    ("not available", Trouble.CAPACITY),
    ("unavailable", Trouble.CAPACITY),
    ("pending event", Trouble.CONFLICT),
)


class DigitalOceanCloud(Cloud):
    """Tags of DigitalOcean are words that outlive what carries them: see `_flat`, and `resources`."""

    name = "digitalocean"
    user = "e2e"
    image = "debian-12-x64"
    size = "s-2vcpu-2gb"

    def __init__(self) -> None:
        self._made: Any = None

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the token is tried."""
        installed = sdk.finding("pydo", "digitalocean")
        return (installed, self._token()) if installed.ok else (installed,)

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`. GPU Droplets are not listed by the API with the others, so there are none."""
        chosen = {"tag_name": f"{DEPLOYMENT_TAG}:{deployment}"} if deployment else {}
        droplets = self._all("droplets", lambda client, page: client.droplets.list(**chosen, **page))
        with self._told():
            return [machine for machine in map(_machine, droplets) if machine.deployment]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """The tags of each deployment, as one thing: that of the deployment tells that there are some."""
        ids = sorted({_value(tag) for tag in self._flat_tags() if tag.startswith(f"{DEPLOYMENT_TAG}:")})
        return [
            Resource(kind="tags of", id=name, tags={DEPLOYMENT_TAG: name})
            for name in ids
            if deployment in ("", name)
        ]

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The account's limit of Droplets, less those there are, in all regions."""
        with self._told():
            limit = self._client.account.get()["account"]["droplet_limit"]
            there = self._client.droplets.list(per_page=1)["meta"]["total"]
        return int(limit) - int(there)

    def create(self, order: Order) -> None:
        """See `Cloud.create`. Names are not unique, and the API knows no token: `creation` looks before it repeats."""
        with self._told():
            self._client.droplets.create(body=_wanted(order))

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`."""
        with self._told():
            self._client.droplets.destroy(int(machine.id))  # of a Droplet that is gone this is no error

    def remove(self, resource: Resource) -> None:
        """Delete all tags of a deployment, and last the one by which `resources` finds them."""
        theirs = [tag for tag in self._flat_tags() if _owner(tag) == resource.id]
        for tag in sorted(theirs, key=lambda tag: tag.startswith(f"{DEPLOYMENT_TAG}:")):
            with self._told():
                self._client.tags.delete(tag)  # of a tag that is gone this is no error

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        kind = _ACTIONS.get(operation)
        if kind is None:
            raise UnsupportedOperation(
                f"provider digitalocean cannot do {operation.value}", hint=f"it can do {', '.join(_ACTIONS)}"
            )
        with self._told():
            answer = self._client.droplet_actions.post(int(machine.id), body={"type": kind})
            action = int(_content(answer, "action", f"Droplet {machine.machine}")["id"])
        return lambda: self._ended(int(machine.id), action)

    @property
    def _client(self) -> Any:
        if self._made is None:
            value = token(self.name, _TOKENS, _HINTS[Trouble.FORBIDDEN])
            policies = sdk.load("azure.core.pipeline.policies", "digitalocean")
            key = sdk.load("azure.core.credentials", "digitalocean").AzureKeyCredential(value)
            self._made = sdk.load("pydo", "digitalocean").Client(
                token=value,
                endpoint=endpoint(_ENDPOINT, _API),
                # The SDK's own policy refuses http, and `endpoint` has seen to it already.
                authentication_policy=policies.AzureKeyCredentialPolicy(
                    key, "Authorization", prefix="Bearer"
                ),
                # Only `creation` knows which call may be repeated.
                retry_policy=policies.RetryPolicy.no_retries(),
                connection_timeout=_CONNECT_SECONDS,
                read_timeout=_ANSWER_SECONDS,
            )
        return self._made

    def _token(self) -> Finding:
        try:
            self.remaining(Place(), {})
        except E2EError as error:
            return Finding(name="digitalocean token", ok=False, detail=f"{error}; {error.hint}")
        return Finding(name="digitalocean token", ok=True, detail=f"{_TOKENS[0]} may read the account")

    def _all(self, key: str, listed: Callable[[Any, Mapping[str, int]], Any]) -> list[Any]:
        """The items of all pages."""
        items: list[Any] = []
        page = 1
        while True:
            with self._told():
                answer = listed(self._client, {"per_page": _PER_PAGE, "page": page})
                items += answer[key]
                if not answer[key] or len(items) >= answer["meta"]["total"]:
                    return items
            page += 1

    def _flat_tags(self) -> list[str]:
        """All tags of the account that are ours."""
        tags = self._all("tags", lambda client, page: client.tags.list(**page))
        return [name for name in (str(tag["name"]) for tag in tags) if _owner(name)]

    def _ended(self, droplet: int, action: int) -> bool:
        with self._told():
            answer = self._client.droplet_actions.get(droplet, action)
            now = _content(answer, "action", f"action {action}")
            if now["status"] == "errored":
                raise CloudError(f"digitalocean: {now['type']} of Droplet {droplet} failed", Trouble.OTHER)
            return bool(now["status"] == "completed")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        errors = sdk.load("azure.core.exceptions", "digitalocean")
        try:
            yield
        except E2EError:  # some are ValueErrors as well
            raise
        except errors.HttpResponseError as error:
            raise _described(error) from error
        except errors.AzureError as error:
            text = f"digitalocean: no answer: {type(error).__name__}"
            raise CloudError(text, Trouble.TRANSIENT) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            text = f"digitalocean: an answer that is not the API's: {type(error).__name__}: {error}"
            raise CloudError(text, Trouble.OTHER, hint=f"is {_ENDPOINT} right?") from error


class DigitalOceanProvider(CloudProvider):
    """Droplets of the team that the token belongs to."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(DigitalOceanCloud(), home, pace)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """See `CloudProvider.prepare`; parameters that cannot be are refused."""
        hidden = "no" if spec.parameters.get("public_address") is False else ""
        refuse(self.name, {**spec.parameters, "public_address": hidden}, _CANNOT)
        return super().prepare(spec)


def _wanted(order: Order) -> dict[str, Any]:
    """The body of the call that makes one Droplet; without a region DigitalOcean chooses one."""
    region = order.place.zone or order.settings.get("region")
    network = order.settings.get("network")
    return {
        "name": order.machine,
        "size": order.place.size,
        "image": int(order.image) if order.image.isdigit() else order.image,
        "user_data": order.user_data,
        "tags": [_flat(name, value, order.deployment) for name, value in order.tags.items()],
        **({"region": region} if region else {}),
        **({"vpc_uuid": network} if network else {}),
    }


def _flat(name: str, value: str, deployment: str) -> str:
    """A tag as one word. All but that of the deployment end in its id: so each belongs to one, and goes with it."""
    return f"{name}:{value}" if name == DEPLOYMENT_TAG else f"{name}:{value}:{deployment}"


def _owner(flat: str) -> str:
    """The deployment of a flat tag, '' when the tag is not ours."""
    name, *values = flat.split(":")
    if name == DEPLOYMENT_TAG:
        return values[0] if len(values) == 1 else ""
    ours = name in _NAMES or name.startswith(LABEL_TAG)
    return values[1] if ours and len(values) == 2 else ""


def _value(flat: str) -> str:
    return flat.split(":")[1]


def _tags(flat: Sequence[str]) -> dict[str, str]:
    return {tag.split(":")[0]: _value(tag) for tag in flat if _owner(tag)}


def _machine(droplet: Mapping[str, Any]) -> Machine:
    return Machine(
        id=str(droplet["id"]),
        machine=droplet["name"],
        power=_POWER.get(droplet["status"], PowerState.UNKNOWN),
        state=droplet["status"],
        address=_address(droplet, "public"),
        private_address=_address(droplet, "private"),
        place=Place(zone=droplet["region"]["slug"], size=droplet["size_slug"]),
        tags=_tags(droplet["tags"]),
        created=datetime.fromisoformat(droplet["created_at"]).timestamp(),
    )


def _address(droplet: Mapping[str, Any], kind: str) -> str:
    networks = droplet["networks"].get("v4", ())
    return next((str(each["ip_address"]) for each in networks if each["type"] == kind), "")


def _content(answer: Mapping[str, Any], key: str, of: str) -> Mapping[str, Any]:
    """The SDK returns an answer of status 404 like any other."""
    if key not in answer:
        raise CloudError(f"digitalocean: {of} is gone: {answer.get('message')}", Trouble.MISSING)
    content: Mapping[str, Any] = answer[key]
    return content


def _described(error: Any) -> CloudError:
    """What the API says about a call that it did not do."""
    status = int(error.status_code or 0)
    try:
        message = str(json.loads(error.response.text())["message"])
    except (AttributeError, KeyError, TypeError, ValueError):
        message = str(error.reason)
    trouble = Trouble.TRANSIENT if status >= 500 else _TROUBLES.get(status, Trouble.OTHER)
    if status == 422:
        trouble = next((kind for word, kind in _WORDS if word in message.lower()), Trouble.OTHER)
    pause = error.response.headers.get("retry-after", "") if error.response is not None else ""
    return CloudError(
        f"digitalocean: {message} ({status})",
        trouble,
        pause_seconds=float(pause) if pause.isdigit() else 0,
        hint=_HINTS.get(trouble, ""),
    )
