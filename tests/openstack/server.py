"""A real OpenStack on loopback: keystone, placement, glance, neutron and nova from PyPI, with nova's fake machines."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openstack

from e2e_ansible.deadline import Deadline

HERE = Path(__file__).parent
PASSWORD = "of-the-test"
HOSTS = {"small": "SmallFakeDriver", "large": "FakeDriver"}  # the small one has two processors
SERVICES = {
    "keystone": ("identity", ""),
    "placement": ("placement", ""),
    "glance": ("image", ""),
    "neutron": ("network", ""),
    "nova": ("compute", "/v2.1"),
}
_START_SECONDS = 120.0

_SHARED = """
[DEFAULT]
transport_url = fake://
log_file = {folder}/{service}.log
state_path = {folder}/{service}
{default}
[keystone_authtoken]
{auth}
www_authenticate_uri = {keystone}
[oslo_messaging_notifications]
driver = noop
[oslo_concurrency]
lock_path = {folder}/locks
[oslo_policy]
enforce_scope = false
enforce_new_defaults = false
"""
_AUTH = """\
auth_type = password
auth_url = {keystone}/v3
username = admin
password = {password}
project_name = admin
user_domain_name = Default
project_domain_name = Default
"""
_FILES = {
    "keystone.conf": """
[database]
connection = sqlite:///{folder}/keystone.sqlite
[identity]
password_hash_rounds = 4
[fernet_tokens]
key_repository = {folder}/fernet
[fernet_receipts]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
""",
    "placement.conf": """
[placement_database]
connection = sqlite:///{folder}/placement.sqlite
sync_on_startup = true
""",
    "glance-api.conf": """
[database]
connection = sqlite:///{folder}/glance.sqlite
[paste_deploy]
flavor = keystone
config_file = {etc}/glance/glance-api-paste.ini
[glance_store]
default_backend = here
[here]
filesystem_store_datadir = {folder}/images
[os_glance_staging_store]
filesystem_store_datadir = {folder}/images
[os_glance_tasks_store]
filesystem_store_datadir = {folder}/images
""",
    "neutron.conf": """
[database]
connection = sqlite:///{folder}/neutron.sqlite
[ml2]
type_drivers = flat,local
tenant_network_types = local
mechanism_drivers = openvswitch
extension_drivers = port_security
[nova]
{auth}
""",
    "nova.conf": """
[database]
connection = sqlite:///{folder}/nova.sqlite
[api_database]
connection = sqlite:///{folder}/nova_api.sqlite
[placement]
{auth}
endpoint_override = {placement}
[glance]
api_servers = {glance}
[neutron]
{auth}
endpoint_override = {neutron}
[key_manager]
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
fixed_key = 0000000000000000000000000000000000000000000000000000000000000000
[workarounds]
disable_compute_service_check_for_ffu = true
[filter_scheduler]
track_instance_changes = false
[conductor]
workers = 1
[scheduler]
workers = 1
""",
}
_DEFAULTS = {
    "glance": "enabled_backends = here:file",
    "neutron": """\
core_plugin = ml2
service_plugins =
auth_strategy = keystone
api_paste_config = {etc}/neutron/api-paste.ini
agent_down_time = 86400
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
rpc_workers = 0
rpc_state_report_workers = 0
""",
    "nova": """\
initial_cpu_allocation_ratio = 1
vif_plugging_is_fatal = false
vif_plugging_timeout = 0
host = controller
my_ip = 127.0.0.1
""",
}


class OpenStack:
    """A running cloud. `ports` are by service."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(SERVICES, _free_ports(len(SERVICES)), strict=True))
        self._python = python
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def auth_url(self) -> str:
        """Where keystone is asked."""
        return f"{self.url('keystone')}/v3"

    def url(self, service: str) -> str:
        """Of a service."""
        return f"http://127.0.0.1:{self.ports[service]}"

    def start(self) -> None:
        """Start all services and wait until each answers."""
        self._configure()
        self._run("keystone", "serve_keystone.py", str(self.ports["keystone"]), PASSWORD)
        self._run("placement", "serve_wsgi.py", "placement.wsgi.api", str(self.ports["placement"]))
        self._run("glance", "serve_glance.py", str(self.ports["glance"]))
        self._run("neutron", "serve_neutron.py", str(self.ports["neutron"]), *HOSTS)
        self._await("keystone", "placement", "glance", "neutron")
        hosts = [f"{host}={driver}" for host, driver in HOSTS.items()]
        self._run("nova", "serve_nova.py", str(self.ports["nova"]), *hosts)
        self._await("nova")

    def stop(self) -> None:
        """End all services."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

    def said(self, service: str) -> str:
        """What a service wrote to its terminal and its log."""
        files = [self.folder / f"{service}.out", self.folder / f"{service}.log"]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def connect(self, **auth: str) -> Any:
        """A connection of the SDK; without arguments that of the administrator."""
        given = {"username": "admin", "password": PASSWORD, "project_name": "admin", **auth}
        domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
        return openstack.connection.Connection(
            auth={"auth_url": self.auth_url, **given, **domains}, region_name="RegionOne"
        )

    def _configure(self) -> None:
        etc = self._python.parent.parent / "etc"
        common = {
            "folder": self.folder,
            "etc": etc,
            **{service: self.url(service) for service in SERVICES},
        }
        common["auth"] = _AUTH.format(**common, password=PASSWORD)
        for name, text in _FILES.items():
            service = name.partition(".")[0].partition("-")[0]
            default = _DEFAULTS.get(service, "").format(**common)
            shared = _SHARED.format(**common, service=service, default=default)
            (self.folder / name).write_text(shared + text.format(**common))
            (self.folder / service).mkdir()
        (self.folder / "images").mkdir()
        shutil.copy(etc / "nova" / "api-paste.ini", self.folder)

    def _run(self, service: str, *command: str) -> None:
        folders = {f"OS_{each.upper()}_CONFIG_DIR": str(self.folder) for each in SERVICES}
        environment = {
            **os.environ,
            **folders,
            "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
            "PYTHONPATH": "",
            "OS_NOVA_DISABLE_EVENTLET_PATCHING": "yes",
        }
        with (self.folder / f"{service}.out").open("wb") as out:
            self._processes[service] = subprocess.Popen(
                [self._python, HERE / command[0], *command[1:]],
                env=environment,
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def _await(self, *services: str) -> None:
        deadline = Deadline(_START_SECONDS)
        for service in services:
            if not deadline.wait_for(lambda s=service: self._answers(s)):  # type: ignore[misc]
                raise RuntimeError(f"{service} does not answer:\n{self.said(service)[-3000:]}")

    def _answers(self, service: str) -> bool:
        if self._processes[service].poll() is not None:
            raise RuntimeError(f"{service} has ended:\n{self.said(service)[-3000:]}")
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.ports[service])) == 0


def _free_ports(number: int) -> list[int]:
    listeners = [socket.socket() for _ in range(number)]
    for listener in listeners:
        listener.bind(("127.0.0.1", 0))
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@contextmanager
def running(folder: Path, python: Path) -> Iterator[OpenStack]:
    """A cloud for as long as this lasts."""
    cloud = OpenStack(folder, python)
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()
