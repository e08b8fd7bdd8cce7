"""The provider `azure`: virtual machines of Azure, by its SDKs `azure-mgmt-*`."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e_ansible.errors import E2EError, UnsupportedOperation, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers import azure_order
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
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.cloud.turns import in_turn

__all__ = ["AzureCloud", "AzureProvider"]

_ENDPOINT = "E2E_AZURE_ENDPOINT"
_API = "https://management.azure.com"
_TOKEN = "AZURE_ACCESS_TOKEN"
_GROUP = "AZURE_RESOURCE_GROUP"
# The first of each is the SDK's own name; the others are what AWX, Ansible and Terraform set.
_SUBSCRIPTION = ("AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID")
_TENANT = ("AZURE_TENANT_ID", "AZURE_TENANT")
_SECRET = ("AZURE_CLIENT_SECRET", "AZURE_SECRET")
_CLIENT = ("AZURE_CLIENT_ID",)
_LOCATION = ("AZURE_LOCATION",)
_CREDENTIAL_HINT = (
    "set AZURE_SUBSCRIPTION_ID, AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of an account with the role"
    f" Contributor of the subscription, or of the resource group that {_GROUP} names; or run: az login"
)
_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask Azure for a higher quota"
_HINTS = {Trouble.FORBIDDEN: _CREDENTIAL_HINT, Trouble.QUOTA: _QUOTA_HINT}
_CONNECT_SECONDS = 10
_CALL_SECONDS = 60
_LOOKS_AT_ONCE = 8
_POWER = {
    "running": PowerState.ON,
    "stopped": PowerState.OFF,
    "deallocated": PowerState.OFF,
}
_UNFINISHED = ("Creating", "Deleting")
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
_CLIENTS = {
    "compute": ("azure.mgmt.compute", "ComputeManagementClient"),
    "network": ("azure.mgmt.network", "NetworkManagementClient"),
    "resource": ("azure.mgmt.resource.resources", "ResourceManagementClient"),
}
_CODES = {
    "AllocationFailed": Trouble.CAPACITY,
    "ZonalAllocationFailed": Trouble.CAPACITY,
    "OverconstrainedAllocationRequest": Trouble.CAPACITY,
    "OverconstrainedZonalAllocationRequest": Trouble.CAPACITY,
    "SkuNotAvailable": Trouble.CAPACITY,
    "QuotaExceeded": Trouble.QUOTA,
    "PublicIPCountLimitReached": Trouble.QUOTA,
    "RetryableError": Trouble.TRANSIENT,
    "ReferencedResourceNotProvisioned": Trouble.TRANSIENT,
    "AnotherOperationInProgress": Trouble.CONFLICT,
}
_STATUSES = {
    401: Trouble.FORBIDDEN,
    403: Trouble.FORBIDDEN,
    404: Trouble.MISSING,
    408: Trouble.TRANSIENT,
    409: Trouble.CONFLICT,
    412: Trouble.CONFLICT,
    429: Trouble.TRANSIENT,
}


@dataclass
class _Ordered:
    """A machine that was ordered by this process: its operation knows first whether there is capacity for it."""

    deployment: str
    poller: Any
    given_up: bool = False


class AzureCloud(Cloud):
    """Tags are tags. `look` is the seconds between two looks at an operation, where Azure does not say.

    The SDK repeats calls by itself and is told not to: only `creation` knows what is safe.
    """

    name = "azure"
    user = "e2e"
    image = azure_order.DEFAULT_IMAGE
    size = "Standard_B2s"

    def __init__(self, look: float = 2) -> None:
        self._look = look
        self._clients: dict[str, Any] = {}
        self._ordered: list[_Ordered] = []
        self._subnets: dict[tuple[str, str], str] = {}

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the credentials are tried."""
        modules = ("azure.identity", *(module for module, _ in _CLIENTS.values()))
        installed = [sdk.finding(module, "azure") for module in modules]
        missing = [finding for finding in installed if not finding.ok]
        return missing[:1] or (installed[1], self._credentials())

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`.

        Raises:
            CloudError: as for every call; or one that this process ordered could not be made. That is told once.
        """
        self._complain(deployment)
        machines = self._listed("compute", "virtual_machines", "list", "list_all")
        ours = [each for each in machines if _is_ours(each, deployment)]
        if not ours:
            return []
        cards = self._listed("network", "network_interfaces", "list", "list_all")
        public = self._listed("network", "public_ip_addresses", "list", "list_all")
        addresses = _addresses(cards, public)
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
            states = list(pool.map(self._state, ours))
        return [
            _machine(each, state, addresses.get(each["id"].lower(), ("", "")))
            for each, state in zip(ours, states, strict=True)
            if state
        ]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """See `Cloud.resources`. What is in a group that was made for a deployment goes with the group."""
        groups = self._own_groups(deployment)
        found = [_resource("group", each) for each in groups]
        whole = {each["name"].lower() for each in groups}
        for kind, (client, operations, in_group, everywhere) in _KINDS.items():
            for each in self._listed(client, operations, in_group, everywhere):
                if _is_ours(each, deployment) and _split(each["id"])[0].lower() not in whole:
                    found.append(_resource(kind, each))
        return found

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The least of what is left of machines, of processors, and of those of the family of the size."""
        location, _ = _where(place, settings)
        size = self._size(location, place.size)
        abilities = {each["name"]: each["value"] for each in size.get("capabilities", ())}
        processors = int(abilities.get("vCPUs") or 1)
        usages = self._all("compute", "usage", "list", location)
        left = {each["name"]["value"].lower(): each["limit"] - each["currentValue"] for each in usages}
        counts = [left.get("virtualmachines")]
        for name in ("cores", str(size.get("family", "")).lower()):
            counts.append(left[name] // processors if name in left else None)
        told = [int(count) for count in counts if count is not None]
        return min(told) if told else None

    def create(self, order: Order) -> None:
        """See `Cloud.create`. Each call says how something is to be, so it may be made again."""
        location, zone = _where(order.place, order.settings)
        group = self._group(order, location)
        subnet = self._subnet(order, group, location)
        named = azure_order.named_firewall(order.settings)
        firewall = self._path(group, "networkSecurityGroups", named) if named else ""
        wanted = azure_order.machine(order, location, zone, azure_order.card(order, subnet, firewall))
        poller = self._call(
            "compute", "virtual_machines", "begin_create_or_update", group, order.machine, wanted
        )
        self._ordered.append(_Ordered(order.deployment, poller))

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`. Its card, address and disks go with it; one that is going is left alone."""
        if machine.state != "Deleting":
            self._remove("compute", "virtual_machines", machine.id)

    def remove(self, resource: Resource) -> None:
        """See `Cloud.remove`."""
        self._subnets.clear()
        if resource.kind == "group":
            self._unless_missing(
                lambda: self._call("resource", "resource_groups", "begin_delete", resource.id, polling=False)
            )
            return
        client, operations, _, _ = _KINDS[resource.kind]
        self._remove(client, operations, resource.id)

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        if operation not in _CALLS:
            raise UnsupportedOperation(
                f"provider azure cannot do {operation.value}", hint=f"it can do {', '.join(_CALLS)}"
            )
        group, name = _split(machine.id)

        def asked(call: str, options: Mapping[str, object]) -> Pending:
            poller = self._call("compute", "virtual_machines", call, group, name, **options)
            return lambda: self._ended(poller)

        return in_turn([lambda call=call: asked(*call) for call in _CALLS[operation]])  # type: ignore[misc]

    # what is asked of the API

    def _ended(self, poller: Any) -> bool:
        """Whether an operation has ended, or its end cannot be told: then the state of the machine counts."""
        if not poller.done():
            return False
        try:
            with self._told():
                poller.result()
        except CloudError as error:
            if error.trouble is not Trouble.TRANSIENT:
                raise
        return True

    def _complain(self, deployment: str) -> None:
        """Tell the first order that failed; the others of its deployment are then not told."""
        for each in [each for each in self._ordered if deployment in ("", each.deployment)]:
            try:
                if self._ended(each.poller):
                    self._ordered.remove(each)
            except CloudError:
                self._ordered.remove(each)
                if each.given_up:
                    continue
                for other in self._ordered:
                    other.given_up = other.given_up or other.deployment == each.deployment
                raise

    def _state(self, machine: Mapping[str, Any]) -> str:
        """Azure's word for the power of a machine, or for what is done to it; '' if it is gone."""
        doing = str(machine["properties"].get("provisioningState", ""))
        if doing in _UNFINISHED:
            return doing
        group, name = _split(machine["id"])
        try:
            view = self._call("compute", "virtual_machines", "instance_view", group, name).as_dict()
        except CloudError as error:
            if error.trouble is Trouble.MISSING:
                return ""
            raise
        codes = [str(each.get("code", "")) for each in view.get("statuses", ())]
        return next((code[len("PowerState/") :] for code in codes if code.startswith("PowerState/")), doing)

    def _size(self, location: str, name: str) -> Mapping[str, Any]:
        """A size as its location has it.

        Raises:
            CloudError: there is none of that name, or the subscription may not have it there.
        """
        listed = self._all("compute", "resource_skus", "list", filter=f"location eq '{location}'")
        sizes = {each["name"]: each for each in listed if each.get("resourceType") == "virtualMachines"}
        if name not in sizes:
            near = difflib.get_close_matches(name, sizes, n=1)
            hint = f"did you mean {near[0]}?" if near else f"az vm list-skus --location {location}"
            raise CloudError(f"azure: {location} has no size {name!r}", Trouble.MISSING, hint=hint)
        if any(each.get("type") == "Location" for each in sizes[name].get("restrictions", ())):
            raise CloudError(f"azure: {name} is not available in {location} now", Trouble.CAPACITY)
        return dict(sizes[name])

    def _group(self, order: Order, location: str) -> str:
        """The group that is given, or that of the deployment, which is made."""
        given = os.environ.get(_GROUP, "")
        if given:
            return given
        name = f"e2e-{order.deployment}"
        if (order.deployment, location) not in self._subnets:
            wanted = {"location": location, "tags": azure_order.shared_tags(order)}
            self._call("resource", "resource_groups", "create_or_update", name, wanted)
        return name

    def _subnet(self, order: Order, group: str, location: str) -> str:
        """The path of the subnet that is given, or of the deployment's own, which is made with its firewall."""
        network, subnet = (str(order.settings.get(name) or "") for name in ("network", "subnet"))
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
        common = {"location": location, "tags": azure_order.shared_tags(order)}
        firewall = self._path(group, "networkSecurityGroups", name)
        self._make("network_security_groups", group, name, {**common, "properties": azure_order.rules()})
        properties = azure_order.network(firewall)
        self._make("virtual_networks", group, name, {**common, "properties": properties})
        return f"{self._path(group, 'virtualNetworks', name)}/subnets/nodes"

    def _make(self, operations: str, group: str, name: str, wanted: Mapping[str, object]) -> None:
        """Make a part of a network and wait for it: what refers to it is refused before."""
        poller = self._call("network", operations, "begin_create_or_update", group, name, wanted)
        with self._told():
            poller.wait(_CALL_SECONDS)
            if not poller.done():
                text = f"azure: {name} was not made after {_CALL_SECONDS} s"
                raise CloudError(text, Trouble.TRANSIENT)
            poller.result()

    def _path(self, group: str, kind: str, name: str) -> str:
        if name.startswith("/"):
            return name
        where = f"/subscriptions/{self._subscription}/resourceGroups/{group}"
        return f"{where}/providers/Microsoft.Network/{kind}/{name}"

    def _own_groups(self, deployment: str) -> list[dict[str, Any]]:
        """Groups that were made for a deployment; where one is given there may be no right to look at others."""
        if os.environ.get(_GROUP):
            return []
        groups = self._all("resource", "resource_groups", "list", filter=f"tagName eq '{DEPLOYMENT_TAG}'")
        return [each for each in groups if _is_ours(each, deployment)]

    def _listed(self, client: str, operations: str, in_group: str, everywhere: str) -> list[dict[str, Any]]:
        given = os.environ.get(_GROUP)
        if not given:
            return self._all(client, operations, everywhere)
        try:
            return self._all(client, operations, in_group, given)
        except CloudError as error:
            if error.trouble is Trouble.MISSING:
                text = f"{error}; {_GROUP} is {given!r}"
                raise CloudError(text, Trouble.MISSING, hint=f"az group create --name {given}") from error
            raise

    def _all(self, client: str, operations: str, method: str, *given: object, **options: object) -> list[Any]:
        """All pages of a list, as the API spells them."""
        with self._told():
            return [each.as_dict() for each in self._call(client, operations, method, *given, **options)]

    def _remove(self, client: str, operations: str, key: str) -> None:
        self._unless_missing(
            lambda: self._call(client, operations, "begin_delete", *_split(key), polling=False)
        )

    def _unless_missing(self, call: Callable[[], object]) -> None:
        try:
            call()
        except CloudError as error:
            if error.trouble is not Trouble.MISSING:
                raise

    def _call(self, client: str, operations: str, method: str, *given: object, **options: object) -> Any:
        """One call of a client of the SDK, such as `list` of `virtual_machines` of `compute`."""
        with self._told():
            return getattr(getattr(self._client(client), operations), method)(*given, **options)

    def _client(self, kind: str) -> Any:
        if kind not in self._clients:
            module, name = _CLIENTS[kind]
            self._clients[kind] = getattr(sdk.load(module, "azure"), name)(
                subscription_id=self._subscription,
                base_url=endpoint(_ENDPOINT, _API),
                retry_total=0,
                polling_interval=self._look,
                connection_timeout=_CONNECT_SECONDS,
                read_timeout=_CALL_SECONDS,
                **_authentication(),
            )
        return self._clients[kind]

    @property
    def _subscription(self) -> str:
        found = _environment(_SUBSCRIPTION)
        if not found:
            text = f"azure: {_SUBSCRIPTION[0]} is not set"
            raise CloudError(text, Trouble.FORBIDDEN, hint=_CREDENTIAL_HINT)
        return found

    def _credentials(self) -> Finding:
        try:
            self._listed("compute", "virtual_machines", "list", "list_all")
        except E2EError as error:
            return Finding(name="azure credentials", ok=False, detail=f"{error}; {error.hint}")
        return Finding(name="azure credentials", ok=True, detail="virtual machines can be listed")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        errors = sdk.load("azure.core.exceptions", "azure")
        try:
            yield
        except (errors.ServiceRequestError, errors.ServiceResponseError) as error:
            raise CloudError(f"azure: no answer: {type(error).__name__}", Trouble.TRANSIENT) from error
        except errors.HttpResponseError as error:
            raise _refusal(error) from error
        except errors.AzureError as error:
            raise CloudError(f"azure: {error}", Trouble.OTHER) from error


class AzureProvider(CloudProvider):
    """Virtual machines of the subscription that the environment names."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(AzureCloud((pace or Pace()).look), home, pace)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """See `CloudProvider.prepare`; parameters that cannot be are refused."""
        azure_order.image(str(spec.parameters.get("image") or AzureCloud.image))
        azure_order.named_firewall(spec.parameters)
        subnet = str(spec.parameters.get("subnet") or "")
        if subnet and not subnet.startswith("/") and not spec.parameters.get("network"):
            raise UsageError(
                f"azure: nothing says in which network subnet {subnet!r} is",
                hint="parameters: {network: ..., subnet: ...}, or the whole path of the subnet",
            )
        return super().prepare(spec)


def _authentication() -> dict[str, Any]:
    """A token that is given, none over http to this machine, where no secret belongs; else the SDK's credentials.

    The SDK's own policy sends no token over http, and asks a provider of identities that is not on this machine.
    """
    token = os.environ.get(_TOKEN, "").strip()
    if token or endpoint(_ENDPOINT, _API).startswith("http://"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        policy = sdk.load("azure.core.pipeline.policies", "azure").HeadersPolicy(headers)
        return {"credential": policy, "authentication_policy": policy}
    identity = sdk.load("azure.identity", "azure")
    tenant, client, secret = (_environment(names) for names in (_TENANT, _CLIENT, _SECRET))
    if tenant and client and secret:
        return {"credential": identity.ClientSecretCredential(tenant, client, secret)}
    return {"credential": identity.DefaultAzureCredential()}


def _environment(names: Sequence[str]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _where(place: Place, settings: Mapping[str, object]) -> tuple[str, str]:
    """Location and zone: `westeurope`, `westeurope-2`, or `2` of the region that is set.

    Raises:
        UsageError: nothing names a location.
    """
    region = str(settings.get("region") or "") or _environment(_LOCATION)
    location, _, zone = place.zone.partition("-")
    if location.isdigit():
        location, zone = region, location
    location = location or region
    if not location:
        raise UsageError(
            "azure: nothing says in which location machines are to be made",
            hint=f"parameters: {{zones: [westeurope-1]}}; or set {_LOCATION[0]}",
        )
    return location, zone


def _is_ours(thing: Mapping[str, Any], deployment: str) -> bool:
    tagged = (thing.get("tags") or {}).get(DEPLOYMENT_TAG, "")
    return bool(tagged) and deployment in ("", tagged)


def _split(path: str) -> tuple[str, str]:
    """Group and name in the path of a thing."""
    words = path.strip("/").split("/")
    return words[3], words[-1]


def _addresses(
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


def _machine(machine: Mapping[str, Any], state: str, addresses: tuple[str, str]) -> Machine:
    properties = machine["properties"]
    zone = "-".join([machine["location"], *machine.get("zones", ())[:1]])
    return Machine(
        id=machine["id"],
        machine=machine["name"],
        power=_POWER.get(state, PowerState.UNKNOWN),
        state=state,
        address=addresses[0],
        private_address=addresses[1],
        place=Place(zone=zone, size=properties["hardwareProfile"]["vmSize"]),
        tags=machine["tags"],
        created=_seconds(properties.get("timeCreated", "")),
    )


def _resource(kind: str, thing: Mapping[str, Any]) -> Resource:
    made = str((thing.get("properties") or {}).get("timeCreated", ""))
    key = thing["name"] if kind == "group" else thing["id"]
    return Resource(kind=kind, id=key, tags=thing["tags"], created=_seconds(made))


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp() if timestamp else 0


def _refusal(error: Any) -> CloudError:
    """What a refused call or a failed operation means: its code says more than its status."""
    code = str(getattr(error.error, "code", "") or "")
    message = str(getattr(error.error, "message", "") or error.message)
    trouble = _trouble(code, message, error.status_code)
    after = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return CloudError(
        f"azure: {message} ({code or error.status_code or type(error).__name__})",
        trouble,
        pause_seconds=float(after) if after.isdigit() else 0,
        hint=_HINTS.get(trouble, ""),
    )


def _trouble(code: str, message: str, status: int | None) -> Trouble:
    if code == "OperationNotAllowed" and "quota" in message.lower():
        return Trouble.QUOTA
    if code in _CODES:
        return _CODES[code]
    if status is None:  # no credential was found, or none was given out
        return Trouble.FORBIDDEN
    return _STATUSES.get(status, Trouble.TRANSIENT if status >= 500 else Trouble.OTHER)
