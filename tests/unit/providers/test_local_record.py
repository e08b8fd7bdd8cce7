"""Names, subnets and files of a local deployment are fixed before anything exists."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.local.network import POOL, choose_subnet, ruleset
from e2e_ansible.providers.local.record import DeploymentRecord, Store, new_record
from e2e_ansible.providers.names import checked_id

SUBNET = IPv4Network("10.203.7.0/24")


def spec(*names: str, deployment: str = "one") -> DeploymentSpec:
    return DeploymentSpec(id=deployment, nodes=tuple(NodeSpec(name=name) for name in names or ("n11", "n12")))


def record(*names: str, home: str = "/home-a") -> DeploymentRecord:
    return new_record(spec(*names), Path(home), SUBNET)


@pytest.mark.parametrize("bad", ["", "-a", "A", "a/b", "..", "a b", "a" * 64, "a\n"])
def test_ids_that_could_leave_the_folder_are_refused(bad: str) -> None:
    with pytest.raises(UsageError):
        checked_id(bad)


def test_every_host_name_fits_into_an_interface_name() -> None:
    for names in [("n11", "n12"), ("a-very-long-database-name", "n12")]:
        made = record(*names)
        machines = [node.machine for node in made.nodes]
        assert len(set(machines)) == 2
        assert all(len(name) <= 15 for name in [made.bridge, *(node.interface for node in made.nodes)])


def test_a_number_never_collides_with_a_name() -> None:
    machines = [node.machine for node in record("1", "a-very-long-database-name").nodes]
    assert len(set(machines)) == 2


def test_two_homes_share_no_name() -> None:
    one, other = record(home="/home-a"), record(home="/home-b")
    assert one.bridge != other.bridge
    assert not {node.interface for node in one.nodes} & {node.interface for node in other.nodes}


@pytest.mark.parametrize(
    "names", [("n11", "n11"), ("-n",), ("N11",), ("a/b",), tuple(f"n{i}" for i in range(201))]
)
def test_unusable_node_names_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        record(*names)


def test_nodes_get_addresses_of_their_subnet_and_ids_of_their_own() -> None:
    made = record("n11", "n12", "n13")
    assert [node.address for node in made.nodes] == ["10.203.7.11", "10.203.7.12", "10.203.7.13"]
    assert made.gateway == "10.203.7.1"
    assert len({node.machine_id for node in made.nodes}) == 3


def test_a_record_survives_and_is_listed(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    with store.lock():
        made = store.add(record())
    assert store.ids() == ["one"]
    assert store.load("one").record == made.record
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    assert made.folder.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_maker_left_is_no_deployment(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    store.open()
    (store.folder / ".new-one").mkdir()
    assert store.ids() == []
    with store.lock():
        store.add(record())
    assert [entry.name for entry in store.folder.iterdir()] == ["one"]


def test_forgetting_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    with store.lock():
        made = store.add(record())
    store.forget(made)
    assert list(store.folder.iterdir()) == []
    assert store.find("one") is None
    with pytest.raises(ProviderError, match="not known"):
        store.load("one")


def test_the_mode_of_a_home_that_exists_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store(tmp_path).open()
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_chosen_subnet_overlaps_nothing() -> None:
    taken = {subnet for subnet in POOL.subnets(new_prefix=24) if subnet != SUBNET}
    assert choose_subnet("any", taken) == SUBNET
    with pytest.raises(ProviderError, match="no free subnet"):
        choose_subnet("any", [POOL])


def test_different_deployments_begin_to_look_at_different_places() -> None:
    assert len({choose_subnet(f"deployment-{number}", []) for number in range(20)}) > 10


def test_the_ruleset_names_only_its_own_table_and_bridge() -> None:
    text = ruleset(record())
    assert text.startswith(f"table ip {record().table} {{")
    assert "flush" not in text
