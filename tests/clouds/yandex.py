"""A folder of Yandex Cloud: a gRPC server over TLS on the loopback, made of the SDK's own services.

It takes what the API's description allows: names that are unique, labels and states as they have to be.
"""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yandex.cloud.compute.v1 import image_pb2, instance_pb2, instance_service_pb2
from yandex.cloud.compute.v1.image_service_pb2_grpc import (
    ImageServiceServicer,
    add_ImageServiceServicer_to_server,
)
from yandex.cloud.compute.v1.instance_service_pb2_grpc import (
    InstanceServiceServicer,
    add_InstanceServiceServicer_to_server,
)
from yandex.cloud.endpoint import api_endpoint_pb2, api_endpoint_service_pb2
from yandex.cloud.endpoint.api_endpoint_service_pb2_grpc import (
    ApiEndpointServiceServicer,
    add_ApiEndpointServiceServicer_to_server,
)
from yandex.cloud.iam.v1 import iam_token_service_pb2
from yandex.cloud.iam.v1.iam_token_service_pb2_grpc import (
    IamTokenServiceServicer,
    add_IamTokenServiceServicer_to_server,
)
from yandex.cloud.operation import operation_pb2
from yandex.cloud.operation.operation_service_pb2_grpc import (
    OperationServiceServicer,
    add_OperationServiceServicer_to_server,
)
from yandex.cloud.quotamanager.v1 import quota_limit_service_pb2
from yandex.cloud.quotamanager.v1.quota_limit_service_pb2_grpc import (
    QuotaLimitServiceServicer,
    add_QuotaLimitServiceServicer_to_server,
)
from yandex.cloud.resourcemanager.v1 import folder_pb2
from yandex.cloud.resourcemanager.v1.folder_service_pb2_grpc import (
    FolderServiceServicer,
    add_FolderServiceServicer_to_server,
)
from yandex.cloud.vpc.v1 import subnet_pb2, subnet_service_pb2
from yandex.cloud.vpc.v1.subnet_service_pb2_grpc import (
    SubnetServiceServicer,
    add_SubnetServiceServicer_to_server,
)

FOLDER = "b1gfolder0000000000"
CLOUD = "b1gcloud00000000000"
OAUTH = "y0_sesame-7d1f"
IAM = "t1.open-3c55"
ZONES = ("ru-central1-a", "ru-central1-b")
KEY_ID, ACCOUNT_ID = "ajekey", "ajeaccount"
_SERVICES = ("compute", "endpoint", "iam", "operation", "quota-manager", "resource-manager", "vpc")
_NAME = re.compile(r"[a-z]([-_a-z0-9]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[a-z][-_./\\@0-9a-z]{0,62}")
_VALUE = re.compile(r"[-_./\\@0-9a-z]{0,63}")
_LOOKS = 2
_OPEN = ("/yandex.cloud.iam.v1.IamTokenService", "/yandex.cloud.endpoint.ApiEndpointService")
_STATUSES = {
    429: (grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many requests"),
    500: (grpc.StatusCode.INTERNAL, "oops"),
}
Status = instance_pb2.Instance.Status


@dataclass
class Operation:
    """Something that was asked for. It ends after some looks at it, and then does `then`."""

    message: operation_pb2.Operation
    instance: str
    then: Callable[[], None]
    looks: int = _LOOKS
    error: str = ""
    stuck: bool = False

    def look(self) -> None:
        """One more look."""
        if self.message.done or self.stuck:
            return
        self.looks -= 1
        if self.looks > 0:
            return
        self.message.done = True
        self.then()
        if self.error:
            self.message.error.code, self.message.error.message = 8, self.error


@dataclass
class Folder:
    """What is there, and the troubles that are ordered. See `tests.clouds.cases.Fake`."""

    instances: dict[str, Any] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    port: int = 0
    certificate: bytes = b""
    public_key: bytes = b""
    lock: Any = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.quotas_hidden = False
        self._numbers = itertools.count(1)
        self._made: list[str] = []
        self._acts: list[str] = []
        self._quota = 10
        self._fails: list[int] = []
        self._lacks = self._lacks_later = 0
        self._loses = self._never_on = self._never_acts = self._forbidden = False

    def environment(self, folder: Path) -> Mapping[str, str]:
        """What the provider needs to find this server."""
        roots = folder / "roots.pem"
        roots.write_bytes(self.certificate)
        return {
            "YC_ENDPOINT": f"localhost:{self.port}",
            "YC_ROOT_CERTIFICATES": str(roots),
            "YC_FOLDER_ID": FOLDER,
            "YC_TOKEN": OAUTH,
        }

    def machines(self) -> list[str]:
        """See `Fake`."""
        return [each.name for each in self.instances.values()]

    def made(self) -> list[str]:
        """See `Fake`."""
        return list(self._made)

    def zones(self) -> list[str]:
        """See `Fake`."""
        return [each.zone_id for each in self.instances.values()]

    def left(self) -> list[str]:
        """Disks that would stay: none, if all go with their instance."""
        disks = [disk for each in self.instances.values() for disk in (each.boot_disk, *each.secondary_disks)]
        return [disk.disk_id for disk in disks]

    def acts(self) -> list[str]:
        """See `Fake`."""
        return list(self._acts)

    def fail(self, status: int, times: int) -> None:
        """See `Fake`."""
        self._fails += [status] * times

    def lack(self, create: int) -> None:
        """See `Fake`."""
        self._lacks = create

    def lack_later(self, create: int) -> None:
        """The `create`th instance is ordered, and its operation fails for want of capacity."""
        self._lacks_later = create

    def allow(self, machines: int) -> None:
        """See `Fake`."""
        self._quota = machines

    def hide_quotas(self) -> None:
        """The credential may not read them."""
        self.quotas_hidden = True

    def lose_answer(self) -> None:
        """See `Fake`."""
        self._loses = True

    def never_start(self) -> None:
        """See `Fake`."""
        self._never_on = True

    def never_act(self) -> None:
        """See `Fake`."""
        self._never_acts = True

    def forbid(self) -> None:
        """See `Fake`."""
        self._forbidden = True

    def retag(self, machine: str, old: str, new: str) -> None:
        """See `Fake`."""
        (instance,) = (each for each in self.instances.values() if each.name == machine)
        instance.labels[new] = instance.labels.pop(old)

    def login(self, request: Any) -> str | None:
        """The token for who may have one."""
        if self._forbidden:
            return None
        if request.yandex_passport_oauth_token:
            return IAM if request.yandex_passport_oauth_token == OAUTH else None
        try:
            claims = jwt.decode(
                request.jwt, self.public_key, algorithms=["PS256"], options={"verify_aud": False}
            )
        except jwt.PyJWTError:
            return None
        return IAM if claims["iss"] == ACCOUNT_ID else None

    def refusal(self, headers: Mapping[str, str]) -> tuple[grpc.StatusCode, str] | None:
        """Why a call is not done, or None."""
        if self._fails:
            return _STATUSES[self._fails.pop(0)]
        if headers.get("authorization") != f"Bearer {IAM}":
            return grpc.StatusCode.UNAUTHENTICATED, "The token is invalid"
        if self._forbidden:
            return grpc.StatusCode.PERMISSION_DENIED, "Permission denied"
        return None

    def look(self) -> None:
        """Time goes on with every look."""
        for each in list(self.operations.values()):
            each.look()

    def begin(self, instance: Any, then: Callable[[], None]) -> Operation:
        """A new operation on an instance."""
        message = operation_pb2.Operation(id=f"fhmop{next(self._numbers)}")
        message.metadata.Pack(instance_service_pb2.CreateInstanceMetadata(instance_id=instance.id))
        self.operations[message.id] = Operation(message, instance.id, then)
        return self.operations[message.id]

    def create(self, request: Any, context: Any) -> Any:
        """An instance, if everything about it can be."""
        _check(request, context, {each.name for each in self.instances.values()})
        if len(self.instances) >= self._quota:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota limit compute.instances.count exceeded")
        if self._lacks == len(self._made) + 1:
            self._lacks = 0
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Not enough resources in the zone")
        instance = _instance(request, next(self._numbers))
        self.instances[instance.id] = instance
        self._made.append(instance.name)
        operation = self.begin(instance, lambda: _set(instance, "RUNNING"))
        operation.stuck = self._never_on
        if self._lacks_later == len(self._made):
            self._lacks_later = 0
            operation.error = "Not enough resources in the zone"
            operation.then = lambda: self.instances.pop(instance.id)
        if self._loses:
            self._loses = False
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return operation.message

    def act(self, word: str, request: Any, context: Any, need: str, between: str, after: str) -> Any:
        """Change the state of an instance."""
        instance = self.find(request.instance_id, context)
        if instance.status != Status.Value(need):
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION, f"The instance is {Status.Name(instance.status)}"
            )
        self._acts.append(word)
        operation = self.begin(instance, lambda: _set(instance, after))
        operation.stuck = self._never_acts
        _set(instance, between)
        return operation.message

    def delete(self, request: Any, context: Any) -> Any:
        """Instance and disks."""
        instance = self.find(request.instance_id, context)
        for operation in self.operations.values():
            if operation.instance == instance.id:
                operation.message.done = True  # nothing else happens to it
        _set(instance, "DELETING")
        return self.begin(instance, lambda: self.instances.pop(instance.id, None) and None).message

    def find(self, instance: str, context: Any) -> Any:
        """An instance by id."""
        if instance not in self.instances:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Instance {instance} not found")
        return self.instances[instance]

    def used(self, quota: str) -> float:
        """Of a quota of the cloud."""
        each = {"compute.instanceCores.count": "cores", "compute.instanceMemory.size": "memory"}
        name = each.get(quota, "")
        return float(sum(getattr(one.resources, name) if name else 1 for one in self.instances.values()))

    def limit(self, quota: str) -> float:
        """Of a quota of the cloud; only that of instances is ever short."""
        return float(self._quota) if quota == "compute.instances.count" else 2.0**50


def _check(request: Any, context: Any, names: set[str]) -> None:
    bad = [key for key in request.labels if not _LABEL.fullmatch(key)]
    bad += [value for value in request.labels.values() if not _VALUE.fullmatch(value)]
    if bad or not _NAME.fullmatch(request.name) or request.zone_id not in ZONES:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"illegal: {bad or request.name}")
    if request.network_interface_specs[0].subnet_id != f"subnet-{request.zone_id}":
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the subnet is in another zone")
    if "user-data" not in request.metadata or not request.boot_disk_spec.disk_spec.image_id:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no user data or no image")
    if request.name in names:
        context.abort(grpc.StatusCode.ALREADY_EXISTS, f"Instance {request.name} exists")


def _instance(request: Any, number: int) -> Any:
    resources = request.resources_spec
    instance = instance_pb2.Instance(
        id=f"fhm{number}",
        folder_id=request.folder_id,
        name=request.name,
        labels=request.labels,
        zone_id=request.zone_id,
        platform_id=request.platform_id,
        status=Status.Value("PROVISIONING"),
        resources={"cores": resources.cores, "memory": resources.memory, "core_fraction": 100},
        boot_disk={"disk_id": f"disk{number}", "auto_delete": request.boot_disk_spec.auto_delete},
    )
    for index, disk in enumerate(request.secondary_disk_specs):
        instance.secondary_disks.add(disk_id=f"disk{number}-{index}", auto_delete=disk.auto_delete)
    instance.created_at.FromDatetime(datetime.datetime.now(datetime.UTC))
    address = {"address": f"10.0.0.{number}"}
    if request.network_interface_specs[0].primary_v4_address_spec.HasField("one_to_one_nat_spec"):
        address["one_to_one_nat"] = {"address": f"198.51.100.{number}"}
    instance.network_interfaces.add(primary_v4_address=address)
    return instance


def _set(instance: Any, status: str) -> None:
    instance.status = Status.Value(status)


class _Compute(InstanceServiceServicer):
    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def List(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Two to a page, so that pages are read."""
        if not request.page_token:
            self._folder.look()
        every = list(self._folder.instances.values())
        start = int(request.page_token or 0)
        more = str(start + 2) if len(every) > start + 2 else ""
        return instance_service_pb2.ListInstancesResponse(
            instances=every[start : start + 2], next_page_token=more
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._folder.create(request, context)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._folder.delete(request, context)

    def Start(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._folder.act("Start", request, context, "STOPPED", "STARTING", "RUNNING")

    def Stop(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._folder.act("Stop", request, context, "RUNNING", "STOPPING", "STOPPED")

    def Restart(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._folder.act("Restart", request, context, "RUNNING", "RESTARTING", "RUNNING")


class _Operations(OperationServiceServicer):
    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def Get(self, request: Any, context: Any) -> Any:  # noqa: N802
        operation = self._folder.operations[request.operation_id]
        operation.look()
        return operation.message


class _Images(ImageServiceServicer):
    def GetLatestByFamily(self, request: Any, context: Any) -> Any:  # noqa: N802
        if (request.folder_id, request.family) != ("standard-images", "debian-12"):
            context.abort(grpc.StatusCode.NOT_FOUND, "Image not found")
        return image_pb2.Image(id="fd8debian12debian120")


class _Tokens(IamTokenServiceServicer):
    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        token = self._folder.login(request)
        if token is None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "The token is invalid")
        return iam_token_service_pb2.CreateIamTokenResponse(iam_token=token)


class _Endpoints(ApiEndpointServiceServicer):
    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def List(self, request: Any, context: Any) -> Any:  # noqa: N802
        address = f"localhost:{self._folder.port}"
        return api_endpoint_service_pb2.ListApiEndpointsResponse(
            endpoints=[api_endpoint_pb2.ApiEndpoint(id=each, address=address) for each in _SERVICES]
        )


class _Folders(FolderServiceServicer):
    def Get(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.folder_id != FOLDER:
            context.abort(grpc.StatusCode.NOT_FOUND, "Folder not found")
        return folder_pb2.Folder(id=FOLDER, cloud_id=CLOUD)


class _Quotas(QuotaLimitServiceServicer):
    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def Get(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self._folder.quotas_hidden:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "Permission denied")
        if request.resource.id != CLOUD:
            context.abort(grpc.StatusCode.NOT_FOUND, "Cloud not found")
        return quota_limit_service_pb2.QuotaLimit(
            quota_id=request.quota_id,
            limit={"value": self._folder.limit(request.quota_id)},
            usage={"value": self._folder.used(request.quota_id)},
        )


class _Subnets(SubnetServiceServicer):
    def List(self, request: Any, context: Any) -> Any:  # noqa: N802
        subnets = [
            subnet_pb2.Subnet(id=f"subnet-{zone}", name=f"default-{zone}", zone_id=zone, network_id="net")
            for zone in ZONES
        ]
        return subnet_service_pb2.ListSubnetsResponse(subnets=subnets)


class _Gate(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Looks at the token of every call, and makes the ordered troubles."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        if details.method.startswith(_OPEN):
            return continuation(details)
        refusal = self._folder.refusal(dict(details.invocation_metadata))
        if refusal is None:
            return continuation(details)
        return grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort(*refusal))


def _certificate() -> tuple[bytes, bytes]:
    """A certificate for the loopback and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), secret


@contextmanager
def served() -> Iterator[Folder]:
    """An empty folder on a free port of the loopback."""
    folder = Folder()
    folder.certificate, key = _certificate()
    server = grpc.server(ThreadPoolExecutor(1), interceptors=[_Gate(folder)])  # one call after the other
    add_InstanceServiceServicer_to_server(_Compute(folder), server)
    add_OperationServiceServicer_to_server(_Operations(folder), server)
    add_ImageServiceServicer_to_server(_Images(), server)
    add_IamTokenServiceServicer_to_server(_Tokens(folder), server)
    add_ApiEndpointServiceServicer_to_server(_Endpoints(folder), server)
    add_FolderServiceServicer_to_server(_Folders(), server)
    add_QuotaLimitServiceServicer_to_server(_Quotas(folder), server)
    add_SubnetServiceServicer_to_server(_Subnets(), server)
    credentials = grpc.ssl_server_credentials([(key, folder.certificate)])
    folder.port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield folder
    finally:
        server.stop(None).wait()
