"""Sights: an observation in few words per node, for tables and logs."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_ansible.nodes.observation import AdminUi, NodeObservation, Observation, Patroni, Postgres

__all__ = ["Sight", "sights"]


@dataclass(frozen=True)
class Sight:
    """What was seen of one node; a part that was not looked at is empty."""

    node: str
    power: str
    ssh: str
    system: str
    postgres: str
    replication: str
    admin_ui: str
    patroni: str = ""

    def __str__(self) -> str:
        parts = (
            f"power {self.power}",
            f"ssh {self.ssh}",
            self.system and f"system {self.system}",
            self.postgres and f"postgres {self.postgres}",
            self.replication and f"replication {self.replication}",
            self.patroni and f"patroni {self.patroni}",
            self.admin_ui and f"admin UI {self.admin_ui}",
        )
        return f"{self.node}: " + "; ".join(part for part in parts if part)


def sights(observation: Observation) -> tuple[Sight, ...]:
    """One sight per node, in the order of the observation."""
    return tuple(_sight(node) for node in observation.nodes)


def _sight(node: NodeObservation) -> Sight:
    return Sight(
        node=node.node,
        power=node.power.value,
        ssh=_ssh(node),
        system=_system(node),
        postgres=_postgres(node.postgres) if node.postgres else "",
        replication=_replication(node.postgres) if node.postgres else "",
        admin_ui=_admin_ui(node.admin_ui) if node.admin_ui else "",
        patroni=_patroni(node.patroni) if node.patroni else "",
    )


def _ssh(node: NodeObservation) -> str:
    if node.reachable:
        return "answers"
    why = node.unreachable.value if node.unreachable else "no answer"
    return f"{why} ({node.reason})" if node.reason else why


def _system(node: NodeObservation) -> str:
    units = ", ".join(node.failed_units)
    return f"{node.system_state} ({units})".strip() if units else node.system_state


def _postgres(postgres: Postgres) -> str:
    if not postgres.installed:
        return "not installed"
    if not postgres.accepting:
        return f"down ({postgres.error})" if postgres.error else "down"
    role = {True: "standby", False: "primary", None: "up"}[postgres.in_recovery]
    parts = [role]
    if postgres.writable is not None:
        parts.append("writable" if postgres.writable else "not writable")
    if postgres.timeline is not None:
        parts.append(f"timeline {postgres.timeline}")
    if postgres.lsn:
        parts.append(postgres.lsn)
    if postgres.integrity_error:
        parts.append(f"integrity: {postgres.integrity_error}")
    return ", ".join(parts)


def _replication(postgres: Postgres) -> str:
    sent = [
        f"{replica.name} {replica.state} {replica.sync_state}"
        + (f" {replica.lag_bytes} B behind" if replica.lag_bytes else "")
        for replica in postgres.replicas
    ]
    received = [f"receiver {postgres.receiver}"] if postgres.receiver else []
    return ", ".join(sent + received)


def _patroni(patroni: Patroni) -> str:
    if not patroni.answers:
        return f"no answer ({patroni.error})" if patroni.error else "no answer"
    parts = [f"{patroni.role} {patroni.state}".strip()]
    parts += [f"timeline {patroni.timeline}"] if patroni.timeline is not None else []
    parts += [f"{patroni.lag_bytes} B behind"] if patroni.lag_bytes else []
    parts += ["paused"] if patroni.paused else []
    parts += ["restart pending"] if patroni.pending_restart else []
    parts += ["etcd without quorum"] if patroni.etcd is False else []
    parts += [patroni.error] if patroni.error else []
    return ", ".join(parts)


def _admin_ui(admin_ui: AdminUi) -> str:
    if admin_ui.status:
        return f"HTTP {admin_ui.status}"
    return f"no answer ({admin_ui.error})" if admin_ui.error else "no answer"
