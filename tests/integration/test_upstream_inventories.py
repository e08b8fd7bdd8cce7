"""The inventory plugins of the collections of clouds in place of ours: those that run beside our own SDKs.

`upstream_inventories.py` has those that need newer collections; `make test-upstream` runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import test_digitalocean as digitalocean
import test_gcp as gcp
import yaml
from upstream_cases import STOPPED, furnished, holds, listed, machines, state, written
from upstream_network import leading

from tests.clouds.cases import REPOSITORY
from tests.clouds.gcp import PROJECT, FakeGcp, served
from tests.clouds.server import Answer, Call


@contextmanager
def linked() -> Iterator[FakeGcp]:
    """A project whose instances have links to themselves, as Google's have; only this plugin reads them."""
    with served() as fake:
        answer: Callable[[Call], Answer] = fake.answer

        def with_links(call: Call) -> Answer:
            told = answer(call)
            for zone in (told.body or {}).get("items", {}).values():
                for each in zone.get("instances", ()):
                    each["selfLink"] = f"{each['zone']}/instances/{each['name']}"
            return told

        fake.answer = with_links
        yield fake


def test_gcp_compute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = gcp.TestGcp.adapter
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("GCP_AUTH_KIND", "accesstoken")
    monkeypatch.setenv("GCP_ACCESS_TOKEN", adapter.secret)
    with linked() as fake, leading({"www.googleapis.com": urlsplit(fake.url).port or 0}, tmp_path) as network:
        world = furnished(adapter, fake, tmp_path, monkeypatch)
        for name, value in network.items():
            monkeypatch.setenv(name, value)
        source = written("gcp_compute.yml", tmp_path, projects=[PROJECT])
        holds(listed(world, source), world, on="power_running", off="power_terminated")
        assert f"{STOPPED} is off" in state(world, source, STOPPED)


def test_digitalocean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot name a host by a tag: `e2e_node` says which node it is, and a group has that name."""
    adapter = digitalocean.TestDigitalOcean.adapter
    with adapter.serve() as fake:
        world = furnished(adapter, fake, tmp_path, monkeypatch)
        source = written("digitalocean.yml", tmp_path, baseurl=f"{fake.url}/v2")
        content = listed(world, source)
        holds(content, world, on="power_active", off="power_off", hosts=machines(world))
        assert content[STOPPED]["hosts"] == [machines(world)[STOPPED]]
        droplet = machines(world)[STOPPED]
        assert f"{droplet} is off" in state(world, source, STOPPED)
        said = state(world, source, STOPPED, "-e", f"e2e_node={STOPPED}")
        assert "refused: " in said, "a name that all hosts have is nobody's"
        assert "are all said to be the node" in said


@pytest.mark.parametrize(
    "file", sorted((REPOSITORY / "inventories/upstream").glob("*.yml")), ids=lambda each: each.name
)
def test_what_is_shipped_stands_in_the_page(file: Path) -> None:
    plugin = yaml.safe_load(file.read_text())["plugin"]
    row = next(
        line
        for line in (REPOSITORY / "docs/operators.md").read_text().splitlines()
        if f"`{file.name}`" in line
    )
    assert f"`{plugin}`" in row
