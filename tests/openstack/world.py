"""What stands in the cloud of the tests before a test begins, and the project of one test."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from e2e_ansible.deadline import Deadline
from tests.integration.failing_proxy import Answer, FailingProxy, Forward, Request, answer, drop_answer
from tests.openstack.server import HOSTS, SERVICES, OpenStack

IMAGE = "debian-12"
NETWORK = "shared"
SMALL = "small"  # one processor
ROOMY = "roomy"  # two processors: all that the host of the first zone has
ZONES = ("tight", "wide")  # of the two hosts, in this order
CLOUD: list[OpenStack] = []
"""The cloud of this run of the tests, while it is there."""

SECRET = "sesame-7d1f"
_END_SECONDS = 30.0


def furnish(cloud: OpenStack) -> None:
    """Make what all projects share, once, as the administrator."""
    admin = cloud.connect()
    for service, (kind, path) in SERVICES.items():
        if service != "keystone":
            made = admin.identity.create_service(name=service, type=kind)
            admin.identity.create_endpoint(
                service_id=made.id, interface="public", region_id="RegionOne", url=cloud.url(service) + path
            )
    admin = cloud.connect()  # one that has read the new catalog
    admin.compute.create_flavor(name=SMALL, ram=512, vcpus=1, disk=1)
    admin.compute.create_flavor(name=ROOMY, ram=512, vcpus=2, disk=1)
    admin.image.create_image(
        name=IMAGE, data=b"nothing", disk_format="raw", container_format="bare", visibility="public"
    )
    network = admin.network.create_network(name=NETWORK, is_shared=True)
    admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.66.0.0/16", enable_dhcp=False)
    for zone, host in zip(ZONES, HOSTS, strict=True):
        aggregate = admin.compute.create_aggregate(name=zone, availability_zone=zone)
        admin.compute.add_host_to_aggregate(aggregate, host)


class Project:
    """A project with a user of its own. What it asks nova for goes through a proxy, which makes troubles."""

    def __init__(self, cloud: OpenStack, proxy: FailingProxy) -> None:
        self.cloud = cloud
        self.proxy = proxy
        self.name = f"e2e-{secrets.token_hex(4)}"
        self._admin = cloud.connect()
        identity = self._admin.identity
        self._project = identity.create_project(name=self.name, domain_id="default")
        self._user = identity.create_user(name=self.name, password=SECRET, domain_id="default")
        self._role = identity.find_role("member")
        identity.assign_project_role_to_user(self._project, self._user, self._role)

    def environment(self, folder: Path) -> Mapping[str, str]:
        """A clouds.yaml with this project as the only cloud, as AWX writes it."""
        cloud = {
            "auth": {
                "auth_url": self.cloud.auth_url,
                "username": self.name,
                "password": SECRET,
                "project_name": self.name,
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "region_name": "RegionOne",
            "compute_endpoint_override": f"{self.proxy.url}/v2.1",
        }
        file = folder / "clouds.yaml"
        file.write_text(json.dumps({"clouds": {"devstack": cloud}}))  # JSON is YAML
        file.chmod(0o600)
        return {"OS_CLIENT_CONFIG_FILE": str(file)}

    def machines(self) -> list[str]:
        """See `cases.Fake`."""
        return [server.name for server in self._servers()]

    def made(self) -> list[str]:
        """See `cases.Fake`; nova keeps the rows of what is gone."""
        return [server.name for server in (*self._servers(deleted=True), *self._servers())]

    def zones(self) -> list[str]:
        """See `cases.Fake`."""
        return [server.availability_zone for server in self._servers()]

    def left(self) -> list[str]:
        """Ports of servers."""
        return [port.id for port in self._admin.network.ports(project_id=self._project.id)]

    def acts(self) -> list[str]:
        """See `cases.Fake`; a reboot with its kind."""
        bodies = [json.loads(request.body) for request in self.proxy.requests("/action\n")]
        return [f"{name} {body[name]['type']}" if body[name] else name for body in bodies for name in body]

    def fail(self, status: int, times: int) -> None:
        """See `cases.Fake`."""
        self.proxy.fail("", answer(status), times=times)

    def allow(self, machines: int) -> None:
        """See `cases.Fake`: a real quota of the project."""
        self._admin.compute.update_quota_set(self._project, instances=machines)

    def lose_answer(self) -> None:
        """See `cases.Fake`."""
        self.proxy.fail(_is_creation, drop_answer)

    def never_start(self) -> None:
        """See `cases.Fake`: nova's answers say that nothing is built yet."""
        self.proxy.fail(_is_look, _unbuilt, times=math.inf)

    def never_act(self) -> None:
        """See `cases.Fake`: what is asked for does not arrive, and the caller hears it did."""
        self.proxy.fail("/action\n", answer(202), times=math.inf)

    def forbid(self) -> None:
        """See `cases.Fake`: the user loses its role, and with it all tokens."""
        self._admin.identity.unassign_project_role_from_user(self._project, self._user, self._role)

    def retag(self, machine: str, old: str, new: str) -> None:
        """See `cases.Fake`; nova takes any text as a value, and few signs in a name."""
        server = self._server(machine)
        self._admin.compute.delete_server_metadata(server, [old])
        self._admin.compute.set_server_metadata(server, **{new: "yes"})

    def rename(self, machine: str, name: str) -> None:
        """Give a server another name, as anybody of the project may."""
        self._admin.compute.update_server(self._server(machine), name=name)

    def clear(self) -> None:
        """Remove every server of the project and wait for its end, so that the hosts are free again."""
        for server in self._servers():
            self._admin.compute.delete_server(server)
        assert Deadline(_END_SECONDS).wait_for(lambda: not self._servers(), interval=0.2)

    def _server(self, name: str) -> Any:
        return next(server for server in self._servers() if server.name == name)

    def _servers(self, *, deleted: bool = False) -> list[Any]:
        """Of this project, oldest first."""
        wanted: dict[str, Any] = {"deleted": True} if deleted else {}
        found = self._admin.compute.servers(all_projects=True, project_id=self._project.id, **wanted)
        return sorted(found, key=lambda server: (server.created_at, server.name))


@contextmanager
def project(cloud: OpenStack) -> Iterator[Project]:
    """A new project in a running cloud; no server of it is left at the end."""
    with FailingProxy(upstream=cloud.url("nova")) as proxy:
        made = Project(cloud, proxy)
        try:
            yield made
        finally:
            made.clear()


def _is_creation(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/servers")


def _is_look(request: Request) -> bool:
    return request.method == "GET" and "/servers/detail" in request.path


def _unbuilt(request: Request, forward: Forward) -> Answer:
    """Let nova answer, and say that it is still at it."""
    told = forward()
    body = json.loads(told.body)
    for server in body["servers"]:
        server["status"] = "BUILD"
        server["OS-EXT-STS:task_state"] = server["OS-EXT-STS:task_state"] or "spawning"
    return replace(told, body=json.dumps(body).encode())
