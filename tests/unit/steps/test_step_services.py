"""What a suite asks for beside the cluster becomes plays, and nonsense is refused with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.errors import SuiteError
from e2e_ansible.nodes.services import proxy_nodes, repository_node
from e2e_ansible.steps.base import CompileContext
from e2e_ansible.steps.services import archive_settings, service_plays
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.parameters import Parameters

NODES = ("n11", "n12", "n13")


def context(clients: tuple[str, ...] = (), **parameters: Any) -> CompileContext:
    labels = {**dict.fromkeys(NODES, ("database",)), **dict.fromkeys(clients, ("client",))}
    found = Parameters.model_validate(parameters)
    return CompileContext("local", (*NODES, *clients), labels, found, "n11")


def roles(made: CompileContext) -> list[tuple[str, Any, Any]]:
    """Role, hosts and variables of each play."""
    found = [(play["roles"][0], play["hosts"]) for play in service_plays(made)]
    return [(role["role"], hosts, role.get("vars", {})) for role, hosts in found]


def test_nothing_is_asked_for_by_default() -> None:
    assert roles(context()) == []
    assert roles(context(backup=False, proxy="none", exporter=False)) == []
    assert archive_settings(Parameters()) == {}


def test_all_services_of_a_cluster_of_patroni() -> None:
    made = context(database="patroni", backup=True, proxy="haproxy", exporter=True)
    assert roles(made) == [
        ("pgbackrest", list(NODES), {"pgbackrest_hosts": list(NODES), "pgbackrest_repository_host": "n13"}),
        ("haproxy", list(NODES), {"haproxy_servers": list(NODES)}),
        ("postgres_exporter", list(NODES), {}),
    ]
    assert (
        archive_settings(made.parameters)["archive_command"] == 'pgbackrest --stanza=main archive-push "%p"'
    )


def test_nodes_that_drive_load_have_the_proxy_and_the_repository() -> None:
    made = context(("c11", "c12"), database="patroni", backup=True, proxy="haproxy", exporter=True)
    backup, proxy, exporter = roles(made)
    assert backup[1] == [*NODES, "c11"]
    assert backup[2]["pgbackrest_repository_host"] == "c11"
    assert proxy[1] == ["c11", "c12"]
    assert exporter[1] == list(NODES)


def test_how_often_and_what_is_backed_up() -> None:
    ((_, _, variables),) = roles(context(backup={"interval_seconds": 60, "type": "incr"}))
    assert variables["pgbackrest_backup_interval_seconds"] == 60
    assert variables["pgbackrest_backup_type"] == "incr"


def test_servers_for_themselves_keep_their_own_backups() -> None:
    ((_, hosts, variables),) = roles(context(database="standalone", backup=True))
    assert (hosts, variables["pgbackrest_repository_host"]) == (list(NODES), "")


def test_places() -> None:
    assert proxy_nodes({"n11": ("database",)}) == ("n11",)
    assert repository_node({"n11": ("database",), "c11": ("client",), "c12": ("client",)}) == "c11"


SUITE = """\
test_suites:
  one:
    parameters:
      {parameters}
    workflow:
      - step: validate
        checks: [{check}]
"""


@pytest.mark.parametrize(
    ("parameters", "check", "line", "words"),
    [
        ("{proxy: haproxy}", "all_nodes_running", 4, "for database: patroni"),
        ("{database: replication, proxy: haproxy}", "all_nodes_running", 4, "for database: patroni"),
        ("{proxy: nginx}", "all_nodes_running", 4, "haproxy"),
        ("{backup: {interval_seconds: 1}}", "all_nodes_running", 4, "interval_seconds"),
        ("{backup: {every: 60}}", "all_nodes_running", 4, "every"),
        ("{backup: often}", "all_nodes_running", 4, "backup"),
        ("{exporter: 9187}", "all_nodes_running", 4, "exporter"),
        ("{cluster_size: 3}", "backup_healthy", 7, "needs the parameter backup (write backup: true"),
        ("{backup: false}", "'backup_recent:60'", 7, "needs the parameter backup"),
        ("{cluster_size: 3}", "exporter_up", 7, "needs the parameter exporter"),
        ("{proxy: none}", "proxy_writes", 7, "needs the parameter proxy (write proxy: haproxy"),
        ("{backup: true}", "'backup_recent:soon'", 7, "soon"),
        ("{backup: true}", "backup_recent", 7, "wrong number of arguments"),
    ],
)
def test_nonsense_is_refused_with_its_place(
    parameters: str, check: str, line: int, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(SUITE.format(parameters=parameters, check=check))
    with pytest.raises(SuiteError) as caught:
        load_suite(file)
    text = str(caught.value)
    print(text)
    assert f"suite.yaml:{line}:" in text
    assert words in text
