"""Checks of two sites: each passes on what it names, and is red or unknown for every way in which that breaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from check_situations import AUTH, OFF, down, primary, situation, standby

from e2e_ansible.checks import evaluate
from e2e_ansible.checks.base import Situation
from e2e_ansible.nodes.observation import Patroni, PatroniMember, Replica

PASS, FAIL, UNKNOWN = True, False, None
NAMES = ("n11", "n12", "n13", "n14", "c11")
#: Site a has n11 and n12, site b n13 and n14.
LABELS = {
    "n11": ("database", "site_a"),
    "n12": ("database", "site_a"),
    "n13": ("database", "site_b"),
    "n14": ("database", "site_b"),
    "c11": ("client",),
}
Changes = Mapping[str, Mapping[str, Any]]


def sends(*names: str, lag: int | None = 0) -> tuple[Replica, ...]:
    return tuple(Replica(name=name, state="streaming", sync_state="async", lag_bytes=lag) for name in names)


def member(name: str, leader: str, role: str) -> Patroni:
    """Patroni on a node of a cluster of two."""
    both = ("n11", "n12") if name in ("n11", "n12") else ("n13", "n14")
    listed = tuple(
        PatroniMember(name=each, role=role if each == leader else "replica", state="running") for each in both
    )
    own = role if name == leader else "replica"
    return Patroni(
        answers=True, role=own, state="running", timeline=2, leader=leader, members=listed, etcd=True
    )


def leads(**changes: Any) -> Any:
    return primary(**{"timeline": 2, "replicas": sends("n12", "n13", lag=500), **changes})


def follows(**changes: Any) -> Any:
    return standby(**{"timeline": 2, **changes})


HEALTHY: dict[str, dict[str, Any]] = {
    "n11": {"postgres": leads(), "patroni": member("n11", "n11", "leader")},
    "n12": {"postgres": follows(), "patroni": member("n12", "n11", "leader")},
    "n13": {"postgres": follows(replicas=sends("n14")), "patroni": member("n13", "n13", "standby_leader")},
    "n14": {"postgres": follows(), "patroni": member("n14", "n13", "standby_leader")},
    "c11": {"postgres": None},
}


def pair(changes: Changes | None = None, **rest: Any) -> Situation:
    """Both sites healthy, site_a primary; a node that is named is changed."""
    facts = {name: {**HEALTHY[name], **(changes or {}).get(name, {})} for name in NAMES}
    more = {"database": "patroni", "contexts": ("site_a", "site_b"), **rest}
    return situation(facts, names=NAMES, labels=LABELS, **more)


def pg(**nodes: Any) -> dict[str, dict[str, Any]]:
    return {name: {"postgres": postgres} for name, postgres in nodes.items()}


NO_WRITER = {
    **pg(n11=follows(replicas=sends("n12", "n13"))),
    "n12": {},
}
TWO_WRITERS = pg(n13=leads(replicas=sends("n14"), timeline=3))
FENCED = {
    **pg(n11=leads(replicas=sends("n12")), n13=follows(receiver="", replicas=sends("n14"))),
}
SILENT = Patroni(answers=False, error="its REST API does not answer: refused")
GONE = {name: {"postgres": down(), "patroni": SILENT} for name in ("n13", "n14")}
BEHIND = pg(n11=leads(replicas=(*sends("n12"), *sends("n13", lag=5000))))
NOT_LISTED = pg(n11=leads(replicas=sends("n12")))
OLD_TIMELINE = pg(n13=follows(timeline=1, replicas=sends("n14")))
NO_LAG = pg(n11=leads(replicas=sends("n12", "n13", lag=None)))
NOT_SENT_ON = pg(n13=follows(replicas=()))
NO_REPLICA = pg(n11=leads(replicas=sends("n13")))
AWAY = {name: {**OFF, "patroni": None} for name in ("n13", "n14")}
BLIND = {"n13": {**AUTH, "patroni": None}}
WRONG_ROLE = {name: {"patroni": member(name, "n13", "leader")} for name in ("n13", "n14")}


@pytest.mark.parametrize(
    ("check", "expected", "changes", "says"),
    [
        ("site_primary:site_a", PASS, {}, "n11 of site_a takes writes on timeline 2"),
        ("site_primary:site_b", FAIL, {}, "no node of site_b takes writes; Patroni's leader n13 of site_b is a"),
        ("site_primary:site_a", FAIL, NO_WRITER, "no node of site_a takes writes"),
        ("site_primary:site_a", FAIL, TWO_WRITERS, "n13 takes writes"),
        ("site_primary:site_a", FAIL, NO_REPLICA, "n12 does not stream from n11"),
        ("site_primary:site_a", PASS, AWAY, "takes writes"),
        ("site_primary:site_a", UNKNOWN, BLIND, "not seen whether n13 takes writes"),
        ("site_standby:site_b", PASS, {}, "n13 of site_b streams from n11, 500 bytes behind"),
        ("site_standby:site_a", FAIL, {}, "n11 takes writes"),
        ("site_standby:site_b", FAIL, TWO_WRITERS, "n13 takes writes"),
        ("site_standby:site_b", FAIL, FENCED, "the receiver of n13 is absent, not streaming"),
        ("site_standby:site_b", FAIL, NOT_LISTED, "no node of the other site lists n13"),
        ("site_standby:site_b", FAIL, OLD_TIMELINE, "n13 is on timeline 1, the other site on 2"),
        ("site_standby:site_b", FAIL, NOT_SENT_ON, "n14 does not stream from n13"),
        ("site_standby:site_b", FAIL, GONE, "does not answer"),
        ("site_standby:site_b", FAIL, AWAY, "n13 (power off) does not run"),
        ("site_standby:site_b", FAIL, WRONG_ROLE, "is no standby leader but leader"),
        ("site_standby:site_b", UNKNOWN, BLIND, "could not be looked at"),
        ("site_standby:site_c", UNKNOWN, {}, "this test has no site site_c"),
        ("site_lag:500:site_b", PASS, {}, "n13 is 500 bytes behind n11"),
        ("site_lag:499:site_b", FAIL, {}, "500 bytes behind n11, more than 499"),
        ("site_lag:500:site_b", FAIL, BEHIND, "5000 bytes behind"),
        ("site_lag:500:site_b", FAIL, NOT_LISTED, "no node of the other site sends to n13"),
        ("site_lag:500:site_b", UNKNOWN, NO_LAG, "does not know how far"),
        ("site_lag:500:site_a", FAIL, {}, "no node of the other site sends to n11"),
        ("site_fenced:site_b", PASS, FENCED, "n13, n14 of site_b takes no writes and follows nobody"),
        ("site_fenced:site_b", FAIL, {}, "the receiver of n13 is streaming"),
        ("site_fenced:site_a", FAIL, {}, "n11 takes writes"),
        ("site_fenced:site_b", FAIL, AWAY, "does not run"),
        ("site_fenced:site_b", UNKNOWN, GONE, "not seen who leads"),
        ("site_absent:site_b", PASS, GONE, "neither Patroni nor PostgreSQL answers on n13, n14"),
        ("site_absent:site_b", FAIL, {}, "PostgreSQL on n13 accepts connections; Patroni on n13 answers"),
        ("site_absent:site_b", FAIL, {**GONE, "n14": {}}, "PostgreSQL on n14 accepts connections"),
        ("site_absent:site_b", FAIL, AWAY, "does not run"),
        ("site_absent:site_b", UNKNOWN, {**GONE, "n14": {"postgres": None, "patroni": SILENT}}, "not looked at"),
        # The cluster as a whole.
        ("cluster_status", PASS, {}, "n11 takes writes"),
        ("database_running", PASS, {}, "n11 takes writes"),
        ("patroni_healthy", PASS, {}, "n13 standby_leader on timeline 2"),
        ("patroni_leader", PASS, {}, "n11 leads on timeline 2"),
        ("patroni_leader:n13", FAIL, {}, "Patroni's leader is n11, not n13"),
        ("patroni_leader", FAIL, NO_WRITER, "leader n11 takes no writes"),
        ("cluster_degraded", FAIL, {}, "healthy"),
        ("cluster_status", FAIL, NO_WRITER, "no primary among"),
        ("cluster_critical", PASS, NO_WRITER, "no node takes writes"),
        ("cluster_status", FAIL, TWO_WRITERS, "n11, n13 are primaries at the same time"),
        ("cluster_critical", PASS, TWO_WRITERS, "split brain: n11, n13"),
        ("cluster_status", FAIL, FENCED, "no node lists n13 as a streaming replica"),
        ("cluster_degraded", PASS, FENCED, "n11 takes writes"),
        ("cluster_degraded", PASS, GONE, "n11 takes writes"),
        ("cluster_status", FAIL, GONE, "does not accept connections"),
        ("cluster_status", FAIL, NOT_SENT_ON, "no node lists n14 as a streaming replica"),
        ("cluster_status", FAIL, OLD_TIMELINE, "n13 is on timeline 1, the primary n11 on 2"),
    ],
)  # fmt: skip
def test_a_check_tells_what_it_saw(check: str, expected: bool | None, changes: Changes, says: str) -> None:
    outcome = evaluate(check, pair(changes))
    assert (outcome.passed, says in outcome.message) == (expected, True), outcome


def test_a_test_without_sites_has_none() -> None:
    for check in ("site_primary:site_a", "site_standby:site_a", "site_fenced:site_a", "site_lag:1:site_a"):
        assert evaluate(check, pair(contexts=None)).passed is UNKNOWN


def test_a_node_that_nobody_looked_at_decides_nothing() -> None:
    facts: dict[str, Any] = {name: HEALTHY[name] for name in NAMES}
    seen = situation(
        {**facts, "n14": None}, names=NAMES, labels=LABELS, database="patroni", contexts=("site_a", "site_b")
    )
    assert evaluate("site_standby:site_b", seen).passed is UNKNOWN
    assert evaluate("site_primary:site_a", seen).passed is PASS
