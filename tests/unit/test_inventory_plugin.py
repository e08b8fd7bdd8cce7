"""The inventory plugin over a provider that lives in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, inventory_loader

from e2e_ansible.errors import UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Node

ROOT = Path(__file__).parents[2]
NODES = (
    Node(
        name="n11",
        labels=("database", "site_a"),
        power=PowerState.ON,
        variables={"ansible_host": "10.0.0.11", "note": "{{ 1 + 1 }}", "ports": ["5432"]},
    ),
    Node(name="n12", labels=("database",), power=PowerState.OFF),
)

Parse = Callable[[str], InventoryData]


class FakeProvider:
    """Only what the inventory asks for."""

    name = "fake"

    def __init__(self, deployments: Sequence[str]) -> None:
        self._deployments = deployments

    def deployments(self) -> Sequence[str]:
        return self._deployments

    def nodes(self, deployment: str) -> Sequence[Node]:
        assert deployment in self._deployments
        return NODES


@pytest.fixture(scope="session", autouse=True)
def _plugins() -> None:
    init_plugin_loader()


@pytest.fixture
def known() -> list[str]:
    """Ids of the deployments of the provider `fake`."""
    return ["demo"]


@pytest.fixture
def parse(tmp_path: Path, known: list[str], monkeypatch: pytest.MonkeyPatch) -> Parse:
    monkeypatch.delenv("E2E_DEPLOYMENT", raising=False)
    monkeypatch.delenv("E2E_PROVIDER", raising=False)
    inventory_loader.add_directory(str(ROOT / "plugins/inventory"))

    def get_provider(name: str) -> FakeProvider:
        if name != "fake":
            raise UsageError(f"there is no provider named {name!r}", hint="did you mean fake?")
        return FakeProvider(known)

    def parsed(text: str) -> InventoryData:
        path = tmp_path / "x.e2e.yml"
        path.write_text(f"plugin: e2e\n{text}")
        plugin: Any = inventory_loader.get("e2e")
        assert plugin.verify_file(str(path))
        monkeypatch.setitem(plugin.parse.__globals__, "get_provider", get_provider)
        data = InventoryData()
        plugin.parse(data, DataLoader(), str(path))
        return data

    return parsed


def _members(data: InventoryData, group: str) -> set[str]:
    return {host.name for host in data.groups[group].get_hosts()}


def test_the_only_deployment_is_taken_and_stopped_nodes_stay(parse: Parse) -> None:
    data = parse("provider: fake\n")
    assert _members(data, "e2e_nodes") == {"n11", "n12"}
    assert _members(data, "database") == {"n11", "n12"}
    assert _members(data, "site_a") == {"n11"}
    assert _members(data, "power_on") == {"n11"}
    assert _members(data, "power_off") == {"n12"}
    assert data.hosts["n12"].vars["e2e_power"] == "off"
    assert data.hosts["n12"].vars["e2e_deployment"] == "demo"
    assert data.hosts["n11"].vars["ansible_host"] == "10.0.0.11"


def test_only_text_without_template_marks_is_trusted(parse: Parse) -> None:
    template = pytest.importorskip("ansible.template")
    variables = parse("provider: fake\n").hosts["n11"].vars
    assert template.is_trusted_as_template(variables["ansible_host"])
    assert template.is_trusted_as_template(variables["ports"][0])
    assert not template.is_trusted_as_template(variables["note"])


@pytest.mark.parametrize("known", [[]])
def test_no_deployment_is_an_empty_inventory(parse: Parse) -> None:
    assert not parse("provider: fake\n").hosts


def test_planned_nodes_are_absent_until_they_are_made(parse: Parse) -> None:
    data = parse("provider: fake\nnodes: [{name: n11}, {name: n13, labels: [client]}]\n")
    assert _members(data, "power_absent") == {"n13"}
    assert _members(data, "client") == {"n13"}
    assert _members(data, "power_on") == {"n11"}


@pytest.mark.parametrize("known", [["one", "two"]])
def test_several_deployments_must_be_chosen(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleParserError, match="one, two"):
        parse("provider: fake\n")
    monkeypatch.setenv("E2E_DEPLOYMENT", "two")
    assert parse("provider: fake\n").hosts["n11"].vars["e2e_deployment"] == "two"


def test_composed_variables_and_groups(parse: Parse) -> None:
    data = parse(
        "provider: fake\ncompose: {first: 'e2e_labels[0]'}\ngroups: {down: \"e2e_power == 'off'\"}\n"
        "keyed_groups: [{key: e2e_power, prefix: is}]\n"
    )
    assert data.hosts["n11"].vars["first"] == "database"
    assert _members(data, "down") == {"n12"}
    assert _members(data, "is_on") == {"n11"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("provider: fake\ndeploymnet: demo\n", "did you mean 'deployment'"),
        ("provider: fake\ndeployment: dmeo\n", "did you mean 'demo'"),
        ("provider: fak\n", "did you mean fake"),
        ("provider: fake\nnodes: [{labels: [x]}]\n", "name"),
    ],
)
def test_mistakes_are_parser_errors_with_the_nearest_name(parse: Parse, text: str, said: str) -> None:
    with pytest.raises(AnsibleParserError, match=said):
        parse(text)


def test_other_files_are_left_to_other_plugins(parse: Parse, tmp_path: Path) -> None:
    other = tmp_path / "hosts.yml"
    other.write_text("all: {}\n")
    assert not inventory_loader.get("e2e").verify_file(str(other))
