"""Builders for the monitor's tests: two healthy sites first, then the one thing that a case breaks."""

from __future__ import annotations

from typing import Any

from e2e_ansible.nodes.load import Cpu, Load, Restoring
from e2e_ansible.nodes.observation import (
    NodeObservation,
    Observation,
    Patroni,
    PatroniMember,
    Postgres,
    PowerState,
    Unreachable,
)
from e2e_ansible.nodes.services import Backup, Exporter, Services
from e2e_ansible.report.words import stamp
from e2e_ansible.soak.records import ContextSnapshot, NodeLoad, ResourceSnapshot

LABELS = {
    "n11": ("database", "site_a"),
    "n12": ("database", "site_a"),
    "n13": ("database", "site_b"),
    "c11": ("client",),
}
SITES = ("site_a", "site_b")
CONTEXTS = {"site_a": ("n11", "n12"), "site_b": ("n13",)}
_OF_A_CONTEXT = set(ContextSnapshot.model_fields) - {"error"}
BEGIN = 1_800_000_000.0


def postgres(*, standby: bool = False, **changes: Any) -> Postgres:
    facts: dict[str, Any] = {"installed": True, "accepting": True, "in_recovery": standby, "lsn": "1/20"}
    return Postgres(**{**facts, **changes})


def patroni(role: str, **changes: Any) -> Patroni:
    return Patroni(**{"answers": True, "role": role, "state": "running", **changes})


def backup(**changes: Any) -> Backup:
    well = {"status": 0, "said": "ok", "backups": 1, "newest": "F", "age_seconds": 60.0, "size_bytes": 1_000}
    return Backup(**{**well, "timer": "active", "last_run": "success", **changes})


def services(**changes: Any) -> Services:
    return Services(**{"backup": backup(), "exporter": Exporter(port=9187, status=200, up=True), **changes})


def load(busy: float = 10.0, of: float = 100.0, *, restore: Restoring | None = None, **changes: Any) -> Load:
    cpu = Cpu(busy_seconds=busy, of_seconds=of, source="cgroup")
    return Load(**{"cpu": cpu, "memory_percent": 40.0, "disk_percent": 50.0, "restore": restore, **changes})


def node(name: str, **changes: Any) -> NodeObservation:
    facts: dict[str, Any] = {"node": name, "power": PowerState.ON, "reachable": True, "labels": LABELS[name]}
    return NodeObservation(**{**facts, "services": services(), "load": load(), **changes})


def away(name: str) -> NodeObservation:
    """On, and deaf."""
    facts: dict[str, Any] = {"reachable": False, "unreachable": Unreachable.TIMEOUT, "reason": "no answer"}
    return node(name, **facts, services=None, load=None)


def off(name: str) -> NodeObservation:
    return node(name, power=PowerState.OFF, reachable=False, services=None, load=None)


def down(name: str, role: str = "replica") -> NodeObservation:
    """It answers, and its PostgreSQL does not."""
    stopped = Postgres(installed=True, accepting=False, error="no socket")
    return node(name, postgres=stopped, patroni=patroni(role, state="stopped"))


def well() -> dict[str, NodeObservation]:
    """A leader with a replica, and a standby cluster of one."""
    members = (
        PatroniMember(name="n11", role="leader", state="running"),
        PatroniMember(name="n12", role="replica", state="streaming", lag_bytes=5),
    )
    return {
        "n11": node("n11", postgres=postgres(lsn="1/30"), patroni=patroni("leader", members=members)),
        "n12": node("n12", postgres=postgres(standby=True), patroni=patroni("replica", state="streaming")),
        "n13": node("n13", postgres=postgres(standby=True), patroni=patroni("standby_leader")),
        "c11": node("c11", postgres=Postgres(installed=False), services=Services()),
    }


def observed(**changes: NodeObservation) -> Observation:
    """The healthy sites with some nodes changed."""
    return Observation(at=BEGIN, nodes=tuple({**well(), **changes}.values()))


def seen(seconds: float, *, healthy: bool | None = True, **changes: Any) -> ResourceSnapshot:
    """One snapshot of one context, so many seconds after the begin; a node is named by `nodes`."""
    error = "" if healthy else "no leader"
    unseen = {"n11": "unreachable"} if healthy is None else {"n11": "leader running"}
    parts = {name: changes.pop(name) for name in set(changes) & _OF_A_CONTEXT}
    context = {"context": "site_a", "healthy": healthy, "members": unseen, "error": error, **parts}
    given: dict[str, Any] = {"primary": ContextSnapshot(**context), "nodes": {"n11": NodeLoad(state="up")}}
    return ResourceSnapshot(timestamp=stamp(BEGIN + seconds), run_id="r", **{**given, **changes})


def blind(seconds: float) -> ResourceSnapshot:
    """A look that saw nothing."""
    return ResourceSnapshot(timestamp=stamp(BEGIN + seconds), run_id="r", error="no answer within 20 s")
