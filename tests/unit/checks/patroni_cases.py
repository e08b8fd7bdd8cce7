"""Looks at a cluster of Patroni, and what each check must say of them. n12 leads: no primary is planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from check_situations import AUTH, NAMES, OFF, SILENT, down, primary, standby

from e2e_ansible.nodes.observation import Patroni, PatroniMember, Postgres, Replica

PASS, FAIL, UNKNOWN = True, False, None
#: Check, id, expected, changes, what the sentence must say, whether infrastructure, more of the situation.
Row = tuple[str, str, bool | None, Mapping[str, Any], tuple[str, ...], bool, Mapping[str, Any]]
TIMELINE = 2


def replicas(*names: str) -> tuple[Replica, ...]:
    return tuple(Replica(name=name, state="streaming", sync_state="async") for name in names)


def leads(**changes: Any) -> Postgres:
    return primary(**{"replicas": replicas("n11", "n13"), "timeline": TIMELINE, **changes})


def follows(**changes: Any) -> Postgres:
    return standby(**{"timeline": TIMELINE, **changes})


def member(name: str, leader: str, **changes: Any) -> Patroni:
    """Patroni on one node, as it tells when `leader` leads."""
    listed = tuple(
        PatroniMember(
            name=each, role="leader" if each == leader else "replica", state="running", timeline=TIMELINE
        )
        for each in NAMES
    )
    facts: dict[str, Any] = {
        "answers": True,
        "role": "leader" if name == leader else "replica",
        "state": "running",
        "timeline": TIMELINE,
        "leader": leader,
        "members": listed,
        "etcd": True,
    }
    return Patroni(**{**facts, **changes})


def node(name: str, leader: str = "n12", **changes: Any) -> dict[str, Any]:
    """PostgreSQL and Patroni on a healthy node; changes of Patroni only."""
    return {
        "postgres": leads() if name == leader else follows(),
        "patroni": member(name, leader, **changes),
    }


def healthy(**changes: Mapping[str, Any]) -> dict[str, Any]:
    """Three nodes with n12 as leader; a node that is named is changed."""
    return {name: {**node(name), **changes.get(name, {})} for name in NAMES}


def everywhere(leader: str = "n12", **changes: Any) -> dict[str, Any]:
    """The same change of Patroni on all nodes."""
    return {name: node(name, leader, **changes) for name in NAMES}


def without_members(name: str, error: str, **changes: Any) -> dict[str, Any]:
    return {"patroni": member(name, "", members=(), error=error, **changes)}


GONE = {"patroni": None}
LEADER_OFF_UNNOTICED = {
    **healthy(n12={**OFF, **GONE}),
    **{name: {"postgres": follows(receiver=""), "patroni": member(name, "n12")} for name in ("n11", "n13")},
}
TAKEN_OVER = {
    "n11": {"postgres": leads(replicas=replicas("n13"), timeline=3), "patroni": member("n11", "n11")},
    "n12": {**OFF, **GONE},
    "n13": {"postgres": follows(timeline=3), "patroni": member("n13", "n11")},
}
IDLE_LEADER = healthy(n12={"postgres": leads(writable=False, error="no answer within 5 s")})
TWO_WRITERS = healthy(n13={"postgres": leads(replicas=(), timeline=3)})
OTHER_WRITER = healthy(n12={"postgres": follows()}, n13={"postgres": leads(replicas=replicas("n11", "n12"))})
PAUSED = everywhere(paused=True)
NOT_STREAMING = healthy(
    n12={"postgres": leads(replicas=replicas("n11"))}, n13={"postgres": follows(receiver="waiting")}
)
WRONG_TIMELINE = healthy(n13={"postgres": follows(timeline=1)})
NO_QUORUM = {
    name: {
        "postgres": follows(receiver=""),
        **without_members(
            name, "it cannot read the cluster in etcd: timed out", etcd=False, etcd_error="no quorum"
        ),
    }
    for name in NAMES
}
ONE_ETCD_LOST = healthy(n13={"patroni": member("n13", "n12", etcd=False, etcd_error="no answer: refused")})
REST_DOWN = healthy(n13={"patroni": Patroni(answers=False, error="its REST API does not answer: refused")})
DISAGREE = healthy(n13={"patroni": member("n13", "n11")})
NO_LEADER = {name: {"postgres": follows(receiver=""), "patroni": member(name, "")} for name in NAMES}
BROKEN_MEMBER = healthy(n13={"postgres": down(), "patroni": member("n13", "n12", state="start failed")})
NOT_ASKED = healthy(n11=GONE, n12=GONE, n13=GONE)
UNLISTED = everywhere(members=member("n12", "n12").members[:2])
FOREIGN_LEADER = everywhere(leader="n99")
CLIENT_OFF = {**healthy(), "c11": OFF}
WITH_CLIENT = {"names": (*NAMES, "c11"), "labels": {"c11": ("client",)}}


def row(
    check: str,
    id: str,  # noqa: A002
    expected: bool | None,
    changes: Mapping[str, Any],
    *says: str,
    infrastructure: bool = False,
    **rest: Any,
) -> Row:
    more = {"database": "patroni", **rest}
    return check, f"patroni-{id}", expected, changes, says, infrastructure or expected is UNKNOWN, more


ROWS = [
    # The cluster as a whole.
    row("cluster_status", "healthy", PASS, healthy(), "n12 takes writes"),
    row("cluster_status", "taken over", FAIL, TAKEN_OVER, "n12 (power off) does not run"),
    row(
        "cluster_status",
        "idle leader",
        FAIL,
        IDLE_LEADER,
        "Patroni's leader n12 takes no writes",
        "within 5 s",
    ),
    row(
        "cluster_status", "two writers", FAIL, TWO_WRITERS, "n12, n13 are primaries", "n13 takes writes, but"
    ),
    row(
        "cluster_status",
        "another writer",
        FAIL,
        OTHER_WRITER,
        "n13 takes writes, but Patroni's leader is n12",
    ),
    row("cluster_status", "paused", FAIL, PAUSED, "Patroni is paused"),
    row("cluster_status", "not streaming", FAIL, NOT_STREAMING, "standby n13 is waiting", "1 of 2 streaming"),
    row(
        "cluster_status", "wrong timeline", FAIL, WRONG_TIMELINE, "n13 is on timeline 1, the primary n12 on 2"
    ),
    row(
        "cluster_status", "no quorum", FAIL, NO_QUORUM, "etcd on n11 is not healthy: no quorum", "no primary"
    ),
    row("cluster_status", "one etcd lost", FAIL, ONE_ETCD_LOST, "etcd on n13 is not healthy: no answer"),
    row("cluster_status", "rest down", FAIL, REST_DOWN, "Patroni on n13: its REST API does not answer"),
    row("cluster_status", "member failed", FAIL, BROKEN_MEMBER, "says that PostgreSQL there is start failed"),
    row("cluster_status", "unlisted", FAIL, UNLISTED, "does not list n13"),
    row("cluster_status", "not asked", UNKNOWN, NOT_ASKED, "was not asked"),
    row("cluster_status", "client off", FAIL, CLIENT_OFF, "c11 (power off)", **WITH_CLIENT),
    row("cluster_degraded", "healthy", FAIL, healthy(), "healthy"),
    row("cluster_degraded", "taken over", PASS, TAKEN_OVER, "n11 takes writes"),
    row("cluster_degraded", "paused", PASS, PAUSED, "Patroni is paused"),
    row("cluster_degraded", "one etcd lost", PASS, ONE_ETCD_LOST, "etcd on n13"),
    row("cluster_degraded", "two writers", FAIL, TWO_WRITERS, "split brain: n12, n13 take writes"),
    row("cluster_degraded", "unnoticed", FAIL, LEADER_OFF_UNNOTICED, "no node takes writes"),
    row("cluster_degraded", "only the client off", FAIL, CLIENT_OFF, "healthy", **WITH_CLIENT),
    row("cluster_critical", "healthy", FAIL, healthy(), "n12 takes writes"),
    row("cluster_critical", "unnoticed", PASS, LEADER_OFF_UNNOTICED, "no node takes writes"),
    row("cluster_critical", "idle leader", PASS, IDLE_LEADER, "no node takes writes"),
    row("cluster_critical", "no quorum", PASS, NO_QUORUM, "no node takes writes"),
    row("cluster_critical", "two writers", PASS, TWO_WRITERS, "split brain"),
    row("cluster_critical", "taken over", FAIL, TAKEN_OVER, "1 of 3 nodes are down"),
    row(
        "cluster_status_stopped",
        "client still on",
        PASS,
        dict.fromkeys(NAMES, OFF),
        "n11, n12, n13",
        **WITH_CLIENT,
    ),
    row("vms_powered_off", "client still on", PASS, dict.fromkeys(NAMES, OFF), **WITH_CLIENT),
    # PostgreSQL.
    row("database_running", "healthy", PASS, healthy(), "n12 takes writes"),
    row("database_running", "client", PASS, healthy(), **WITH_CLIENT),
    row("database_running", "paused is running", PASS, PAUSED),
    row("database_running", "taken over", FAIL, TAKEN_OVER, "n12"),
    row("database_running", "wrong timeline", FAIL, WRONG_TIMELINE, "timeline 1"),
    row("database_running", "idle leader", FAIL, IDLE_LEADER, "n12 takes no writes"),
    row("database_degraded", "taken over", PASS, TAKEN_OVER, "n11 takes writes"),
    row("database_degraded", "healthy", FAIL, healthy()),
    row("database_degraded", "two writers", FAIL, TWO_WRITERS, "split brain"),
    row("database_degraded", "unnoticed", FAIL, LEADER_OFF_UNNOTICED, "no node takes writes"),
    row("database_down", "unnoticed", FAIL, LEADER_OFF_UNNOTICED, "n11, n13"),
    row("database_down", "all off", PASS, dict.fromkeys(NAMES, OFF)),
    # The rows.
    row("data_integrity", "healthy", PASS, healthy(), "n12 holds all 100"),
    row("data_integrity", "taken over", PASS, TAKEN_OVER, "n11 holds all 100"),
    row(
        "data_integrity",
        "lost by the failover",
        FAIL,
        {**TAKEN_OVER, "n11": {**TAKEN_OVER["n11"], "postgres": leads(integrity=((1, 90),), timeline=3)}},
        "n11 lacks 10 of 100 acknowledged rows: 91-100",
    ),
    row(
        "data_integrity",
        "one of two writers lacks rows",
        FAIL,
        healthy(n13={"postgres": leads(replicas=(), integrity=((1, 50),))}),
        "n13 lacks 50",
    ),
    row("node_status:n12:stopped", "leader off", PASS, TAKEN_OVER),
    # Patroni itself.
    row("patroni_leader", "healthy", PASS, healthy(), "n12 leads on timeline 2 and takes writes"),
    row("patroni_leader", "taken over", PASS, TAKEN_OVER, "n11 leads"),
    row("patroni_leader", "unnoticed", FAIL, LEADER_OFF_UNNOTICED, "leader n12 takes no writes"),
    row("patroni_leader", "idle", FAIL, IDLE_LEADER, "takes no writes"),
    row("patroni_leader", "another writer", FAIL, OTHER_WRITER, "n13 takes writes, but"),
    row("patroni_leader", "nobody", FAIL, NO_LEADER, "Patroni has no leader"),
    row("patroni_leader", "disagree", FAIL, DISAGREE, "do not agree", "n11 by n13", "n12 by n11, n12"),
    row("patroni_leader", "foreign", FAIL, FOREIGN_LEADER, "n99, which is no database node"),
    row("patroni_leader", "no quorum", FAIL, NO_QUORUM, "no member of Patroni could say who leads"),
    row("patroni_leader", "not asked", UNKNOWN, NOT_ASKED),
    row(
        "patroni_leader",
        "leader not seen",
        UNKNOWN,
        healthy(n12={**AUTH, **GONE}),
        "it was not seen whether Patroni's leader n12",
    ),
    row("patroni_leader", "no patroni", UNKNOWN, {}, "without Patroni", database="replication"),
    row("patroni_leader:n12", "named", PASS, healthy()),
    row("patroni_leader:n11", "named", FAIL, healthy(), "Patroni's leader is n12, not n11"),
    row("patroni_healthy", "healthy", PASS, healthy(), "n12 leader on timeline 2", "n13 replica"),
    row(
        "patroni_healthy",
        "pending restart is told",
        PASS,
        healthy(n13={"patroni": member("n13", "n12", pending_restart=True)}),
        "pending on n13",
    ),
    row("patroni_healthy", "taken over", FAIL, TAKEN_OVER, "n12"),
    row("patroni_healthy", "silent node", FAIL, healthy(n13={**SILENT, **GONE}), "n13"),
    row("patroni_healthy", "paused", FAIL, PAUSED, "Patroni is paused, so nobody takes over"),
    row("patroni_healthy", "one etcd lost", FAIL, ONE_ETCD_LOST, "etcd on n13"),
    row("patroni_healthy", "two writers", FAIL, TWO_WRITERS, "n12, n13 are primaries"),
    row("patroni_healthy", "not asked", UNKNOWN, NOT_ASKED, "was not asked"),
    row("patroni_healthy", "no patroni", UNKNOWN, {}, "without Patroni", database="standalone"),
]
