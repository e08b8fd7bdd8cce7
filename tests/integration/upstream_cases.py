"""What the inventory plugin of a collection has to give, over a fake of the cloud or a real one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.providers.base import Operation
from tests.clouds.cases import DEPLOYMENT, LABELS, NAMES, PACE, REPOSITORY, Adapter, World

STOPPED = "n12"
RUNNING = [name for name in NAMES if name != STOPPED]


def furnished(adapter: Adapter, fake: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A cloud with a deployment of three nodes, of which one is off."""
    (folder / "credentials").mkdir()
    environment = dict(adapter.environment(fake, folder / "credentials"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    world = World(adapter, fake, folder / "home", environment, adapter.make(folder / "home", PACE))
    world.create()
    world.provider.power(DEPLOYMENT, STOPPED, Operation.OFF, 60)
    return world


def written(name: str, folder: Path, **more: object) -> str:
    """A copy of what is shipped for a plugin, with options that a user would add."""
    shipped = (REPOSITORY / "inventories/upstream" / name).read_text()
    added = "".join(f"{option}: {json.dumps(value)}\n" for option, value in more.items())
    (folder / "upstream").mkdir()
    (folder / "upstream" / name).write_text(shipped + added)
    return str(folder / "upstream" / name)


def listed(world: World, source: str) -> Mapping[str, Any]:
    """What `ansible-inventory` says, without its marks of what is no template."""
    done = world.run("ansible-inventory", "-i", source, "--list")
    assert done.returncode == 0, done.stderr
    assert "Failed to parse" not in done.stderr, done.stderr
    content: Mapping[str, Any] = json.loads(done.stdout, object_hook=_plain)
    return content


def holds(
    content: Mapping[str, Any], world: World, *, on: str, off: str, hosts: Mapping[str, str] | None = None
) -> None:
    """Groups by label and state, and the variables that the roles need. `hosts` has names of hosts by nodes."""
    known = hosts or {name: name for name in NAMES}
    assert sorted(content[on]["hosts"]) == sorted(known[name] for name in RUNNING)
    assert content[off]["hosts"] == [known[STOPPED]]
    for label in LABELS:
        assert sorted(content[label]["hosts"]) == sorted(known.values())
    nodes = world.nodes()
    for name in NAMES:
        shown = content["_meta"]["hostvars"][known[name]]
        assert (shown["e2e_provider"], shown["e2e_deployment"]) == (world.adapter.provider, DEPLOYMENT)
        assert shown["ansible_user"] == nodes[name].variables["ansible_user"]
        if name in RUNNING:
            assert shown["ansible_host"] == nodes[name].variables["ansible_host"]


def machines(world: World) -> Mapping[str, str]:
    """The names of the machines, by those of their nodes."""
    return {name: str(node.variables["e2e_machine"]) for name, node in world.nodes().items()}


def state(world: World, source: str, limit: str, *more: str) -> str:
    """What the playbook of operators says about the power of one node."""
    argv: Sequence[str] = (
        *("ansible-playbook", "-i", source, "playbooks/node_power.yml"),
        *("-l", limit, "-e", "node_power_operation=state", *more),
    )
    done = world.run(*argv)
    return done.stdout + done.stderr


def _plain(each: dict[str, Any]) -> Any:
    return each["__ansible_unsafe"] if set(each) == {"__ansible_unsafe"} else each
