"""The roles etcd and patroni by hand, on one node that lacks the packages: fresh, again, drifted, refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from role_nodes import Cluster, Played, cluster

pytestmark = pytest.mark.nodes
NODE = "n11"
PACKAGES = "patroni python3-etcd"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster([NODE], tmp_path_factory.mktemp("inventory")) as made:
        made.ssh(NODE, f"dpkg --purge --force-depends {PACKAGES} >/dev/null 2>&1; ! command -v patroni")
        yield made


def play(node: Cluster, *options: str, **variables: object) -> Played:
    settings = {"ttl": 10, "loop_wait": 1, "retry_timeout": 4}
    return node.play("patroni", [NODE], *options, **{"patroni_settings": settings, **variables})


def settings_of(node: Cluster) -> str:
    return node.ssh(NODE, "patronictl -c /etc/patroni/config.yml show-config")


@pytest.fixture(scope="module")
def first(node: Cluster) -> Played:
    played = play(node)
    assert played.code == 0, played.output
    return played


def test_a_run_installs_what_is_missing_and_the_next_changes_nothing(node: Cluster, first: Played) -> None:
    print(f"first run: {first.seconds:.1f} s")
    assert node.sql(NODE, "SHOW data_checksums") == "on"
    assert node.sql(NODE, "SELECT count(*) FROM e2e.integrity") == "0"
    second = play(node, "-vvv", "--diff")
    assert second.code == 0, second.output
    assert second.changed == {NODE: 0}
    folder = Path(node.variable(NODE, "e2e_client_password_file")).parent
    said = second.output + node.ssh(NODE, "ps -ef; journalctl --no-pager -b")
    for file in ("client_password", "replication_password", "patroni_password"):
        assert (folder / file).read_text().strip() not in said


def test_check_mode_tells_a_drift_and_a_run_undoes_it(node: Cluster, first: Played) -> None:
    node.ssh(NODE, "patronictl -c /etc/patroni/config.yml pause --wait")
    drift = play(node, "--check", postgresql_settings={"max_connections": 40})
    assert drift.code == 0, drift.output
    assert drift.changed[NODE] > 0
    assert "pause: true" in settings_of(node)
    undone = play(node, postgresql_settings={"max_connections": 40})
    assert undone.code == 0, undone.output
    assert "pause: true" not in settings_of(node)
    assert node.sql(NODE, "SHOW max_connections") == "40"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"etcd_peer_port": 2381}, "With etcd_rebuild=true"),
        ({"postgresql_settings": {"max_conections": 5}}, "did you mean max_connections?"),
    ],
    ids=["etcd of other members", "no such setting"],
)
def test_a_refusal_says_why_and_leaves_the_cluster(
    node: Cluster, first: Played, variables: dict[str, object], says: str
) -> None:
    refused = play(node, **variables)
    assert refused.code != 0
    assert says in " ".join(refused.output.split())
    assert node.sql(NODE, "SELECT pg_is_in_recovery()") == "f"
