"""Targets: the same look and seed give the same nodes, and nobody who does not fit is ever taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_ansible.errors import InfrastructureError, UsageError
from e2e_ansible.faults.choose import Candidate, candidate, check_target, choose, fixed, least_nodes

WRITER = Candidate("n11", ("database",), reachable=True, takes_writes=True)
REPLICAS = tuple(
    Candidate(name, ("database",), reachable=True, replica=True) for name in ("n12", "n13", "n14", "n15")
)
CLUSTER = (WRITER, *REPLICAS)
GONE = Candidate("n11", ("database",), why="no answer within 6 s")


@pytest.mark.parametrize(
    ("target", "seed", "chosen"),
    [
        ("n13", None, ("n13",)),
        ("label:database", None, ("n11", "n12", "n13", "n14", "n15")),
        ("all", None, ("n11", "n12", "n13", "n14", "n15")),
        ("primary", None, ("n11",)),
        ("replica", None, ("n12",)),
        ("replica", 7, ("n14",)),
        ("one", None, ("n11",)),
        ("minority", None, ("n11", "n12")),
        ("minority", 1, ("n11", "n12")),
        ("majority", None, ("n11", "n12", "n13")),
        ("random", 3, ("n12",)),
        ("random:2", 3, ("n12", "n15")),
    ],
)
def test_who_is_chosen(target: str, seed: int | None, chosen: tuple[str, ...]) -> None:
    choice = choose(target, CLUSTER, seed)
    assert choice.targets == chosen
    assert choice == choose(target, CLUSTER, seed)
    assert target in choice.reason or target == "one"


def test_every_seed_gives_a_node_that_fits() -> None:
    found = {choose("replica", CLUSTER, seed).targets[0] for seed in range(1, 60)}
    assert found == {"n12", "n13", "n14", "n15"}


@pytest.mark.parametrize(
    ("target", "nodes", "why"),
    [
        ("primary", REPLICAS, "no node takes writes"),
        ("primary", (GONE, *REPLICAS), "n11 does not answer .no answer within 6 s."),
        (
            "primary",
            (WRITER, Candidate("n12", reachable=True, takes_writes=True)),
            "n11, n12 all take writes",
        ),
        ("replica", (WRITER,), "no node is a replica: n11 takes writes"),
        (
            "replica",
            (Candidate("n12", reachable=True, why="no socket"),),
            "no PostgreSQL that answers .no socket",
        ),
        ("minority", CLUSTER[:2], "2 nodes have no minority"),
        ("majority", (GONE, Candidate("n12"), WRITER), "means 2 nodes that answer"),
        ("random:6", CLUSTER, "means 6 nodes that answer"),
        ("n19", CLUSTER, "no node is 'n19'"),
        ("label:client", CLUSTER, "no node is 'label:client'"),
    ],
)
def test_nobody_else_is_taken(target: str, nodes: tuple[Candidate, ...], why: str) -> None:
    with pytest.raises(InfrastructureError, match=why):
        choose(target, nodes)


LEADER = Candidate("n11", reachable=True, takes_writes=True, role="leader", leader="n11")
FOLLOWER = Candidate("n12", reachable=True, replica=True, role="replica", leader="n11")
STANDBY = Candidate("n13", reachable=True, replica=True, role="sync_standby", leader="n11")
MUTE = Candidate("n13", reachable=True, replica=True, role="")


def test_where_patroni_runs_its_word_counts_as_well() -> None:
    primary = choose("primary", (LEADER, FOLLOWER, STANDBY))
    assert primary.targets == ("n11",)
    assert primary.reason == "primary: Patroni says that n11 leads, and PostgreSQL on n11 is not in recovery"
    assert choose("replica", (LEADER, FOLLOWER, STANDBY), 2).targets == ("n12",)
    assert choose("replica", (LEADER, MUTE, FOLLOWER)).targets == ("n12",)
    killed = replace(LEADER, role="", leader="")
    assert choose("primary", (killed, FOLLOWER)).targets == ("n11",)


@pytest.mark.parametrize(
    ("target", "nodes", "why"),
    [
        (
            "primary",
            (LEADER, replace(FOLLOWER, leader="n12")),
            "Patroni says that n11, n12 leads, and PostgreSQL takes writes on n11",
        ),
        (
            "primary",
            (replace(LEADER, role="replica", leader=""), replace(FOLLOWER, leader="")),
            "nobody leads",
        ),
        ("primary", (replace(LEADER, role="", leader=""), MUTE), "its Patroni does not answer"),
        (
            "primary",
            (LEADER, replace(FOLLOWER, takes_writes=True, replica=False)),
            "n11, n12 all take writes.*by Patroni replica",
        ),
        ("primary", (FOLLOWER, STANDBY), "no node takes writes"),
        ("replica", (replace(LEADER, takes_writes=False, replica=True), FOLLOWER), "disagree on n11"),
        (
            "replica",
            (LEADER, FOLLOWER, replace(STANDBY, takes_writes=True, replica=False)),
            "disagree on n13",
        ),
        ("replica", (LEADER, MUTE), "no node is a replica: .*its Patroni does not answer"),
    ],
)
def test_of_two_who_disagree_none_is_believed(target: str, nodes: tuple[Candidate, ...], why: str) -> None:
    with pytest.raises(InfrastructureError, match=why):
        choose(target, nodes)


def test_what_is_seen_of_patroni() -> None:
    told = {"role": "leader", "leader": "n11"}
    postgres = {"accepting": True, "in_recovery": False}
    seen = candidate({"node": "n11", "reachable": True, "postgres": postgres, "patroni": told})
    assert (seen.role, seen.leader) == ("leader", "n11")
    assert candidate({"node": "n11", "patroni": {"answers": False}}).role == ""
    assert candidate({"node": "n11", "patroni": None}).role is None


def test_what_is_seen_of_a_node() -> None:
    accepting = {"accepting": True, "in_recovery": False}
    assert candidate({"node": "n11", "reachable": True, "postgres": accepting}).takes_writes
    assert candidate(
        {"node": "n11", "reachable": True, "postgres": {**accepting, "in_recovery": True}}
    ).replica
    for postgres in (None, {"accepting": False, "in_recovery": False}, {"accepting": True}):
        seen = candidate({"node": "n11", "reachable": True, "postgres": postgres})
        assert not seen.takes_writes and not seen.replica


def test_what_needs_no_look() -> None:
    labels = {"n11": ("database",), "c12": ("client",)}
    assert fixed("n11", labels) == ("n11",)
    assert fixed("label:client", labels) == ("c12",)
    assert fixed("primary", labels) == ()


def test_how_many_nodes_a_target_needs() -> None:
    assert [
        least_nodes(target) for target in ("n11", "one", "replica", "minority", "random", "random:4")
    ] == [
        1,
        1,
        2,
        3,
        1,
        4,
    ]


def test_a_wrong_target_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as wrong:
        check_target("primery", ["n11"], ["database"])
    assert wrong.value.hint == "did you mean 'primary'?"
    check_target("label:database", ["n11"], ["database"])
