"""The provider `yandex`: instances of Yandex Compute Cloud, by its SDK `yandexcloud` over gRPC."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e_ansible.errors import E2EError, UnsupportedOperation, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.creation import Pace
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.machine import Cloud, Machine, Order, Pending, Place, Resource
from e2e_ansible.providers.cloud.refusal import refuse
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["YandexCloud", "YandexProvider"]

_TOKEN = "YC_TOKEN"
_KEY_FILE = "YC_SERVICE_ACCOUNT_KEY_FILE"
_FOLDER = "YC_FOLDER_ID"
_ZONE = "YC_ZONE"
_ENDPOINT = "YC_ENDPOINT"
_ROOTS = "YC_ROOT_CERTIFICATES"
_CREDENTIAL_HINT = (
    f"{_KEY_FILE} must name the key file of a service account with the roles compute.editor and vpc.user"
    f" (yc iam key create --output key.json); or set {_TOKEN} to a token"
)
_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask Yandex Cloud for a higher quota"
_HINTS = {Trouble.FORBIDDEN: _CREDENTIAL_HINT, Trouble.QUOTA: _QUOTA_HINT}
_CANNOT = {"region": "zones are named in full, such as ru-central1-a"}
_SIZE = re.compile(r"(?P<platform>[a-z]+-v\d+)-(?P<cores>\d+)-(?P<memory>\d+)(?:-(?P<fraction>\d+))?")
_SIZE_HINT = (
    "such as standard-v3-2-4: platform, processors, GB of memory; standard-v3-2-4-20 for 20 % of a processor"
)
_IMAGE_ID = re.compile(r"fd[0-9a-z]{18}")
_PUBLIC_IMAGES = "standard-images"
_CALL_SECONDS = 60.0
_PAGE = 1000
_GB = 2**30
_ROOT_GB = 20
_POWER = {"RUNNING": PowerState.ON, "STOPPED": PowerState.OFF}
_CALLS = {Operation.ON: "Start", Operation.OFF: "Stop", Operation.REBOOT: "Restart"}
_QUOTAS = {
    "compute.instances.count": "",
    "compute.instanceCores.count": "cores",
    "compute.instanceMemory.size": "memory",
}
_TROUBLES = {
    "UNAVAILABLE": Trouble.TRANSIENT,
    "INTERNAL": Trouble.TRANSIENT,
    "UNKNOWN": Trouble.TRANSIENT,
    "ABORTED": Trouble.TRANSIENT,
    "DEADLINE_EXCEEDED": Trouble.TRANSIENT,
    "PERMISSION_DENIED": Trouble.FORBIDDEN,
    "UNAUTHENTICATED": Trouble.FORBIDDEN,
    "NOT_FOUND": Trouble.MISSING,
    "ALREADY_EXISTS": Trouble.CONFLICT,
    "FAILED_PRECONDITION": Trouble.CONFLICT,
}


@dataclass(frozen=True)
class _Ordered:
    """An instance that this process ordered: only the operation tells why it could not be made."""

    order: Order
    operation: str
    instance: str


class YandexCloud(Cloud):
    """Tags are labels. A name is unique in a folder, so an instance is never made twice."""

    name = "yandex"
    user = "e2e"
    image = "debian-12"
    size = "standard-v3-2-4"

    def __init__(self) -> None:
        self._made: Any = None
        self._ordered: dict[str, _Ordered] = {}

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the credentials are tried."""
        installed = sdk.finding("yandexcloud", "yandex")
        return (installed, self._credentials()) if installed.ok else (installed,)

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`.

        An instance that this process ordered is there until it is made or removed, also where it could not be made.
        """
        ordered = {name: self._progress(each) for name, each in list(self._ordered.items())}
        pages = self._pages("compute", "Instance", "instances", folder_id=self._folder)
        there = {each.machine: each for each in map(_machine, pages)}
        for name, now in ordered.items():
            if now is None:
                self._ordered.pop(name, None)
            elif now.failure or name not in there:
                there[name] = now
        return [each for each in there.values() if each.deployment and deployment in ("", each.deployment)]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """None: disks are made with their instance and go with it, and so do its addresses."""
        return ()

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The least of what the quotas of the cloud leave; None where the credential may not read them.

        Raises:
            UsageError: the size, or the zone, is not usable.
        """
        resources = _resources(place.size)
        self._subnet(self._zone(place), settings)
        try:
            cloud = self._call("resourcemanager", "Folder", "Get", folder_id=self._folder).cloud_id
            told = [self._left(cloud, quota, resources.get(each, 1)) for quota, each in _QUOTAS.items()]
        except CloudError as error:
            if error.trouble in (Trouble.FORBIDDEN, Trouble.MISSING):
                return None
            raise
        return min((count for count in told if count is not None), default=None)

    def create(self, order: Order) -> None:
        """See `Cloud.create`."""
        zone = self._zone(order.place)
        operation = self._call("compute", "Instance", "Create", **self._wanted(order, zone))
        metadata = sdk.load("yandex.cloud.compute.v1.instance_service_pb2", "yandex").CreateInstanceMetadata()
        operation.metadata.Unpack(metadata)
        self._ordered[order.machine] = _Ordered(order, operation.id, metadata.instance_id)

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`. One whose end was asked for is left alone."""
        self._ordered.pop(machine.machine, None)
        if machine.state == "DELETING":
            return
        try:
            self._call("compute", "Instance", "Delete", instance_id=machine.id)
        except CloudError as error:
            if error.trouble is not Trouble.MISSING:
                raise

    def remove(self, resource: Resource) -> None:
        """Nothing to do, see `resources`."""

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        call = _CALLS.get(operation)
        if call is None:
            raise UnsupportedOperation(
                f"provider yandex cannot do {operation.value}",
                hint=f"it can do {', '.join(_CALLS)}; each of them asks the guest",
            )
        asked = self._call("compute", "Instance", call, instance_id=machine.id)
        return lambda: self._ended(asked.id)

    @property
    def _folder(self) -> str:
        folder = os.environ.get(_FOLDER, "").strip()
        if not folder:
            raise CloudError(
                f"yandex: {_FOLDER} is not set",
                Trouble.FORBIDDEN,
                hint=f"set {_FOLDER} to the id of the folder (yc resource-manager folder list)",
            )
        return folder

    @property
    def _sdk(self) -> Any:
        if self._made is None:
            roots = os.environ.get(_ROOTS, "")
            try:
                self._made = sdk.load("yandexcloud", "yandex").SDK(
                    user_agent="e2e-ansible",
                    endpoint=os.environ.get(_ENDPOINT) or None,
                    root_certificates=Path(roots).read_bytes() if roots else None,
                    **_login(),
                )
            except (OSError, ValueError, RuntimeError) as error:
                text = f"yandex: the credentials cannot be used: {error}"
                raise CloudError(text, Trouble.FORBIDDEN, hint=_CREDENTIAL_HINT) from error
        return self._made

    def _call(self, service: str, kind: str, method: str, **request: Any) -> Any:
        """One call, such as `Get` of the service `Folder`; the fields of its request by name."""
        module = f"yandex.cloud.{service}.v1.{_snake(kind)}_service_pb2"
        stub = getattr(sdk.load(f"{module}_grpc", "yandex"), f"{kind}ServiceStub")
        message = getattr(sdk.load(module, "yandex"), f"{method}{_subject(kind, method)}Request")
        with self._told():
            return getattr(self._client(stub), method)(message(**request), timeout=_CALL_SECONDS)

    def _client(self, stub: Any) -> Any:
        """A client of one service; not each endpoint has all of them."""
        made = self._sdk
        try:
            return made.client(stub)
        except (KeyError, RuntimeError) as error:
            text = f"yandex: the API has no service {stub.__name__}: {error}"
            raise CloudError(text, Trouble.MISSING) from error

    def _pages(self, service: str, kind: str, field: str, **request: Any) -> Iterator[Any]:
        """All of a list, page by page."""
        token = ""
        while True:
            page = self._call(service, kind, "List", page_size=_PAGE, page_token=token, **request)
            yield from getattr(page, field)
            token = page.next_page_token
            if not token:
                return

    def _operation(self, operation: str) -> Any:
        pb2 = sdk.load("yandex.cloud.operation.operation_service_pb2", "yandex")
        grpc = sdk.load("yandex.cloud.operation.operation_service_pb2_grpc", "yandex")
        with self._told():
            return self._client(grpc.OperationServiceStub).Get(
                pb2.GetOperationRequest(operation_id=operation), timeout=_CALL_SECONDS
            )

    def _ended(self, operation: str) -> bool:
        """Whether an operation has ended. Raises CloudError if it failed."""
        now = self._operation(operation)
        if now.done and now.error.code:
            raise _refusal(_code(now.error.code), now.error.message)
        return bool(now.done)

    def _progress(self, ordered: _Ordered) -> Machine | None:
        """What an ordered instance is before it is listed; None when it is made."""
        failure = None
        try:
            if self._ended(ordered.operation):
                return None
        except CloudError as error:
            if error.trouble in (Trouble.TRANSIENT, Trouble.FORBIDDEN):
                raise
            failure = error
        return Machine(
            id=ordered.instance,
            machine=ordered.order.machine,
            power=PowerState.UNKNOWN,
            state="ERROR" if failure else "ORDERED",
            place=ordered.order.place,
            tags=ordered.order.tags,
            failure=str(failure) if failure else "",
            trouble=failure.trouble if failure else Trouble.OTHER,
        )

    def _left(self, cloud: str, quota: str, each: int) -> int | None:
        """How many times `each` still fits; None when there is no limit."""
        resource = {"id": cloud, "type": "resource-manager.cloud"}
        told = self._call("quotamanager", "QuotaLimit", "Get", resource=resource, quota_id=quota)
        return int((told.limit.value - told.usage.value) // each) if told.HasField("limit") else None

    def _zone(self, place: Place) -> str:
        zone = place.zone or os.environ.get(_ZONE, "").strip()
        if not zone:
            raise UsageError(
                "yandex: nothing says in which zone instances are to be made",
                hint=f"parameters: {{zones: [ru-central1-a]}}; or set {_ZONE}",
            )
        return zone

    def _subnet(self, zone: str, settings: Mapping[str, object]) -> str:
        """The id of the subnet: the one that is named, else the first of the network in the zone."""
        named, network = str(settings.get("subnet") or ""), str(settings.get("network") or "")
        subnets = [
            each
            for each in self._pages("vpc", "Subnet", "subnets", folder_id=self._folder)
            if each.zone_id == zone and network in ("", each.network_id)
        ]
        found = [each for each in subnets if named in ("", each.id, each.name)]
        if not found:
            names = ", ".join(sorted(f"{each.name} ({each.id})" for each in subnets))
            text = f"yandex: no subnet {named or 'at all'} in zone {zone}"
            text += f" of network {network}" if network else ""
            raise CloudError(text, Trouble.MISSING, hint=f"there is {names or 'none'}; network takes an id")
        return str(min(found, key=lambda each: each.name).id)

    def _image(self, image: str) -> str:
        """An id as it is; a family of this folder or of the public images."""
        if _IMAGE_ID.fullmatch(image):
            return image
        for folder in (self._folder, _PUBLIC_IMAGES):
            try:
                return str(self._latest(folder, image))
            except CloudError as error:
                if error.trouble is not Trouble.MISSING:
                    raise
        text = f"yandex: neither the folder nor {_PUBLIC_IMAGES} has images of the family {image!r}"
        raise CloudError(text, Trouble.MISSING, hint=f"yc compute image list --folder-id {_PUBLIC_IMAGES}")

    def _latest(self, folder: str, family: str) -> Any:
        pb2 = sdk.load("yandex.cloud.compute.v1.image_service_pb2", "yandex")
        grpc = sdk.load("yandex.cloud.compute.v1.image_service_pb2_grpc", "yandex")
        with self._told():
            asked = pb2.GetImageLatestByFamilyRequest(folder_id=folder, family=family)
            return self._client(grpc.ImageServiceStub).GetLatestByFamily(asked, timeout=_CALL_SECONDS).id

    def _wanted(self, order: Order, zone: str) -> dict[str, Any]:
        """The fields of the request for one instance."""
        settings = order.settings
        size = _SIZE.fullmatch(order.place.size)
        network: dict[str, Any] = {
            "subnet_id": self._subnet(zone, settings),
            "primary_v4_address_spec": {},
        }
        if settings.get("public_address") is not False:
            network["primary_v4_address_spec"] = {"one_to_one_nat_spec": {"ip_version": "IPV4"}}
        groups = settings.get("security_groups")
        if isinstance(groups, Sequence) and not isinstance(groups, str):
            network["security_group_ids"] = [str(group) for group in groups]
        root = int(str(settings.get("root_volume_size") or _ROOT_GB)) * _GB
        data = int(str(settings.get("data_volume_size") or _ROOT_GB)) * _GB
        return {
            "folder_id": self._folder,
            "name": order.machine,
            "hostname": order.machine,
            "labels": dict(order.tags),
            "zone_id": zone,
            "platform_id": size["platform"] if size else "",
            "resources_spec": _resources(order.place.size),
            "metadata": {"user-data": order.user_data},
            "boot_disk_spec": _disk(root, image_id=self._image(order.image)),
            "secondary_disk_specs": [
                _disk(data) for _ in range(int(str(settings.get("data_volumes_per_node") or 0)))
            ],
            "network_interface_specs": [network],
        }

    def _credentials(self) -> Finding:
        try:
            self.machines()
        except E2EError as error:
            return Finding(name="yandex credentials", ok=False, detail=f"{error}; {error.hint}")
        return Finding(name="yandex credentials", ok=True, detail=f"folder {self._folder} can be read")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every error of gRPC becomes a CloudError."""
        refused = sdk.load("grpc", "yandex").RpcError
        try:
            yield
        except refused as error:
            raise _refusal(error.code().name, str(error.details())) from error


class YandexProvider(CloudProvider):
    """Instances of the folder that the environment names."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(YandexCloud(), home, pace)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """See `CloudProvider.prepare`; parameters that cannot be are refused."""
        refuse(self.name, spec.parameters, _CANNOT)
        return super().prepare(spec)


def _login() -> dict[str, Any]:
    """The arguments of the SDK. A token of IAM begins with `t1.`, all others are exchanged for one.

    Raises:
        CloudError: there is no credential.
        OSError, ValueError: the key file is not readable, or not one.
    """
    token, file = os.environ.get(_TOKEN, "").strip(), os.environ.get(_KEY_FILE, "").strip()
    if token:
        return {"iam_token" if token.startswith("t1.") else "token": token}
    if file:
        return {"service_account_key": json.loads(Path(file).expanduser().read_text(encoding="utf-8"))}
    text = f"yandex: neither {_KEY_FILE} nor {_TOKEN} is set"
    raise CloudError(text, Trouble.FORBIDDEN, hint=_CREDENTIAL_HINT)


def _refusal(code: str, text: str) -> CloudError:
    """What an answer with this status means. A refused login is told as if nobody had answered."""
    trouble = _TROUBLES.get(code, Trouble.OTHER)
    if code == "RESOURCE_EXHAUSTED":
        trouble = _exhausted(text.lower())
    elif code == "UNAVAILABLE" and ("UNAUTHENTICATED" in text or "PERMISSION_DENIED" in text):
        trouble = Trouble.FORBIDDEN
    return CloudError(f"yandex: {text} ({code})", trouble, hint=_HINTS.get(trouble, ""))


def _exhausted(text: str) -> Trouble:
    """One status for three things: no machines there, no quota, too many calls."""
    if "not enough resources" in text:
        return Trouble.CAPACITY
    return Trouble.QUOTA if "quota" in text or "limit on" in text else Trouble.TRANSIENT


def _code(number: int) -> str:
    codes = sdk.load("grpc", "yandex").StatusCode
    return next((str(code.name) for code in codes if code.value[0] == number), "UNKNOWN")


def _resources(size: str) -> dict[str, int]:
    """Processors, bytes of memory and percent of a processor.

    Raises:
        UsageError: no such size can be.
    """
    parts = _SIZE.fullmatch(size)
    if parts is None:
        raise UsageError(f"yandex: instance_type {size!r} is no size", hint=_SIZE_HINT)
    fraction = {"core_fraction": int(parts["fraction"])} if parts["fraction"] else {}
    return {"cores": int(parts["cores"]), "memory": int(parts["memory"]) * _GB, **fraction}


def _disk(size: int, **source: str) -> dict[str, Any]:
    """A disk of so many bytes that goes with its instance."""
    return {"auto_delete": True, "disk_spec": {"size": size, **source}}


def _machine(instance: Any) -> Machine:
    status = sdk.load("yandex.cloud.compute.v1.instance_pb2", "yandex").Instance.Status.Name(instance.status)
    interfaces = [each.primary_v4_address for each in instance.network_interfaces]
    resources = instance.resources
    size = f"{instance.platform_id}-{resources.cores}-{resources.memory // _GB}"
    if resources.core_fraction not in (0, 100):
        size += f"-{resources.core_fraction}"
    return Machine(
        id=instance.id,
        machine=instance.name,
        power=_POWER.get(status, PowerState.UNKNOWN),
        state=status,
        address=next((each.one_to_one_nat.address for each in interfaces if each.one_to_one_nat.address), ""),
        private_address=next((each.address for each in interfaces if each.address), ""),
        place=Place(zone=instance.zone_id, size=size),
        tags=dict(instance.labels),
        created=instance.created_at.seconds,
        local_disk=bool(instance.local_disks),
        failure="the instance is in the state ERROR" if status == "ERROR" else "",
    )


def _snake(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def _subject(kind: str, method: str) -> str:
    return f"{kind}s" if method == "List" else kind
