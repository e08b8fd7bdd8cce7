"""The provider `gcp`: instances of Google Compute Engine, by its SDK `google-cloud-compute`."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e_ansible.errors import E2EError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers import gcp_order
from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.creation import Pace
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.endpoint import endpoint
from e2e_ansible.providers.cloud.lazy import load_part
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

__all__ = ["GcpCloud", "GcpProvider"]

_ENDPOINT = "E2E_GCP_ENDPOINT"
_API = "https://compute.googleapis.com"
_TOKEN = "GOOGLE_OAUTH_ACCESS_TOKEN"
_SCOPES = ("https://www.googleapis.com/auth/compute",)
# The first of each is Google's own name; the others are what AWX, Ansible and gcloud set.
_PROJECT = ("GOOGLE_CLOUD_PROJECT", "GCP_PROJECT", "GCE_PROJECT", "CLOUDSDK_CORE_PROJECT")
_ZONE = ("GOOGLE_CLOUD_ZONE", "CLOUDSDK_COMPUTE_ZONE")
_REGION = ("GOOGLE_CLOUD_REGION", "CLOUDSDK_COMPUTE_REGION")
_CREDENTIAL_HINT = (
    "GOOGLE_APPLICATION_CREDENTIALS must name the key file of a service account with the role"
    " roles/compute.instanceAdmin.v1; or run: gcloud auth application-default login"
)
_PROJECT_HINT = f"set {_PROJECT[0]} to the id of the project"
_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask Google for a higher quota"
_HINTS = {Trouble.FORBIDDEN: _CREDENTIAL_HINT, Trouble.QUOTA: _QUOTA_HINT}
_CALL_SECONDS = 60.0
#: The modules of the SDK's clients.
_SERVICES = {
    "Disks": "disks",
    "Instances": "instances",
    "MachineTypes": "machine_types",
    "Projects": "projects",
    "Regions": "regions",
    "ZoneOperations": "zone_operations",
}
_POWER = {
    "RUNNING": PowerState.ON,
    "TERMINATED": PowerState.OFF,
    "STOPPED": PowerState.OFF,
}
_CALLS = {
    Operation.ON: ("start",),
    Operation.OFF: ("stop",),
    Operation.HARD_OFF: ("reset", "stop"),  # nothing turns an instance off without asking its guest
    Operation.REBOOT: ("stop", "start"),
    Operation.RESET: ("reset",),
    Operation.NMI: ("send_diagnostic_interrupt",),
}
# Reasons of refused calls and codes of failed operations, in lower case and without underscores.
_REASONS = {
    "zoneresourcepoolexhausted": Trouble.CAPACITY,
    "zoneresourcepoolexhaustedwithdetails": Trouble.CAPACITY,
    "quotaexceeded": Trouble.QUOTA,
    "ratelimitexceeded": Trouble.TRANSIENT,
    "userratelimitexceeded": Trouble.TRANSIENT,
    "resourcenotready": Trouble.CONFLICT,
    "resourceinusebyanotherresource": Trouble.CONFLICT,
    "resourcealreadyexists": Trouble.CONFLICT,
    "resourcenotfound": Trouble.MISSING,
    "permissionserror": Trouble.FORBIDDEN,
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
    """An instance that was ordered by this process: the operation knows first whether there is capacity for it."""

    order: Order
    zone: str
    operation: Any
    given_up: bool = False


class GcpCloud(Cloud):
    """Tags are labels. The SDK repeats calls by itself and is told not to: only `creation` knows what is safe."""

    name = "gcp"
    user = "e2e"
    image = "projects/debian-cloud/global/images/family/debian-12"
    size = "e2-medium"

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._known: tuple[Any, str] | None = None
        self._ordered: list[_Ordered] = []
        self._deleting: dict[str, Pending] = {}

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the credentials are tried."""
        installed = sdk.finding("google.cloud.compute_v1", "gcp")
        return (installed, self._credentials()) if installed.ok else (installed,)

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`.

        An instance that this process ordered and that is not listed yet is there, in the state ORDERED.

        Raises:
            CloudError: as for every call; or one that this process ordered could not be made. That is told once.
        """
        ordered = self._still_ordered(deployment)
        there = [_machine(each) for each in self._listed("Instances", deployment)]
        names = {machine.machine for machine in there}
        return [*there, *(_unseen(each) for each in ordered if each.order.machine not in names)]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """Disks: they go with their instance, unless somebody kept them."""
        return [_disk(each) for each in self._listed("Disks", deployment)]

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The least of what region and project leave of instances, processors and addresses."""
        zone = self._zone(place, settings)
        processors = self._call("MachineTypes", "get", zone=zone, machine_type=place.size).guest_cpus or 1
        left = _left(self._call("Regions", "get", region=gcp_order.region(zone)).quotas)
        everywhere = _left(self._call("Projects", "get").quotas)
        family = f"{place.size.split('-')[0].upper()}_CPUS"
        counts = [
            left.get("INSTANCES"),
            _shared(left.get(family, left.get("CPUS")), processors),
            _shared(everywhere.get("CPUS_ALL_REGIONS"), processors),
            left.get("IN_USE_ADDRESSES") if settings.get("public_address") is not False else None,
        ]
        told = [int(count) for count in counts if count is not None]
        return min(told) if told else None

    def create(self, order: Order) -> None:
        """See `Cloud.create`. A repeated call is known by its request id; a name is unique in its project and zone."""
        zone = self._zone(order.place, order.settings)
        operation = self._call(
            "Instances",
            "insert_unary",
            zone=zone,
            request_id=str(uuid.UUID(hex=order.token)),
            instance_resource=gcp_order.instance(order, zone),
        )
        self._ordered.append(_Ordered(order, zone, operation))

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`. While an instance is being deleted it is not asked for again."""
        going = self._deleting.get(machine.id)
        try:
            if going is None:
                self._deleting[machine.id] = self._asked("delete", machine)
            elif going():
                del self._deleting[machine.id]
        except CloudError as error:
            self._deleting.pop(machine.id, None)
            if error.trouble is not Trouble.MISSING:
                raise

    def remove(self, resource: Resource) -> None:
        """See `Cloud.remove`."""
        zone, _, disk = resource.id.partition("/")
        try:
            self._call("Disks", "delete_unary", zone=zone, disk=disk)
        except CloudError as error:
            if error.trouble is not Trouble.MISSING:
                raise

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        return in_turn([lambda call=call: self._asked(call, machine) for call in _CALLS[operation]])  # type: ignore[misc]

    def _asked(self, call: str, machine: Machine) -> Pending:
        """Ask for one operation of an instance, which is named by its id: a namesake is not meant."""
        zone = machine.place.zone
        where: dict[str, Any] = {"zone": zone, "instance": machine.id}
        if call == "send_diagnostic_interrupt":  # the only one without an operation
            self._call("Instances", call, **where)
            return lambda: True
        if call == "stop" and machine.local_disk:
            where["discard_local_ssd"] = True  # without it Google refuses to stop such an instance
        operation = self._call("Instances", f"{call}_unary", **where)
        return lambda: self._ended(operation, zone)

    def _ended(self, operation: Any, zone: str) -> bool:
        """Whether an operation has ended. Raises CloudError if it failed."""
        now = self._call("ZoneOperations", "get", zone=zone, operation=operation.name)
        if now.status.name != "DONE":
            return False
        if now.error.errors or now.http_error_status_code:
            raise _failed(now)
        return True

    def _still_ordered(self, deployment: str) -> list[_Ordered]:
        """Of what this process ordered, what has not ended; the first that failed is told, the others are then not."""
        mine = [each for each in self._ordered if deployment in ("", each.order.deployment)]
        for each in mine:
            try:
                ended = self._ended(each.operation, each.zone)
            except CloudError as error:
                if error.trouble is Trouble.TRANSIENT:
                    raise
                self._ordered.remove(each)
                if each.given_up:
                    continue
                self._give_up(each.order.deployment)
                raise
            if ended:
                self._ordered.remove(each)
        return [each for each in mine if each in self._ordered]

    def _give_up(self, deployment: str) -> None:
        for each in self._ordered:
            each.given_up = each.given_up or each.order.deployment == deployment

    def _listed(self, kind: str, deployment: str) -> list[Any]:
        """All instances or disks with our label, in all zones.

        Raises:
            CloudError: as for every call; or a zone did not answer, so there may be more.
        """
        wanted = f"labels.{DEPLOYMENT_TAG}={deployment}" if deployment else f"labels.{DEPLOYMENT_TAG}:*"
        found: list[Any] = []
        with self._told():
            for page in self._call(kind, "aggregated_list", filter=wanted).pages:
                if page.unreachables:
                    silent = ", ".join(place.rpartition("/")[2] for place in page.unreachables)
                    raise CloudError(f"gcp: no answer from {silent}", Trouble.TRANSIENT)
                for scope in page.items.values():
                    found += getattr(scope, kind.lower())
        return found

    def _zone(self, place: Place, settings: Mapping[str, object]) -> str:
        """The zone asked for, or that of the environment, or the first of the region.

        Raises:
            UsageError: nothing names one.
        """
        if place.zone or _environment(_ZONE):
            return place.zone or _environment(_ZONE)
        region = str(settings.get("region") or _environment(_REGION))
        if not region:
            raise UsageError(
                "gcp: nothing says in which zone instances are to be made",
                hint=f"parameters: {{zones: [europe-west1-b]}}; or set {_ZONE[0]}",
            )
        return min(str(zone).rpartition("/")[2] for zone in self._call("Regions", "get", region=region).zones)

    def _call(self, kind: str, method: str, **request: Any) -> Any:
        """One call of a client of the SDK, such as `get` of `ZoneOperationsClient`."""
        with self._told():
            client = self._client(kind)
            request["project"] = self._account[1]
            return getattr(client, method)(request=request, retry=None, timeout=_CALL_SECONDS)

    def _client(self, kind: str) -> Any:
        if kind not in self._clients:
            module = load_part("google.cloud.compute_v1", f"services.{_SERVICES[kind]}", "gcp")
            make = getattr(module, f"{kind}Client")
            self._clients[kind] = make(
                credentials=self._account[0],
                transport="rest",
                client_options={"api_endpoint": endpoint(_ENDPOINT, _API)},
            )
        return self._clients[kind]

    @property
    def _account(self) -> tuple[Any, str]:
        """Credentials and project."""
        if self._known is None:
            credentials, project = _credentials()
            project = _environment(_PROJECT) or project
            if not project:
                raise CloudError(
                    "gcp: nothing says which project is meant", Trouble.FORBIDDEN, hint=_PROJECT_HINT
                )
            self._known = credentials, project
        return self._known

    def _credentials(self) -> Finding:
        try:
            project = self._call("Projects", "get").name
        except E2EError as error:
            return Finding(name="gcp credentials", ok=False, detail=f"{error}; {error.hint}")
        return Finding(name="gcp credentials", ok=True, detail=f"project {project} can be read")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        refused = sdk.load("google.api_core.exceptions", "gcp").GoogleAPICallError
        unknown = sdk.load("google.auth.exceptions", "gcp")
        broken = sdk.load("requests", "gcp").RequestException
        try:
            yield
        except refused as error:
            raise _refusal(error) from error
        except (unknown.TransportError, broken) as error:
            raise CloudError(f"gcp: no answer: {type(error).__name__}", Trouble.TRANSIENT) from error
        except unknown.GoogleAuthError as error:
            # The SDK answers a refused token by asking for a new one, and complains that it cannot.
            text = f"the token in {_TOKEN} is refused, or has expired" if os.environ.get(_TOKEN) else error
            raise CloudError(f"gcp: {text}", Trouble.FORBIDDEN, hint=_CREDENTIAL_HINT) from error


class GcpProvider(CloudProvider):
    """Instances of the project that the credentials or the environment name."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(GcpCloud(), home, pace)


def _credentials() -> tuple[Any, str]:
    """A token that is given; none over http to this machine, where no secret belongs; else Google's own search."""
    token = os.environ.get(_TOKEN, "").strip()
    if token:
        return sdk.load("google.oauth2.credentials", "gcp").Credentials(token), ""
    if endpoint(_ENDPOINT, _API).startswith("http://"):
        return sdk.load("google.auth.credentials", "gcp").AnonymousCredentials(), ""
    credentials, project = sdk.load("google.auth", "gcp").default(scopes=_SCOPES)
    return credentials, project or ""


def _environment(names: Sequence[str]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _left(quotas: Any) -> dict[str, float]:
    return {quota.metric: quota.limit - quota.usage for quota in quotas}


def _shared(left: float | None, each: int) -> float | None:
    return None if left is None else left // each


def _machine(instance: Any) -> Machine:
    card = next(iter(instance.network_interfaces), None)
    public = next((each.nat_i_p for each in card.access_configs if each.nat_i_p), "") if card else ""
    return Machine(
        id=str(instance.id),
        machine=instance.name,
        power=_POWER.get(instance.status, PowerState.UNKNOWN),
        state=instance.status,
        address=public,
        private_address=card.network_i_p if card else "",
        place=Place(zone=_tail(instance.zone), size=_tail(instance.machine_type)),
        tags=dict(instance.labels),
        created=_seconds(instance.creation_timestamp),
        local_disk=any(disk.type_ == "SCRATCH" for disk in instance.disks),
    )


def _unseen(ordered: _Ordered) -> Machine:
    order = ordered.order
    return Machine(
        id=str(ordered.operation.target_id),
        machine=order.machine,
        power=PowerState.UNKNOWN,
        state="ORDERED",
        place=Place(zone=ordered.zone, size=order.place.size),
        tags=order.tags,
    )


def _disk(disk: Any) -> Resource:
    return Resource(
        kind="disk",
        id=f"{_tail(disk.zone)}/{disk.name}",
        tags=dict(disk.labels),
        created=_seconds(disk.creation_timestamp),
    )


def _tail(url: str) -> str:
    return url.rpartition("/")[2]


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp() if timestamp else 0


def _refusal(error: Any) -> CloudError:
    """What a refused call means: its reason says more than its status."""
    reasons = [str(each.get("reason", "")) for each in error.errors if isinstance(each, Mapping)]
    status = int(error.code or 0)
    trouble = _trouble(reasons, status)
    after = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return CloudError(
        f"gcp: {_said(error.message)} ({', '.join([str(status), *reasons])})",
        trouble,
        pause_seconds=float(after) if after.isdigit() else 0,
        hint=_HINTS.get(trouble, ""),
    )


def _failed(operation: Any) -> CloudError:
    """What a failed operation means."""
    errors = list(operation.error.errors)
    trouble = _trouble([each.code for each in errors], operation.http_error_status_code)
    text = "; ".join(f"{each.message} ({each.code})" for each in errors) or operation.http_error_message
    return CloudError(
        f"gcp: {operation.operation_type} failed: {text}",
        Trouble.OTHER
        if trouble is Trouble.TRANSIENT
        else trouble,  # it has ended: asking again changes nothing
        hint=_HINTS.get(trouble, ""),
    )


def _trouble(reasons: Sequence[str], status: int) -> Trouble:
    """Calls are refused with reasons such as `quotaExceeded`, operations fail with codes such as `QUOTA_EXCEEDED`."""
    plain = [reason.replace("_", "").lower() for reason in reasons]
    known = [_REASONS[reason] for reason in plain if reason in _REASONS]
    if known:
        return known[0]
    return _STATUSES.get(status, Trouble.TRANSIENT if status >= 500 else Trouble.OTHER)


def _said(message: str) -> str:
    """Without the method and the address that the SDK puts before it."""
    return re.sub(r"^[A-Z]+ https?://\S+: ", "", message)
