"""Every check passes on what it names, and fails or is unknown for every way in which that breaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from check_situations import (
    ABSENT,
    AUTH,
    LOCAL,
    NAMES,
    NO_WORD,
    NO_WORD_REFUSED,
    OFF,
    POWER_UNKNOWN,
    REFUSED,
    REPLICAS,
    SILENT,
    STANDALONE,
    down,
    everywhere,
    pg,
    primary,
    situation,
    standby,
)
from patroni_cases import ROWS as PATRONI_ROWS

from e2e_ansible.checks import Situation, admin_ui, cluster, database, evaluate, integrity, nodes, patroni
from e2e_ansible.checks.nodes import node_status
from e2e_ansible.nodes.observation import AdminUi, Postgres, Replica

PASS, FAIL, UNKNOWN = True, False, None


@dataclass(frozen=True)
class Case:
    """One look, and what a check must say of it. `says` are texts that the sentence must have."""

    id: str
    check: str
    expected: bool | None
    changes: dict[str, Any] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    infrastructure: bool = False
    rest: dict[str, Any] = field(default_factory=dict)


def case(
    check: str,
    id: str,  # noqa: A002
    expected: bool | None,
    changes: dict[str, Any] | None = None,
    *says: str,
    infrastructure: bool = False,
    **rest: Any,
) -> Case:
    """Unknown outcomes are always the infrastructure's."""
    return Case(id, check, expected, changes or {}, says, infrastructure or expected is UNKNOWN, rest)


ALONE = {"database": "standalone"}
PAIR = ("n11", "n12")
SOLO = ("n11",)
MIXED = {"n13": ("client",)}
ONE_REPLICA = REPLICAS[:1]
CATCHING_UP = (*ONE_REPLICA, Replica(name="n13", state="catchup", sync_state="async"))
STANDBYS = pg(n11=standby())
PRIMARY_OFF = {"n11": OFF, **pg(n12=standby(receiver=""), n13=standby(receiver=""))}
N13_OFF = {"n13": OFF, **pg(n11=primary(replicas=ONE_REPLICA))}
ROLE_UNREAD = pg(n11=primary(in_recovery=None, writable=None))
WRITES_UNTRIED = pg(n11=primary(writable=None))
ui = lambda status, error="": {"admin_ui": AdminUi(url="https://n12/", status=status, error=error)}  # noqa: E731

CLUSTER_STATUS = [
    case("cluster_status", "healthy", PASS, None, "n11, n12, n13 run", "n11 takes writes"),
    case("cluster_status", "node-off", FAIL, N13_OFF, "n13 (power off", "lists 1 of 2 streaming"),
    case("cluster_status", "node-silent", FAIL, {"n12": SILENT}, "n12", "timeout", "10 s"),
    case("cluster_status", "node-absent", FAIL, {"n12": ABSENT}, "absent", infrastructure=True),
    case("cluster_status", "wrong-key", FAIL, {"n12": AUTH}, "Permission denied", infrastructure=True),
    case("cluster_status", "wrong-key-and-off", FAIL, {"n12": AUTH, **N13_OFF}, "n12", "n13"),
    case("cluster_status", "wrong-key-on-primary", FAIL, {"n11": AUTH}, "no primary", infrastructure=True),
    case("cluster_status", "shutting-down", FAIL, {"n12": {"system_state": "stopping"}}, "system stopping"),
    case("cluster_status", "rescue", FAIL, {"n12": {"system_state": "maintenance"}}, "maintenance"),
    case("cluster_status", "off-but-answers", FAIL, {"n12": {"power": "off"}}, "n12 (power off, ssh answers"),
    case("cluster_status", "database-down", FAIL, pg(n12=down()), "n12 does not accept", "refused"),
    case("cluster_status", "down-silently", FAIL, pg(n12=down(error="")), "n12 does not accept connections"),
    case("cluster_status", "not-installed", FAIL, pg(n12=Postgres(installed=False)), "not installed on n12"),
    case("cluster_status", "no-primary", FAIL, STANDBYS, "no primary among n11, n12, n13"),
    case("cluster_status", "primary-off", FAIL, PRIMARY_OFF, "no primary", "n12 is absent, not streaming"),
    case("cluster_status", "split-brain", FAIL, pg(n12=primary(replicas=())), "n11, n12 are primaries"),
    case("cluster_status", "read-only", FAIL, pg(n11=primary(writable=False)), "n11 takes no writes"),
    case(
        "cluster_status", "full", FAIL, pg(n11=primary(writable=False, error="No space")), "writes: No space"
    ),
    case("cluster_status", "receiver", FAIL, pg(n13=standby(receiver="stopping")), "n13 is stopping"),
    case("cluster_status", "catch-up", FAIL, pg(n11=primary(replicas=CATCHING_UP)), "1 of 2", "n13 catchup"),
    case("cluster_status", "no-replicas", FAIL, pg(n11=primary(replicas=())), "0 of 2 streaming"),
    case("cluster_status", "postgres-unread", UNKNOWN, pg(n12=None), "n12 was not read"),
    case("cluster_status", "primary-unread", UNKNOWN, pg(n11=None), "n11 was not read", "no primary"),
    case("cluster_status", "role-unread", UNKNOWN, ROLE_UNREAD, "the role of n11"),
    case("cluster_status", "writes-untried", UNKNOWN, WRITES_UNTRIED, "not tried whether n11"),
    case("cluster_status", "promoted-meanwhile", UNKNOWN, pg(n12=standby(writable=True)), "n12", "changed"),
    case("cluster_status", "unseen", UNKNOWN, {"n12": None}, "not observed: n12"),
    case("cluster_status", "unseen-and-off", UNKNOWN, {"n12": None, "n13": OFF}, "not observed: n12"),
    case("cluster_status", "power-not-known", PASS, {"n12": POWER_UNKNOWN}),
    case("cluster_status", "failed-unit-only", PASS, {"n12": {"system_state": "degraded"}}),
    case(
        "cluster_status",
        "client-node",
        PASS,
        {**pg(n11=primary(replicas=ONE_REPLICA), n13=None)},
        labels=MIXED,
    ),
    case("cluster_status", "client-node-off", FAIL, N13_OFF, "n13", labels=MIXED),
    case(
        "cluster_status", "no-database-node", UNKNOWN, None, "labelled", labels=dict.fromkeys(NAMES, ("x",))
    ),
    case("cluster_status", "alone", PASS, pg(n11=STANDALONE, n12=STANDALONE, n13=STANDALONE), **ALONE),
    case("cluster_status", "alone-read-only", FAIL, None, "n12 takes no writes", "n13 takes", **ALONE),
    case("cluster_status", "alone-untried", UNKNOWN, WRITES_UNTRIED, "not tried", names=SOLO, **ALONE),
    case("cluster_status", "alone-down", FAIL, pg(n11=down()), "n11 does not accept", names=SOLO, **ALONE),
    case("cluster_status", "one-node", PASS, pg(n11=STANDALONE), names=SOLO),
]

STOPPED = [
    case("cluster_status_stopped", "all-off", PASS, everywhere(OFF), "provider says off: n11, n12, n13"),
    case("cluster_status_stopped", "running", FAIL, None, "n11", "n12", "n13"),
    case("cluster_status_stopped", "one-on", FAIL, {**everywhere(OFF), "n12": SILENT}, "n12 is on"),
    case("cluster_status_stopped", "one-refuses", FAIL, {**everywhere(OFF), "n12": REFUSED}, "n12 is on"),
    case("cluster_status_stopped", "off-but-answers", FAIL, everywhere({"power": "off"}), "not off"),
    case("cluster_status_stopped", "absent", FAIL, everywhere(ABSENT), "does not exist", infrastructure=True),
    case("cluster_status_stopped", "no-word", PASS, everywhere(NO_WORD), "provider says nothing", "n12, n13"),
    case(
        "cluster_status_stopped",
        "word-for-two",
        PASS,
        {**everywhere(OFF), "n12": NO_WORD},
        "not known of n12",
    ),
    case("cluster_status_stopped", "no-word-but-ssh", FAIL, {**everywhere(OFF), "n12": POWER_UNKNOWN}, "n12"),
    case("cluster_status_stopped", "no-word-refused", UNKNOWN, everywhere(NO_WORD_REFUSED), "does not know"),
    case("cluster_status_stopped", "no-word-wrong-key", UNKNOWN, {**everywhere(OFF), "n12": LOCAL}, "n12"),
    case(
        "cluster_status_stopped",
        "no-word-but-postgres",
        FAIL,
        {**everywhere(OFF), "n12": {**NO_WORD, "postgres": standby()}},
        "PostgreSQL on n12",
    ),
    case("cluster_status_stopped", "unseen", UNKNOWN, {**everywhere(OFF), "n12": None}, "not observed: n12"),
    case("cluster_status_stopped", "off-whatever-ssh-said", PASS, everywhere({**AUTH, "power": "off"})),
]

DEGRADED = [
    case("cluster_degraded", "one-off", PASS, N13_OFF, "n11 takes writes", "n13 (power off"),
    case("cluster_degraded", "one-silent", PASS, {**N13_OFF, "n13": SILENT}, "n13"),
    case("cluster_degraded", "replica-missing", PASS, pg(n11=primary(replicas=ONE_REPLICA)), "1 of 2"),
    case("cluster_degraded", "replica-down", PASS, pg(n12=down()), "n12 does not accept"),
    case("cluster_degraded", "split-brain", PASS, pg(n12=primary()), "n11, n12 are primaries"),
    case("cluster_degraded", "half-of-two", PASS, {"n12": OFF}, "n12", names=PAIR),
    case("cluster_degraded", "healthy", FAIL, None, "healthy"),
    case("cluster_degraded", "most-down", FAIL, {"n12": OFF, "n13": OFF}, "critical", "2 of 3"),
    case("cluster_degraded", "no-writes", FAIL, PRIMARY_OFF, "critical", "no node takes writes"),
    case("cluster_degraded", "all-off", FAIL, everywhere(OFF), "critical"),
    case("cluster_degraded", "wrong-key", UNKNOWN, {"n13": AUTH}, "n13", "Permission denied"),
    case("cluster_degraded", "unseen", UNKNOWN, {"n13": None}, "not observed: n13"),
    case(
        "cluster_degraded", "writes-untried", UNKNOWN, {"n13": OFF, **WRITES_UNTRIED}, "n11", "takes writes"
    ),
    case("cluster_degraded", "primary-unread", UNKNOWN, pg(n11=None), "n11"),
    case("cluster_degraded", "replica-unread", UNKNOWN, pg(n12=None), "n12 was not read"),
]

CRITICAL = [
    case(
        "cluster_critical", "most-off", PASS, {"n12": OFF, "n13": OFF}, "2 of 3 nodes are down", "n12", "n13"
    ),
    case("cluster_critical", "all-off", PASS, everywhere(OFF), "3 of 3"),
    case("cluster_critical", "primary-off", PASS, PRIMARY_OFF, "no node takes writes"),
    case("cluster_critical", "read-only", PASS, pg(n11=primary(writable=False)), "no node takes writes"),
    case("cluster_critical", "databases-down", PASS, pg(n11=down(), n12=down(), n13=down()), "no node"),
    case("cluster_critical", "healthy", FAIL, None, "not critical", "n11 takes writes"),
    case("cluster_critical", "degraded", FAIL, N13_OFF, "1 of 3 nodes are down"),
    case("cluster_critical", "half-of-two", FAIL, {"n12": OFF}, "1 of 2", names=PAIR),
    case("cluster_critical", "wrong-keys", UNKNOWN, everywhere(AUTH), "could not be looked at"),
    case("cluster_critical", "unseen", UNKNOWN, {"n12": None, "n13": OFF}, "not observed: n12"),
    case("cluster_critical", "writes-untried", UNKNOWN, WRITES_UNTRIED, "not seen whether n11"),
    case("cluster_critical", "primary-unread", UNKNOWN, pg(n11=None), "not seen whether n11"),
    case("cluster_critical", "no-database", UNKNOWN, None, "labelled", labels=dict.fromkeys(NAMES, ())),
]

RUNNING = [
    case("all_nodes_running", "healthy", PASS, None, "n11, n12, n13 run"),
    case("all_nodes_running", "power-not-known", PASS, everywhere(POWER_UNKNOWN)),
    case(
        "all_nodes_running", "failed-units", PASS, {"n12": {"failed_units": ("x.service",)}}, "n12: x.service"
    ),
    case("all_nodes_running", "database-down", PASS, pg(n11=down())),
    case("all_nodes_running", "off", FAIL, {"n12": OFF}, "n12 (power off"),
    case("all_nodes_running", "absent", FAIL, {"n12": ABSENT}, "n12", infrastructure=True),
    case("all_nodes_running", "silent", FAIL, {"n12": SILENT}, "n12", "timeout"),
    case("all_nodes_running", "no-cause", FAIL, {"n12": {**SILENT, "unreachable": None}}, "no cause given"),
    case("all_nodes_running", "stopping", FAIL, {"n12": {"system_state": "stopping"}}, "stopping"),
    case("all_nodes_running", "wrong-key", FAIL, {"n12": AUTH}, "n12", "auth", infrastructure=True),
    case("all_nodes_running", "controller", FAIL, {"n12": LOCAL}, "local", infrastructure=True),
    case("all_nodes_running", "wrong-key-and-off", FAIL, {"n12": AUTH, "n13": OFF}, "n12", "n13"),
    case("all_nodes_running", "unseen", UNKNOWN, {"n12": None}, "not observed: n12"),
    case("all_nodes_running", "no-nodes", UNKNOWN, None, "no nodes", names=()),
]

SSH = [
    case("ssh_connectivity", "healthy", PASS, None, "n11, n12, n13"),
    case("ssh_connectivity", "stopping-answers", PASS, {"n12": {"system_state": "stopping"}}),
    case("ssh_connectivity", "off", FAIL, {"n12": OFF}, "n12"),
    case("ssh_connectivity", "silent", FAIL, {"n12": SILENT}, "n12", "timeout"),
    case("ssh_connectivity", "refused", FAIL, {"n12": REFUSED}, "n12", "refused"),
    case("ssh_connectivity", "wrong-key", FAIL, {"n12": AUTH}, "n12", infrastructure=True),
    case("ssh_connectivity", "unseen", UNKNOWN, {"n12": None}, "not observed: n12"),
]

POWERED_OFF = [
    case("vms_powered_off", "all-off", PASS, everywhere(OFF), "n11, n12, n13 are off"),
    case("vms_powered_off", "providers-word-only", PASS, everywhere({"power": "off"})),
    case("vms_powered_off", "running", FAIL, None, "n11 is on", "n12 is on", "n13 is on"),
    case("vms_powered_off", "one-on-but-silent", FAIL, {**everywhere(OFF), "n12": SILENT}, "n12 is on"),
    case("vms_powered_off", "absent", FAIL, everywhere(ABSENT), "does not exist", infrastructure=True),
    case("vms_powered_off", "one-not-known", UNKNOWN, {**everywhere(OFF), "n12": NO_WORD}, "power of n12"),
    case("vms_powered_off", "one-on-one-not-known", FAIL, {"n11": NO_WORD, "n13": OFF}, "n12 is on"),
    case("vms_powered_off", "unseen", UNKNOWN, {**everywhere(OFF), "n12": None}, "not observed: n12"),
]

NODE_STATUS = [
    case("node_status:n12", "default-is-running", PASS, None, "n12", "runs"),
    case("node_status:n12:running", "others-off", PASS, {"n11": OFF, "n13": OFF}, "n12"),
    case("node_status:n12:running", "off", FAIL, {"n12": OFF}, "n12 (power off"),
    case("node_status:n12", "silent", FAIL, {"n12": SILENT}, "timeout"),
    case("node_status:n12", "wrong-key", FAIL, {"n12": AUTH}, infrastructure=True),
    case("node_status:n12", "failed-unit", PASS, {"n12": {"failed_units": ("a", "b")}}, "n12: a, b"),
    case("node_status:n12", "unseen", UNKNOWN, {"n12": None}, "n12"),
    case("node_status:n12", "others-unseen", PASS, {"n11": None, "n13": None}),
    case("node_status:n12:stopped", "off", PASS, {"n12": OFF}, "n12", "is stopped"),
    case("node_status:n12:stopped", "running", FAIL, None, "answers over ssh"),
    case("node_status:n12:stopped", "other-off", FAIL, {"n11": OFF, "n13": OFF}),
    case("node_status:n12:stopped", "on-but-silent", FAIL, {"n12": SILENT}, "n12 is on"),
    case("node_status:n12:stopped", "absent", FAIL, {"n12": ABSENT}, "not exist", infrastructure=True),
    case("node_status:n12:stopped", "off-but-answers", FAIL, {"n12": {"power": "off"}}, "not off"),
    case("node_status:n12:stopped", "not-known", UNKNOWN, {"n12": NO_WORD}, "does not know the power"),
    case("node_status:n12:unreachable", "silent", PASS, {"n12": SILENT}, "n12", "is unreachable"),
    case("node_status:n12:unreachable", "off", PASS, {"n12": OFF}),
    case("node_status:n12:unreachable", "reachable", FAIL, None, "n12", "is reachable"),
    case("node_status:n12:unreachable", "wrong-key", UNKNOWN, {"n12": AUTH}, "Permission denied"),
    case("node_status:n12:asleep", "no-such-state", UNKNOWN, None, "'asleep' is no state"),
    case("node_status:n99", "no-such-node", UNKNOWN, None, "'n99' is no node"),
    case("node_status", "no-node", UNKNOWN, None, "has 0 arguments"),
]

DB_RUNNING = [
    case("database_running", "healthy", PASS, None, "n11, n12, n13", "n11 takes writes"),
    case("database_running", "client-off", PASS, N13_OFF, labels=MIXED),
    case(
        "database_running",
        "client-unseen",
        PASS,
        {"n13": None, **pg(n11=primary(replicas=ONE_REPLICA))},
        labels=MIXED,
    ),
    case("database_running", "primary-down", FAIL, pg(n11=down()), "n11 does not accept", "no primary"),
    case("database_running", "replica-down", FAIL, pg(n12=down()), "n12 does not accept"),
    case("database_running", "node-off", FAIL, N13_OFF, "n13"),
    case(
        "database_running", "not-streaming", FAIL, pg(n12=standby(receiver="")), "receiver of the standby n12"
    ),
    case("database_running", "read-only", FAIL, pg(n11=primary(writable=False)), "takes no writes"),
    case("database_running", "split-brain", FAIL, pg(n12=primary()), "primaries"),
    case("database_running", "wrong-key", FAIL, {"n12": AUTH}, "n12", infrastructure=True),
    case("database_running", "unread", UNKNOWN, pg(n12=None), "n12 was not read"),
    case("database_running", "unseen", UNKNOWN, {"n12": None}, "not observed: n12"),
    case("database_running", "alone", PASS, pg(n11=STANDALONE), names=SOLO, **ALONE),
    case("database_running", "alone-down", FAIL, pg(n11=down()), names=SOLO, **ALONE),
]

DB_DEGRADED = [
    case("database_degraded", "replica-down", PASS, pg(n12=down()), "n11 takes writes", "n12"),
    case("database_degraded", "node-off", PASS, N13_OFF, "n13"),
    case("database_degraded", "most-off-but-writes", PASS, {"n12": OFF, "n13": OFF}, "n11 takes writes"),
    case("database_degraded", "replica-lost", PASS, pg(n11=primary(replicas=())), "0 of 2"),
    case("database_degraded", "alone", PASS, pg(n11=STANDALONE, n12=down(), n13=STANDALONE), "n12", **ALONE),
    case("database_degraded", "healthy", FAIL, None, "nothing is missing"),
    case("database_degraded", "client-off", FAIL, N13_OFF, "nothing is missing", labels=MIXED),
    case("database_degraded", "no-writes", FAIL, PRIMARY_OFF, "no node takes writes"),
    case("database_degraded", "down", FAIL, pg(n11=down(), n12=down(), n13=down()), "more than degraded"),
    case("database_degraded", "writes-untried", UNKNOWN, WRITES_UNTRIED, "n11"),
    case("database_degraded", "replica-unread", UNKNOWN, pg(n12=None), "n12 was not read"),
    case("database_degraded", "wrong-key", UNKNOWN, {"n12": AUTH}, "n12"),
    case("database_degraded", "unseen", UNKNOWN, {"n12": None}, "not observed: n12"),
]

DB_DOWN = [
    case("database_down", "all-down", PASS, pg(n11=down(), n12=down(), n13=down()), "n11", "n12", "n13"),
    case("database_down", "all-off", PASS, everywhere(OFF), "none of n11 (power off"),
    case("database_down", "off-and-down", PASS, {"n11": OFF, **pg(n12=down(), n13=down())}),
    case("database_down", "silent", PASS, everywhere(SILENT), "timeout"),
    case("database_down", "client-runs", PASS, pg(n11=down(), n12=down(), n13=None), labels=MIXED),
    case("database_down", "healthy", FAIL, None, "n11, n12, n13"),
    case("database_down", "replica-accepts", FAIL, {"n11": OFF, "n12": OFF}, "connections on n13"),
    case("database_down", "read-only-accepts", FAIL, {"n11": OFF, "n12": OFF, **pg(n13=standby())}, "n13"),
    case("database_down", "accepts-and-unseen", FAIL, {"n12": None, "n13": AUTH}, "connections on n11"),
    case("database_down", "wrong-key", UNKNOWN, {"n11": OFF, "n12": OFF, "n13": AUTH}, "n13"),
    case("database_down", "controller", UNKNOWN, everywhere(LOCAL), "no such key file"),
    case("database_down", "ssh-refused", UNKNOWN, {"n11": OFF, "n12": OFF, "n13": REFUSED}, "but for ssh"),
    case("database_down", "unread", UNKNOWN, {"n11": OFF, "n12": OFF, **pg(n13=None)}, "n13 was not read"),
    case("database_down", "unseen", UNKNOWN, {**everywhere(OFF), "n13": None}, "not observed: n13"),
    case("database_down", "no-database", UNKNOWN, None, "labelled", labels=dict.fromkeys(NAMES, ())),
]

ADMIN_UI = [
    case("admin_ui_accessible", "healthy", PASS, None, "n11, n12, n13"),
    case("admin_ui_accessible", "login-page", PASS, {"n12": ui(401)}),
    case("admin_ui_accessible", "first-good-status", PASS, {"n12": ui(1)}),
    case("admin_ui_accessible", "last-good-status", PASS, {"n12": ui(499)}),
    case("admin_ui_accessible", "off-node-is-excused", PASS, {"n12": OFF}, "n11, n13"),
    case(
        "admin_ui_accessible",
        "labelled-node-only",
        PASS,
        {"n11": ui(0)},
        "n13",
        labels={"n13": ("admin_ui",)},
    ),
    case("admin_ui_accessible", "wrong-key-but-answers", PASS, {"n12": {**AUTH, **ui(200)}}, "n12"),
    case(
        "admin_ui_accessible", "nothing-answers", FAIL, {"n12": ui(0, "timed out")}, "n12: no answer", "timed"
    ),
    case("admin_ui_accessible", "server-error", FAIL, {"n12": ui(500)}, "n12: status 500", "https://n12/"),
    case("admin_ui_accessible", "all-off", FAIL, everywhere(OFF), "n11", "does not run"),
    case(
        "admin_ui_accessible", "labelled-node-off", FAIL, {"n13": OFF}, "n13", labels={"n13": ("admin_ui",)}
    ),
    case("admin_ui_accessible", "not-asked", UNKNOWN, {"n12": {"admin_ui": None}}, "n12 was not asked"),
    case("admin_ui_accessible", "wrong-key", UNKNOWN, {"n12": {**AUTH, **ui(0)}}, "n12"),
    case("admin_ui_accessible", "unseen", UNKNOWN, {"n12": None}, "not observed: n12"),
    case("admin_ui_accessible", "nobody-has-one", UNKNOWN, None, "admin UI", labels=dict.fromkeys(NAMES, ())),
]

LOST = ((1, 16), (18, 100))
READ_ONLY = {"writable": False}
BOTH = pg(n11=STANDALONE, n12=primary(integrity=LOST), n13=STANDALONE)
INTEGRITY = [
    case("data_integrity", "all-there", PASS, None, "n11 holds all 100"),
    case("data_integrity", "more-than-acknowledged", PASS, pg(n11=primary(integrity=((1, 250),)))),
    case(
        "data_integrity",
        "replica-lags",
        PASS,
        pg(n12=standby(integrity=((1, 90),))),
        "n12 lacks 10 of 100",
        "91",
    ),
    case("data_integrity", "replica-unread", PASS, pg(n12=standby(integrity=None)), "n11"),
    case("data_integrity", "replica-off", PASS, {"n12": OFF}, "n11 holds all"),
    case(
        "data_integrity", "one-row-lost", FAIL, pg(n11=primary(integrity=LOST)), "n11 lacks 1 of 100", ": 17"
    ),
    case("data_integrity", "tail-lost", FAIL, pg(n11=primary(integrity=((1, 90),))), "10 of 100", "91-100"),
    case("data_integrity", "all-lost", FAIL, pg(n11=primary(integrity=())), "100 of 100", "1-100"),
    case(
        "data_integrity",
        "many-holes",
        FAIL,
        pg(n11=primary(integrity=tuple((i, i) for i in range(1, 101, 2)))),
        "50 of 100 acknowledged rows: 2, 4, 6, 8, 10 and 45 more ranges",
    ),
    case(
        "data_integrity",
        "lost-and-lag",
        FAIL,
        pg(n11=primary(integrity=LOST), n12=standby(integrity=())),
        "n12",
    ),
    case(
        "data_integrity",
        "promoted-replica-lacks",
        FAIL,
        {"n11": OFF, **pg(n12=primary(integrity=LOST))},
        "n12",
    ),
    case("data_integrity", "split-brain", FAIL, pg(n12=primary(integrity=LOST)), "n12 lacks 1"),
    case("data_integrity", "split-brain-unread", UNKNOWN, pg(n12=primary(integrity=None)), "n12"),
    case(
        "data_integrity",
        "table-gone",
        FAIL,
        pg(n11=primary(integrity=None, integrity_error='relation "e2e.integrity" does not exist')),
        "n11",
        "does not exist",
    ),
    case(
        "data_integrity",
        "read-timed-out",
        UNKNOWN,
        pg(n11=primary(integrity=None, integrity_error="canceling statement due to statement timeout")),
        "n11",
    ),
    case(
        "data_integrity",
        "no-answer",
        UNKNOWN,
        pg(n11=primary(integrity=None, integrity_error="no answer within 2.0 s")),
        "n11",
    ),
    case("data_integrity", "not-asked", UNKNOWN, pg(n11=primary(integrity=None)), "were not asked for"),
    case("data_integrity", "no-writer", UNKNOWN, None, "nothing was shown", acknowledged=None),
    case("data_integrity", "nothing-acknowledged", UNKNOWN, None, "nothing was shown", acknowledged=()),
    case("data_integrity", "unseen", UNKNOWN, {"n12": None}, "not observed: n12"),
    case("data_integrity", "read-only-all-there", PASS, PRIMARY_OFF, "no node takes writes", "n12, n13"),
    case(
        "data_integrity",
        "read-only-one-has-all",
        PASS,
        {"n11": OFF, **pg(n12=standby(integrity=LOST))},
        "n12, n13, read only, holds all",
    ),
    case(
        "data_integrity",
        "read-only-lost",
        FAIL,
        {"n11": OFF, **pg(n12=standby(integrity=LOST), n13=standby(integrity=LOST))},
        "lacks 1 of 100",
    ),
    case("data_integrity", "read-only-wrong-key", UNKNOWN, {"n11": AUTH}, "n11"),
    case(
        "data_integrity",
        "read-only-unread",
        UNKNOWN,
        {"n11": OFF, **pg(n12=standby(integrity=None))},
        "rows of n12 were",
    ),
    case("data_integrity", "all-off", UNKNOWN, everywhere(OFF), "were not read"),
    case("data_integrity", "alone", PASS, BOTH, "n11 holds all", **ALONE),
    case("data_integrity", "alone-lost", FAIL, BOTH, "n12 lacks 1", primary="n12", **ALONE),
    case("data_integrity", "alone-off", UNKNOWN, {**BOTH, "n11": OFF}, "rows of n11", **ALONE),
    case("data_integrity", "alone-primary-foreign", UNKNOWN, BOTH, "rows of n99", primary="n99", **ALONE),
    case("data_integrity", "no-database", UNKNOWN, None, "labelled", labels=dict.fromkeys(NAMES, ())),
    case(
        "data_integrity", "alone-read-only", FAIL, pg(n11=primary(integrity=LOST, **READ_ONLY)), "17", **ALONE
    ),
]

CASES = [
    *CLUSTER_STATUS,
    *STOPPED,
    *DEGRADED,
    *CRITICAL,
    *RUNNING,
    *SSH,
    *POWERED_OFF,
    *NODE_STATUS,
    *DB_RUNNING,
    *DB_DEGRADED,
    *DB_DOWN,
    *ADMIN_UI,
    *INTEGRITY,
    *(
        Case(title, check, expected, dict(changes), says, infrastructure, dict(rest))
        for check, title, expected, changes, says, infrastructure, rest in PATRONI_ROWS
    ),
]
FAMILIES = (cluster, nodes, database, admin_ui, integrity, patroni)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}-{case.id}")
def test_outcome(case: Case) -> None:
    outcome = evaluate(case.check, situation(case.changes, **case.rest))
    assert (outcome.passed, outcome.infrastructure) == (case.expected, case.infrastructure), outcome.message
    assert all(text in outcome.message for text in case.says), outcome.message


def test_every_built_in_check_is_seen_to_pass_to_fail_and_to_be_unknown() -> None:
    seen = {(case.check.partition(":")[0], case.expected) for case in CASES}
    known = [check.name for family in FAMILIES for check in family.CHECKS]
    assert seen == {(name, expected) for name in known for expected in (PASS, FAIL, UNKNOWN)}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.expected is PASS],
    ids=lambda case: f"{case.check}-{case.id}",
)
def test_nothing_passes_without_an_observation(case: Case) -> None:
    looked_at_nothing = dict.fromkeys(NAMES)
    assert evaluate(case.check, situation(looked_at_nothing, **case.rest)).passed is UNKNOWN


@pytest.mark.parametrize("health", ["cluster_status", "cluster_degraded", "cluster_critical"])
def test_healthy_degraded_and_critical_exclude_each_other(health: str) -> None:
    looks = {"cluster_status": {}, "cluster_degraded": N13_OFF, "cluster_critical": PRIMARY_OFF}
    assert {
        name: evaluate(name, situation(look)).passed for name, look in looks.items() if name == health
    } == {health: True}
    others = [look for name, look in looks.items() if name != health]
    assert [evaluate(health, situation(look)).passed for look in others] == [False, False]


def test_an_unknown_state_is_unknown_even_without_the_registry() -> None:
    assert node_status(situation(), ("n12", "asleep")).passed is UNKNOWN


def test_a_node_that_is_observed_but_not_of_the_test_is_unknown() -> None:
    look = situation()
    smaller = Situation(look.observation, {"n11": ("database",)}, "replication", "n11")
    assert node_status(smaller, ("n12",)).passed is UNKNOWN
    assert node_status(situation({"n12": None}), ("n12",)).passed is UNKNOWN
