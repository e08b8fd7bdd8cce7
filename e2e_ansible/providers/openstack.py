"""The provider `openstack`: servers of nova, by the SDK `openstacksdk`."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e_ansible.errors import E2EError, UnsupportedOperation
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.creation import Pace
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.machine import (
    Cloud,
    Machine,
    Order,
    Pending,
    Place,
    Resource,
)
from e2e_ansible.providers.cloud.refusal import refuse
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["OpenStackCloud", "OpenStackProvider"]

_CREDENTIAL_HINT = (
    "set OS_CLOUD to a cloud of clouds.yaml; or OS_AUTH_URL with OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME,"
    " or with an application credential. The user needs the role member in the project"
)
_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask the cloud for a higher quota"
_HINTS = {Trouble.FORBIDDEN: _CREDENTIAL_HINT, Trouble.QUOTA: _QUOTA_HINT}
_CANNOT = {
    "region": "set OS_REGION_NAME, or region_name in clouds.yaml",
    "data_volumes_per_node": "servers have the disks of their flavor",
    "root_volume_size": "the disk comes with the flavor; choose an instance_type",
    "subnet": "name only the network",
    "public_address": "addresses are those of the network; choose one that is reached from here",
}
_CALL_SECONDS = 60.0
_POWER = {"ACTIVE": PowerState.ON, "SHUTOFF": PowerState.OFF}
_RUNNING = 1  # nova's power_state of a guest that runs
_GONE = {"DELETED", "SOFT_DELETED"}
_FULL = ("No valid host", "Exhausted all hosts")
_STATUSES = {
    401: Trouble.FORBIDDEN,
    403: Trouble.FORBIDDEN,
    404: Trouble.MISSING,
    408: Trouble.TRANSIENT,
    409: Trouble.CONFLICT,
    429: Trouble.TRANSIENT,
}


class OpenStackCloud(Cloud):
    """Tags are metadata of the servers. One that could not be built stays listed, and says why."""

    name = "openstack"
    user = "e2e"
    image = ""
    size = ""

    def __init__(self) -> None:
        self._made: Any = None
        self._found: dict[tuple[str, str], Any] = {}

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the credentials are tried."""
        installed = sdk.finding("openstack", "openstack")
        return (installed, self._credentials()) if installed.ok else (installed,)

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`. Nova lets only administrators search by metadata, so all of the project are read."""
        with self._told():
            machines = [_machine(server) for server in self._compute.servers() if server.status not in _GONE]
        return [each for each in machines if each.deployment and deployment in ("", each.deployment)]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """None: ports that nova made go with their server, and nothing else is made."""
        return ()

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The least of what the project's limits leave of servers, processors and memory.

        Raises:
            CloudError: as for every call; or the cloud has no such flavor or network, so nothing can be made.
        """
        flavor = self._flavor(place.size)
        self._network(settings)
        with self._told():
            limits = self._compute.get_limits().absolute
        left = [
            _share(limits.instances, limits.instances_used, 1),
            _share(limits.total_cores, limits.total_cores_used, flavor.vcpus),
            _share(limits.total_ram, limits.total_ram_used, flavor.ram),
        ]
        told = [count for count in left if count is not None]
        return min(told) if told else None

    def create(self, order: Order) -> None:
        """See `Cloud.create`. Nova takes one name several times: that a call is not repeated is up to the caller."""
        groups = order.settings.get("security_groups") or ()
        wanted: dict[str, Any] = {
            "name": order.machine,
            "flavor_id": self._flavor(order.place.size).id,
            "image_id": self._one("image", "image", order.image).id,
            "networks": [{"uuid": self._network(order.settings).id}],
            "metadata": dict(order.tags),
            "user_data": base64.b64encode(order.user_data.encode()).decode(),
        }
        if order.place.zone:
            wanted["availability_zone"] = order.place.zone
        if isinstance(groups, Sequence) and groups:
            wanted["security_groups"] = [{"name": str(group)} for group in groups]
        with self._told():
            self._compute.create_server(**wanted)

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`. One whose end was asked for is left alone."""
        if machine.state == "deleting":
            return
        with self._told():
            self._compute.delete_server(machine.id, ignore_missing=True)

    def remove(self, resource: Resource) -> None:
        """Nothing to do, see `resources`."""

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`. Nova asks the guest to stop and turns it off after a time of its own."""
        with self._told():
            match operation:
                case Operation.ON:
                    self._compute.start_server(machine.id)
                case Operation.OFF:
                    self._compute.stop_server(machine.id)
                case Operation.REBOOT:
                    self._compute.reboot_server(machine.id, "SOFT")
                case Operation.RESET:
                    self._compute.reboot_server(machine.id, "HARD")
                case Operation.NMI:
                    self._compute.trigger_server_crash_dump(machine.id)
                case _:
                    raise UnsupportedOperation(
                        f"provider openstack cannot do {operation.value}",
                        hint="nova has no immediate power-off; reset (a hard reboot) and nmi do not ask the guest",
                    )
        return lambda: self._ended(machine)

    @property
    def _compute(self) -> Any:
        return self._connection.compute

    @property
    def _connection(self) -> Any:
        if self._made is None:
            with self._told():
                openstack = sdk.load("openstack", "openstack")
                self._made = openstack.connect(
                    cloud=self._cloud_name(), app_name="e2e-ansible", api_timeout=_CALL_SECONDS
                )
        return self._made

    def _cloud_name(self) -> str | None:
        """The cloud of clouds.yaml that is meant; None where the environment says all of it.

        Raises:
            CloudError: there is none, or several and none is chosen.
        """
        if os.environ.get("OS_CLOUD") or os.environ.get("OS_AUTH_URL"):
            return os.environ.get("OS_CLOUD") or None
        config = sdk.load("openstack.config", "openstack").OpenStackConfig()
        names = sorted(set(config.get_cloud_names()) - {"defaults", "envvars"})
        if len(names) == 1:
            return str(names[0])
        which = f"one of {', '.join(names)}" if names else "a cloud of clouds.yaml"
        text = "openstack: nothing says which cloud is meant"
        raise CloudError(
            text, Trouble.FORBIDDEN, hint=_CREDENTIAL_HINT.replace("a cloud of clouds.yaml", which)
        )

    def _credentials(self) -> Finding:
        try:
            self.machines()
        except E2EError as error:
            return Finding(name="openstack credentials", ok=False, detail=f"{error}; {error.hint}")
        return Finding(name="openstack credentials", ok=True, detail="the servers of the project can be read")

    def _flavor(self, size: str) -> Any:
        if not size:
            with self._told():
                known = sorted(str(each.name) for each in self._compute.flavors())
            text = "openstack: nothing says which flavor servers are to be made of"
            hint = f"parameters: {{instance_type: ...}}; the cloud has {', '.join(known) or 'none'}"
            raise CloudError(text, Trouble.OTHER, hint=hint)
        return self._one("compute", "flavor", size)

    def _network(self, settings: Mapping[str, object]) -> Any:
        """The network that is named, or the only one there is."""
        if settings.get("network"):
            return self._one("network", "network", str(settings["network"]))
        with self._told():
            networks = list(self._connection.network.networks())
        if len(networks) != 1:
            names = ", ".join(sorted(str(each.name) for each in networks))
            text = "openstack: nothing says on which network servers are to be"
            hint = f"parameters: {{network: ...}}; the project has {names or 'none'}"
            raise CloudError(text, Trouble.OTHER, hint=hint)
        return networks[0]

    def _one(self, service: str, kind: str, name: str) -> Any:
        """A flavor, image or network by name or id. What was found once is not looked for again."""
        key = kind, name
        if key not in self._found:
            proxy = getattr(self._connection, service)
            missing = sdk.load("openstack.exceptions", "openstack").NotFoundException
            try:
                with self._told():
                    self._found[key] = getattr(proxy, f"find_{kind}")(name, ignore_missing=False)
            except CloudError as error:
                if not isinstance(error.__cause__, missing):
                    raise
                with self._told():
                    known = sorted(str(each.name) for each in getattr(proxy, f"{kind}s")())
                text = f"openstack: the project sees no {kind} {name!r}"
                raise CloudError(
                    text, Trouble.MISSING, hint=f"it has {', '.join(known) or 'none'}"
                ) from error
        return self._found[key]

    def _ended(self, machine: Machine) -> bool:
        """Whether nova is at nothing with it. Raises CloudError if it failed."""
        with self._told():
            server = self._compute.get_server(machine.id)
        if server.status == "ERROR":
            now = _machine(server)
            raise CloudError(f"openstack: {machine.machine}: {now.failure}", now.trouble)
        return server.task_state is None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        of_sdk = sdk.load("openstack.exceptions", "openstack")
        of_login = sdk.load("keystoneauth1.exceptions", "openstack")
        try:
            yield
        except (of_login.RetriableConnectionFailure, of_login.DiscoveryFailure) as error:
            raise CloudError(f"openstack: no answer: {error}", Trouble.TRANSIENT) from error
        except of_login.HttpError as error:
            raise _refusal(error, error.http_status) from error
        except of_sdk.HttpException as error:
            raise _refusal(error, error.status_code) from error
        except (of_login.ClientException, of_sdk.ConfigException) as error:
            raise CloudError(f"openstack: {error}", Trouble.FORBIDDEN, hint=_CREDENTIAL_HINT) from error
        except of_sdk.SDKException as error:
            raise CloudError(f"openstack: {error}", Trouble.OTHER) from error


class OpenStackProvider(CloudProvider):
    """Servers of the project that the credentials belong to."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(OpenStackCloud(), home, pace)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """See `CloudProvider.prepare`; parameters that cannot be are refused."""
        refuse(self.name, spec.parameters, _CANNOT)
        return super().prepare(spec)


def _refusal(error: Any, status: int | None) -> CloudError:
    """What an answer with this status means."""
    code = int(status or 0)
    trouble = Trouble.TRANSIENT if code >= 500 else _STATUSES.get(code, Trouble.OTHER)
    text = str(getattr(error, "details", "") or error)
    if code in (403, 413) and "quota" in text.lower():
        trouble = Trouble.QUOTA
    pause = 0.0
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        pause = float(error.response.headers["Retry-After"])
    return CloudError(
        f"openstack: {text} ({code})", trouble, pause_seconds=pause, hint=_HINTS.get(trouble, "")
    )


def _machine(server: Any) -> Machine:
    task, status = server.task_state, str(server.status)
    fixed = _address(server, "fixed")
    failure = _failure(server) if status == "ERROR" else ""
    runs_not = status == "ACTIVE" and server.power_state not in (None, 0, _RUNNING)
    return Machine(
        id=server.id,
        machine=server.name,
        power=PowerState.UNKNOWN if task or runs_not else _POWER.get(status, PowerState.UNKNOWN),
        state=task or (f"{status}: {failure}" if failure else status),
        address=_address(server, "floating") or server.access_ipv4 or fixed,
        private_address=fixed,
        place=Place(zone=server.availability_zone or "", size=_size(server.flavor)),
        tags=dict(server.metadata or {}),
        created=datetime.fromisoformat(server.created_at).timestamp() if server.created_at else 0,
        failure=failure,
        trouble=_blame(failure),
    )


def _failure(server: Any) -> str:
    return str((server.fault or {}).get("message") or "no reason is told").strip()


def _blame(failure: str) -> Trouble:
    if any(words in failure for words in _FULL):
        return Trouble.CAPACITY
    return Trouble.QUOTA if "quota" in failure.lower() else Trouble.OTHER


def _address(server: Any, kind: str) -> str:
    """The first address of that kind, version 4 before version 6."""
    every = [each for addresses in (server.addresses or {}).values() for each in addresses]
    of_kind = [each for each in every if each.get("OS-EXT-IPS:type", "fixed") == kind]
    return next((str(each["addr"]) for each in sorted(of_kind, key=lambda each: each["version"])), "")


def _size(flavor: Any) -> str:
    """New clouds tell the name of the flavor, old ones its id."""
    return str(flavor.original_name or flavor.name or flavor.id or "") if flavor else ""


def _share(limit: int | None, used: int | None, each: int) -> int | None:
    """How many of that size still fit; None when there is no limit (-1)."""
    if limit is None or limit < 0:
        return None
    return (limit - (used or 0)) // max(each, 1)
