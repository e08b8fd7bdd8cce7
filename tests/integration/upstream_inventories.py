"""Plugins of collections that are newer than those of the environment of the tests, or need more than it has.

The file has a name that only `make test-upstream` asks for: E2E_UPSTREAM is the folder where that has put them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import test_hetzner as hetzner
import test_libvirt_daemon as machines
from libvirt_daemon import libvirt_daemon, virsh
from upstream_cases import STOPPED, furnished, holds, listed, state

from e2e_ansible.providers.libvirt.driver import LibvirtProvider
from tests.clouds.cases import Adapter, World

UPSTREAM = "E2E_UPSTREAM"


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
