"""The provider `hetzner`: servers of Hetzner Cloud, by their SDK `hcloud`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from e2e_ansible.errors import E2EError, UnsupportedOperation
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.creation import Pace
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.endpoint import endpoint
from e2e_ansible.providers.cloud.machine import (
    DEPLOYMENT_TAG,
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

__all__ = ["HetznerCloud", "HetznerProvider"]

_TOKEN = "HCLOUD_TOKEN"
_ENDPOINT = "HCLOUD_ENDPOINT"
_API = "https://api.hetzner.cloud/v1"
_TOKEN_HINT = (
    f"{_TOKEN} must hold a token with read and write rights (console: project, Security, API tokens)"
)
_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask Hetzner for a higher limit"
_CALL_SECONDS = (10.0, 60.0)  # to connect, to answer
_CANNOT = {
    "data_volumes_per_node": "servers have the disk of their type",
    "root_volume_size": "the disk comes with the type; choose an instance_type",
    "subnet": "name only the network",
}
_POWER = {
    "running": PowerState.ON,
    "off": PowerState.OFF,
}
_CALLS = {
    Operation.ON: "power_on",
    Operation.OFF: "shutdown",
    Operation.HARD_OFF: "power_off",
    Operation.REBOOT: "reboot",
    Operation.RESET: "reset",
}
_TROUBLES = {
    "rate_limit_exceeded": Trouble.TRANSIENT,
    "server_error": Trouble.TRANSIENT,
    "service_error": Trouble.TRANSIENT,
    "unavailable": Trouble.TRANSIENT,
    "maintenance": Trouble.TRANSIENT,
    "bad_gateway": Trouble.TRANSIENT,
    "timeout": Trouble.TRANSIENT,
    "resource_unavailable": Trouble.CAPACITY,
    "placement_error": Trouble.CAPACITY,
    "resource_limit_exceeded": Trouble.QUOTA,
    "unauthorized": Trouble.FORBIDDEN,
    "forbidden": Trouble.FORBIDDEN,
    "token_readonly": Trouble.FORBIDDEN,
    "not_found": Trouble.MISSING,
    "conflict": Trouble.CONFLICT,
    "locked": Trouble.CONFLICT,
    "protected": Trouble.CONFLICT,
    "uniqueness_error": Trouble.CONFLICT,
}
_HINTS = {Trouble.FORBIDDEN: _TOKEN_HINT, Trouble.QUOTA: _QUOTA_HINT}


class HetznerCloud(Cloud):
    """Tags are labels. The SDK repeats calls by itself and is told not to: only `creation` knows what is safe."""

    name = "hetzner"
    user = "e2e"
    image = "debian-12"
    size = "cx23"

    def __init__(self) -> None:
        self._made: Any = None

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the token is tried."""
        installed = sdk.finding("hcloud", "hetzner")
        return (installed, self._token()) if installed.ok else (installed,)

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`."""
        selector = f"{DEPLOYMENT_TAG}={deployment}" if deployment else DEPLOYMENT_TAG
        with self._told():
            return [_machine(server) for server in self._client.servers.get_all(label_selector=selector)]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """None: the addresses of a server go with it, and nothing else is made."""
        return ()

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """None: the API does not tell the limits of a project."""
        return None

    def create(self, order: Order) -> None:
        """See `Cloud.create`. A name is unique in a project, so a server is never made twice."""
        with self._told():
            self._client.servers.create(**self._wanted(order))

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`. One whose end was asked for is left alone."""
        if machine.state == "deleting":
            return
        with self._told(missing_is_fine=True):
            self._client.servers.delete(self._server(machine))

    def remove(self, resource: Resource) -> None:
        """Nothing to do, see `resources`."""

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        call = _CALLS.get(operation)
        if call is None:
            raise UnsupportedOperation(
                f"provider hetzner cannot do {operation.value}", hint=f"it can do {', '.join(_CALLS)}"
            )
        with self._told():
            action = getattr(self._client.servers, call)(self._server(machine))
        return lambda: self._ended(action)

    @property
    def _client(self) -> Any:
        if self._made is None:
            made = sdk.load("hcloud", "hetzner").Client(
                token=token(self.name, (_TOKEN,), _TOKEN_HINT),
                api_endpoint=endpoint(_ENDPOINT, _API),
                application_name="e2e-ansible",
                timeout=_CALL_SECONDS,
            )
            made._client._retry_max_retries = 0  # the SDK has no public name for it
            self._made = made
        return self._made

    def _token(self) -> Finding:
        try:
            self.machines()
        except E2EError as error:
            return Finding(name="hetzner token", ok=False, detail=f"{error}; {error.hint}")
        return Finding(name="hetzner token", ok=True, detail=f"{_TOKEN} may read the project")

    def _server(self, machine: Machine) -> Any:
        return sdk.load("hcloud.servers", "hetzner").Server(id=int(machine.id))

    def _wanted(self, order: Order) -> dict[str, Any]:
        """The arguments of the SDK for one server."""
        kind = sdk.load("hcloud.server_types", "hetzner").ServerType
        image = sdk.load("hcloud.images", "hetzner").Image
        location = order.place.zone or str(order.settings.get("region") or "")
        return {
            "name": order.machine,
            "server_type": kind(name=order.place.size),
            "image": image(id=int(order.image)) if order.image.isdigit() else image(name=order.image),
            "user_data": order.user_data,
            "labels": dict(order.tags),
            "location": sdk.load("hcloud.locations", "hetzner").Location(name=location) if location else None,
            **self._network(order.settings),
        }

    def _network(self, settings: Mapping[str, object]) -> dict[str, Any]:
        """Networks and firewalls by name or id, and whether there are public addresses."""
        wanted: dict[str, Any] = {}
        network, firewalls = settings.get("network"), settings.get("security_groups")
        if network:
            wanted["networks"] = [self._found("network", str(network))]
        if isinstance(firewalls, Sequence) and not isinstance(firewalls, str):
            wanted["firewalls"] = [self._found("firewall", str(name)) for name in firewalls]
        if settings.get("public_address") is False:
            public = sdk.load("hcloud.servers.domain", "hetzner").ServerCreatePublicNetwork
            wanted["public_net"] = public(enable_ipv4=False, enable_ipv6=False)
        return wanted

    def _found(self, kind: Literal["network", "firewall"], name: str) -> Any:
        """A network or firewall of the project. An id is taken as it is."""
        if name.isdigit():
            return getattr(sdk.load(f"hcloud.{kind}s", "hetzner"), kind.capitalize())(id=int(name))
        found = getattr(self._client, f"{kind}s").get_by_name(name)
        if found is None:
            raise CloudError(f"hetzner: the project has no {kind} {name!r}", Trouble.MISSING)
        return found

    def _ended(self, action: Any) -> bool:
        with self._told():
            action.reload()
        if action.status == "error":
            error = action.error or {}
            text = f"hetzner: {action.command} failed: {error.get('message')} ({error.get('code')})"
            raise CloudError(text, _TROUBLES.get(str(error.get("code")), Trouble.OTHER))
        return bool(action.status == "success")

    @contextmanager
    def _told(self, *, missing_is_fine: bool = False) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        api_error = sdk.load("hcloud", "hetzner").APIException
        broken = sdk.load("requests", "hetzner").RequestException
        try:
            yield
        except E2EError:  # some are ValueErrors as well
            raise
        except api_error as error:
            trouble = _trouble(error.code)
            if not (missing_is_fine and trouble is Trouble.MISSING):
                text = f"hetzner: {error.message} ({error.code})"
                raise CloudError(text, trouble, hint=_HINTS.get(trouble, "")) from error
        except broken as error:
            raise CloudError(f"hetzner: no answer: {type(error).__name__}", Trouble.TRANSIENT) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            text = f"hetzner: an answer that is not the API's: {type(error).__name__}: {error}"
            raise CloudError(text, Trouble.OTHER, hint=f"is {_ENDPOINT} right?") from error


class HetznerProvider(CloudProvider):
    """Servers of the project that the token belongs to."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(HetznerCloud(), home, pace)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """See `CloudProvider.prepare`; parameters that cannot be are refused."""
        refuse(self.name, spec.parameters, _CANNOT)
        return super().prepare(spec)


def _trouble(code: int | str) -> Trouble:
    """The code of an error is a word, or the status of an answer that was not the API's own."""
    if isinstance(code, int):
        return Trouble.TRANSIENT if code == 429 or code >= 500 else Trouble.OTHER
    return _TROUBLES.get(code, Trouble.OTHER)


def _machine(server: Any) -> Machine:
    private = next((net.ip for net in server.private_net or () if net.ip), "")
    public = server.public_net.ipv4.ip if server.public_net and server.public_net.ipv4 else ""
    return Machine(
        id=str(server.id),
        machine=server.name,
        power=_POWER.get(server.status, PowerState.UNKNOWN),
        state=server.status,
        address=public,
        private_address=private,
        place=Place(zone=server.location.name, size=server.server_type.name),
        tags=server.labels,
        created=server.created.timestamp() if server.created else 0,
    )
