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

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.nodes.power import operate
from e2e_ansible.providers.base import Node, PowerResult

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

Parse = Callable[..., InventoryData]


class FakeProvider:
    """Only what the inventory asks for."""

    name = "fake"

    def __init__(self, deployments: Sequence[str]) -> None:
        self._deployments = deployments
        self.listed = NODES
        self.asked = 0
        self.trouble: Exception | None = None

    def deployments(self) -> Sequence[str]:
        return self._deployments

    def nodes(self, deployment: str) -> Sequence[Node]:
        assert deployment in self._deployments
        self.asked += 1
        if self.trouble:
            raise self.trouble
        return self.listed


@pytest.fixture(scope="session", autouse=True)
def _plugins() -> None:
    init_plugin_loader()


@pytest.fixture
def known() -> list[str]:
    """Ids of the deployments of the provider `fake`."""
    return ["demo"]


@pytest.fixture
def fake(known: list[str]) -> FakeProvider:
    """The provider that is asked."""
    return FakeProvider(known)


@pytest.fixture
def parse(tmp_path: Path, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Parse:
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("E2E_DEPLOYMENT", raising=False)
    monkeypatch.delenv("E2E_PROVIDER", raising=False)
    inventory_loader.add_directory(str(ROOT / "plugins/inventory"))

    def get_provider(name: str) -> FakeProvider:
        if name != "fake":
            raise UsageError(f"there is no provider named {name!r}", hint="did you mean fake?")
        return fake

    def parsed(text: str, cache: bool = True) -> InventoryData:
        path = tmp_path / "x.e2e.yml"
        path.write_text(f"plugin: e2e\n{text}")
        plugin: Any = inventory_loader.get("e2e")
        assert plugin.verify_file(str(path))
        monkeypatch.setitem(plugin.parse.__globals__, "get_provider", get_provider)
        data = InventoryData()
        plugin.parse(data, DataLoader(), str(path), cache=cache)
        plugin.update_cache_if_changed()
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


@pytest.fixture
def cached(tmp_path: Path) -> str:
    """The text of an inventory with a cache in files."""
    return f"provider: fake\ncache: true\ncache_plugin: jsonfile\ncache_connection: {tmp_path}/cache\n"


def test_without_a_cache_the_provider_is_asked_each_time(parse: Parse, fake: FakeProvider) -> None:
    for _ in range(2):
        parse("provider: fake\n")
    assert fake.asked == 2


def test_what_another_inventory_has_remembered_is_not_used_without_a_cache(
    parse: Parse, fake: FakeProvider, cached: str
) -> None:
    parse(cached)
    parse(cached.replace("cache: true", "cache: false"))
    assert fake.asked == 2


def test_a_remembered_answer_is_the_same_inventory(parse: Parse, fake: FakeProvider, cached: str) -> None:
    first = parse(cached)
    fake.trouble = ProviderError("was asked")
    second = parse(cached)
    assert fake.asked == 1
    assert first.get_groups_dict() == second.get_groups_dict()
    for name, host in first.hosts.items():
        assert host.vars == second.hosts[name].vars
    assert _members(second, "power_off") == {"n12"}


def test_refresh_inventory_asks_anew_and_remembers_that(
    parse: Parse, fake: FakeProvider, cached: str
) -> None:
    parse(cached)
    fake.listed = NODES[:1]
    assert set(parse(cached, cache=False).hosts) == {"n11"}
    assert set(parse(cached).hosts) == {"n11"}
    assert fake.asked == 2


def test_no_remembered_answer_survives_a_power_step(
    parse: Parse, fake: FakeProvider, cached: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2e_ansible.nodes.power.provider_of", lambda variables: (fake, "demo"))
    parse(cached)
    fake.power = lambda *_: PowerResult(changed=True, before="on", after="off")  # type: ignore[attr-defined]
    operate({}, "n11", "off", 1, check_mode=True)
    asked = fake.asked
    parse(cached)
    assert fake.asked == asked
    operate({}, "n11", "off", 1)
    asked = fake.asked
    parse(cached)
    assert fake.asked == asked + 1


def test_another_deployment_is_not_answered_from_memory(
    parse: Parse, fake: FakeProvider, cached: str, known: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known.append("second")
    for name in ("demo", "second", "demo"):
        monkeypatch.setenv("E2E_DEPLOYMENT", name)
        assert parse(cached).hosts["n11"].vars["e2e_deployment"] == name
    assert fake.asked == 2


@pytest.mark.parametrize("broken", ["{}", '{"at": 1}', '{"at": "x", "deployment": "demo", "nodes": [7]}'])
def test_a_broken_memory_is_not_believed(
    parse: Parse, fake: FakeProvider, cached: str, tmp_path: Path, broken: str
) -> None:
    parse(cached)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_text(broken)
    assert set(parse(cached).hosts) == {"n11", "n12"}
    assert fake.asked == 2


@pytest.mark.parametrize("trouble", [ProviderError("the token has expired", hint="log in"), OSError("reset")])
def test_trouble_of_the_provider_is_one_parser_error(
    parse: Parse, fake: FakeProvider, trouble: Exception
) -> None:
    fake.trouble = trouble
    with pytest.raises(AnsibleParserError, match=str(trouble)):
        parse("provider: fake\n")


def test_groups_of_state_site_and_zone(parse: Parse, fake: FakeProvider) -> None:
    fake.listed = tuple(
        node.model_copy(update={"variables": {"e2e_zone": "eu-central-1a", "e2e_site": "north"}})
        for node in NODES
    )
    data = parse(
        "provider: fake\nkeyed_groups:\n"
        "- {key: e2e_zone, prefix: zone}\n- {key: e2e_site, prefix: site}\n- {key: e2e_power, prefix: state}\n"
        "- {key: e2e_labels, prefix: role}\n"
    )
    assert _members(data, "zone_eu_central_1a") == _members(data, "site_north") == {"n11", "n12"}
    assert _members(data, "state_off") == {"n12"}
    assert _members(data, "role_site_a") == {"n11"}


HOSTILE = (
    "{{ lookup('pipe', 'touch OWNED') }}",
    "{% for x in range(9) %}{% endfor %}",
    "#jinja2: variable_start_string: '[['\n[[ 1 ]]",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_of_a_cloud_stays_text(parse: Parse, fake: FakeProvider, cached: str, text: str) -> None:
    template = pytest.importorskip("ansible.template")
    hostile = Node(name="n11", labels=("database", text), power=PowerState.ON, variables={"e2e_zone": text})
    fake.listed = (hostile,)
    for found in (parse(cached), parse(cached)):
        variables = found.hosts["n11"].vars
        assert (variables["e2e_zone"], variables["e2e_labels"]) == (text, ["database", text])
        assert not template.is_trusted_as_template(variables["e2e_zone"])
        assert not template.is_trusted_as_template(variables["e2e_labels"][1])
        templar = template.Templar(DataLoader(), variables=variables)
        shown = templar.template(template.trust_as_template("{{ e2e_zone }}|{{ e2e_labels[1] }}"))
        assert shown == f"{text}|{text}"


def test_hostile_keys_of_groups_are_only_names(parse: Parse, fake: FakeProvider) -> None:
    fake.listed = (Node(name="n11", labels=(), power=PowerState.ON, variables={"e2e_zone": HOSTILE[0]}),)
    data = parse("provider: fake\nkeyed_groups: [{key: e2e_zone, prefix: zone}]\n")
    (group,) = [name for name in data.groups if name.startswith("zone_")]
    assert group == "zone_" + "".join(c if c.isalnum() else "_" for c in HOSTILE[0])
