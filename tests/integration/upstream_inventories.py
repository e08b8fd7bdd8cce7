"""Plugins of collections that are newer than those of the environment of the tests, or need more than it has.

The file has a name that only `make test-upstream` asks for: E2E_UPSTREAM is the folder where that has put them, and its
folder `azure` an environment with the SDKs that the collection of Azure wants.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import test_azure as azure
import test_hetzner as hetzner
import test_libvirt_daemon as machines
from azure_login import NAMES, TENANT, login
from libvirt_daemon import libvirt_daemon, virsh
from upstream_cases import STOPPED, furnished, holds, listed, state, written
from upstream_network import leading

from e2e_ansible.providers.libvirt.driver import LibvirtProvider
from tests.clouds.azure import SUBSCRIPTION, FakeAzure
from tests.clouds.azure import served as subscription
from tests.clouds.cases import REPOSITORY, Adapter, World
from tests.clouds.server import Answer, Call

UPSTREAM = "E2E_UPSTREAM"
MANAGEMENT = "management.azure.com"
WHO = {
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "AZURE_CLIENT_ID": "a-client",
    "AZURE_SECRET": "a-secret",
    "AZURE_TENANT": TENANT,
}


@pytest.fixture(autouse=True)
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collections of that folder come before those of the environment."""
    folder = Path(os.environ.get(UPSTREAM, "")).absolute()
    if not (folder / "ansible_collections").is_dir():
        pytest.fail(f"{UPSTREAM} does not name a folder with collections; use: make test-upstream")
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder / "python"))  # libvirt-python


def test_hcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = hetzner.TestHetzner.adapter
    with adapter.serve() as fake:
        world = furnished(adapter, fake, tmp_path, monkeypatch)
        source = "inventories/upstream/hcloud.yml"
        holds(listed(world, source), world, on="power_running", off="power_off")
        assert f"{STOPPED} is off" in state(world, source, STOPPED)


def test_azure_rm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It wants SDKs older than ours, so it lists the nodes in an environment of its own, and a file is handed over."""
    adapter = azure.TestAzure.adapter
    with subscription() as fake, login("a-secret", adapter.secret) as port:
        world = furnished(adapter, fake, tmp_path, monkeypatch)
        source = written("azure_rm.yml", tmp_path, batch_fetch=False)  # the fake is asked one thing at a time
        routes = {MANAGEMENT: urlsplit(fake.url).port or 0, **dict.fromkeys(NAMES, port)}
        nodes = tmp_path / "azure.yml"
        with as_azure(fake), leading(routes, tmp_path / "credentials") as network:
            list_alone(source, nodes, {**network, **WHO})
        holds(listed(world, str(nodes)), world, on="power_running", off="power_stopped")
        assert f"{STOPPED} is off" in state(world, str(nodes), STOPPED)


@contextmanager
def as_azure(fake: FakeAzure) -> Iterator[None]:
    """It names itself as Azure does, for somebody who asks it by that name."""
    answer: Callable[[Call], Answer] = fake.answer

    def named(call: Call) -> Answer:
        told = answer(call)
        text = json.dumps(told.body).replace(fake.url, f"https://{MANAGEMENT}")
        return replace(told, body=json.loads(text))

    fake.answer = named
    try:
        yield
    finally:
        fake.answer = answer


def list_alone(source: str, into: Path, variables: Mapping[str, str]) -> None:
    """Let the other environment write what the plugin says into a file."""
    program = Path(os.environ[UPSTREAM]).absolute() / "azure/bin/ansible-inventory"
    ours = ("AZURE_ACCESS_TOKEN", "E2E_AZURE_ENDPOINT", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    command = [program, "-i", source, "--list", "--yaml", "--output", into]
    done = subprocess.run(
        command, cwd=REPOSITORY, env={**environment, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to parse" not in done.stderr, done.stderr


def test_libvirt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real daemon, with a guest that is no more than a loop. It names hosts as their domains."""
    monkeypatch.setenv("E2E_LIBVIRT_ACCEL", "tcg")
    image = tmp_path / "deaf.img"
    image.write_bytes(machines.DEAF.ljust(1024**2, b"\0"))
    source = "inventories/upstream/libvirt.yml"
    with libvirt_daemon():
        provider = LibvirtProvider(tmp_path / "home", machines.PACE)
        world = World(_LIBVIRT, None, tmp_path / "home", {}, provider)
        provider.prepare(machines._spec("upstream", image))
        try:
            machines._order(tmp_path / "home", "upstream")
            for word, power in (("running", "on"), ("shutoff", "off")):
                content = listed(world, source)
                domain = machines._machine(provider, "upstream")
                assert domain in content["n11"]["hosts"]
                for group in ("database", "site_a", f"power_{word}"):
                    assert domain in content[group]["hosts"]
                shown = content["_meta"]["hostvars"][domain]
                assert (shown["e2e_provider"], shown["e2e_deployment"]) == ("libvirt", "upstream")
                assert (shown["ansible_connection"], shown["ansible_user"]) == ("ssh", "root")
                assert f"{domain} is {power}" in state(world, source, "n11")
                if power == "on":
                    virsh("destroy", domain)
        finally:
            provider.destroy("upstream")


_LIBVIRT = Adapter(
    provider="libvirt",
    make=LibvirtProvider,
    serve=libvirt_daemon,
    environment=lambda *_: {},
    secret="there is none",
    parameters={},
    zones=("", ""),
    words={},
    quota_is_told=True,
    credential="",
)
