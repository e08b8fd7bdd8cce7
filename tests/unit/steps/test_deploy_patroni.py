"""`deploy` with Patroni: who gets etcd, who gets a database, and what every look asks for."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ansible.steps.base import CompileContext, CompiledStep
from e2e_ansible.steps.cluster import StopCluster
from e2e_ansible.steps.deploy import Deploy, DeployOptions
from e2e_ansible.steps.validate import Validate, ValidateOptions
from e2e_ansible.suite import model
from e2e_ansible.suite.model import StepOptions


def context(**parameters: Any) -> CompileContext:
    entry = model.TestEntry.model_validate({"parameters": parameters})
    return CompileContext("local", entry.nodes, entry.labels, entry.parameters, entry.nodes[0])


def deployed(**parameters: Any) -> dict[str, dict[str, Any]]:
    """The play of each role: its hosts as a list, and the variables of the role."""
    made: CompiledStep = Deploy().compile(DeployOptions(step="deploy"), context(**parameters))
    found: dict[str, dict[str, Any]] = {}
    for play in made.plays:
        for role in play.get("roles", ()):
            hosts = play["hosts"] if isinstance(play["hosts"], list) else [play["hosts"]]
            found[role["role"]] = {"hosts": hosts, **role.get("vars", {})}
    return found


@pytest.mark.parametrize(
    ("size", "members"),
    [
        (1, ["n11"]),
        (2, ["n11"]),
        (3, ["n11", "n12", "n13"]),
        (5, ["n11", "n12", "n13"]),
    ],
)
def test_etcd_has_one_or_three_members(size: int, members: list[str]) -> None:
    roles = deployed(database="patroni", cluster_size=size, clients=1)
    assert roles["etcd"]["hosts"] == roles["etcd"]["etcd_members"] == members
    assert roles["patroni"]["patroni_etcd_members"] == members
    assert roles["patroni"]["hosts"] == [f"n{11 + index}" for index in range(size)]
    assert roles["admin_ui"]["hosts"] == roles["patroni"]["hosts"]
    assert "postgresql" not in roles


def test_without_patroni_neither_is_installed() -> None:
    roles = deployed(database="replication", clients=2)
    assert roles["postgresql"]["hosts"] == ["n11", "n12", "n13"]
    assert not {"etcd", "patroni"} & roles.keys()


@pytest.mark.parametrize(
    ("synchronous", "said"), [(None, None), (False, None), (True, "on"), ("strict", "strict")]
)
def test_synchronous(synchronous: object, said: str | None) -> None:
    assert deployed(database="patroni", synchronous=synchronous)["patroni"].get("patroni_synchronous") == said


@pytest.mark.parametrize("database", ["patroni", "replication", "standalone"])
def test_a_look_asks_patroni_where_it_is(database: str) -> None:
    options = ValidateOptions(step="validate", checks=("cluster_status",))
    made = Validate().compile(options, context(database=database, clients=1))
    (task,) = made.plays[0]["tasks"]
    assert task["observe"].get("patroni", False) is (database == "patroni")
    assert "c11" in made.plays[0]["hosts"]


def test_what_drives_load_is_not_stopped_with_the_cluster() -> None:
    made = StopCluster().compile(StepOptions(step="stop_cluster"), context(database="patroni", clients=2))
    assert made.hosts == ("n11", "n12", "n13")
