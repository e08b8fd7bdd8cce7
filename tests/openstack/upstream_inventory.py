"""The inventory plugin of the collection openstack.cloud over a real nova; `make test-upstream` runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.upstream_cases import STOPPED, furnished, holds, listed, machines, state
from tests.openstack import real_openstack


def test_openstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot name a host by its metadata: `e2e_node` says which node it is, and a group has that name."""
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(Path(os.environ["E2E_UPSTREAM"]).absolute()))
    adapter = real_openstack.TestOpenStack.adapter
    with adapter.serve() as project:
        world = furnished(adapter, project, tmp_path, monkeypatch)
        source = "inventories/upstream/openstack.yml"
        content = listed(world, source)
        holds(content, world, on="power_active", off="power_shutoff", hosts=machines(world))
        assert content[STOPPED]["hosts"] == [machines(world)[STOPPED]]
        assert f"{machines(world)[STOPPED]} is off" in state(world, source, STOPPED)
