"""One look as what it means: the state of each context, and how busy each node is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from e2e_ansible.monitor.services import backup_state, exporter_state, restore_state
from e2e_ansible.nodes.load import Cpu, Load
from e2e_ansible.nodes.observation import NodeObservation, Observation, PowerState, Unreachable
from e2e_ansible.soak.records import ContextSnapshot, NodeLoad

__all__ = ["WHOLE_CLUSTER", "Seen", "contexts_of", "cpu_percent", "snapshot"]

WHOLE_CLUSTER = "cluster"
_DATABASE = "database"
_LEADS = ("leader", "standby_leader")
_NOT_ITS_FAULT = (Unreachable.AUTH, Unreachable.LOCAL)
_DEAD = (PowerState.OFF, PowerState.ABSENT)
_Role = Literal["primary", "standby", "none", "unknown"]


@dataclass(frozen=True)
class Seen:
    """What one look came to; the contexts in the order in which they were asked for. `loads` is for the next look."""

    contexts: tuple[ContextSnapshot, ...]
    nodes: Mapping[str, NodeLoad]
    loads: Mapping[str, Load]


def contexts_of(nodes: Mapping[str, Sequence[str]], sites: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The database nodes of each site, by the labels of all nodes; without sites all are one context."""
    databases = {name: labels for name, labels in nodes.items() if _DATABASE in labels}
    if not sites:
        return {WHOLE_CLUSTER: tuple(databases)}
    return {site: tuple(name for name, labels in databases.items() if site in labels) for site in sites}


def snapshot(
    observation: Observation, contexts: Mapping[str, Sequence[str]], before: Mapping[str, Load]
) -> Seen:
    """What was seen of the nodes of each context. `before` are the loads of the last looks at each node."""
    there = {node.node: node for node in observation}
    parts = {name: [there[node] for node in nodes if node in there] for name, nodes in contexts.items()}
    writer = _one_writer(parts.values())
    found = tuple(_context(name, nodes, writer, before) for name, nodes in parts.items())
    loads = {node.node: _load(node, before.get(node.node)) for node in observation}
    now = {node.node: node.load for node in observation if node.load is not None}
    return Seen(found, loads, {**before, **now})


# ---- nodes


def cpu_percent(before: Cpu | None, now: Cpu | None) -> float | None:
    """How busy a processor was between two looks; None when that cannot be told, as after a boot."""
    if before is None or now is None or before.source != now.source:
        return None
    spent, of = now.busy_seconds - before.busy_seconds, now.of_seconds - before.of_seconds
    return round(min(100.0, 100 * spent / of), 1) if of > 0 and spent >= 0 else None


def _load(node: NodeObservation, before: Load | None) -> NodeLoad:
    now = node.load
    if now is None:
        return NodeLoad(state=_state(node))
    return NodeLoad(
        state=_state(node),
        cpu_percent=cpu_percent(before.cpu if before else None, now.cpu),
        memory_percent=now.memory_percent,
        disk_percent=now.disk_percent,
    )


def _state(node: NodeObservation) -> Literal["up", "off", "absent", "unreachable", "unknown"]:
    """A node that is off or does not answer is in a state, and no error. What is wrong here tells nothing of it."""
    if node.power is PowerState.OFF:
        return "off"
    if node.power is PowerState.ABSENT:
        return "absent"
    if node.reachable:
        return "up"
    return "unknown" if node.unreachable in _NOT_ITS_FAULT else "unreachable"


# ---- contexts


def _context(
    name: str,
    nodes: Sequence[NodeObservation],
    writer: NodeObservation | None,
    before: Mapping[str, Load],
) -> ContextSnapshot:
    healthy, error = _health(nodes)
    leaders = [node for node in nodes if _leads(node)]
    return ContextSnapshot(
        context=name,
        role=_role(nodes, leaders),
        healthy=healthy,
        leader=", ".join(node.node for node in leaders),
        members={node.node: _member(node) for node in nodes},
        lag_bytes=_lag(leaders[0], writer) if len(leaders) == 1 else None,
        backup=backup_state(nodes, leaders),
        restore=restore_state(nodes, before),
        exporter=exporter_state(nodes),
        error="; ".join(filter(None, [error, *_unread(nodes)])),
    )


def _unread(nodes: Sequence[NodeObservation]) -> Iterator[str]:
    """What could not be read of nodes that answered."""
    for node in nodes:
        if node.services is not None and node.services.error:
            yield f"{node.node}: services: {node.services.error}"
        if node.load is not None and node.load.error:
            yield f"{node.node}: load: {node.load.error}"


def _health(nodes: Sequence[NodeObservation]) -> tuple[bool | None, str]:
    """Whether somebody serves here, None when that is not known; and why not, or why it is not known."""
    writers = [node.node for node in nodes if _takes_writes(node)]
    if len(writers) > 1:
        return False, f"{' and '.join(writers)} take writes at the same time"
    if any(_leads(node) and _accepts(node) for node in nodes):
        return True, ""
    unseen = [f"{node.node}: {_why(node)}" for node in nodes if not _looked_at(node)]
    if unseen or not nodes:
        return None, "; ".join(unseen) or "no node of it was looked at"
    if not any(node.power is PowerState.OFF or _installed(node) for node in nodes):
        return None, "there is no PostgreSQL yet"
    return False, "; ".join(f"{node.node}: {_trouble(node)}" for node in nodes)


def _role(nodes: Sequence[NodeObservation], leaders: Sequence[NodeObservation]) -> _Role:
    if leaders:
        recovering = [node.postgres.in_recovery for node in leaders if node.postgres]
        if False in recovering:
            return "primary"
        return "standby" if True in recovering else "unknown"
    return "none" if all(_looked_at(node) for node in nodes) and nodes else "unknown"


def _looked_at(node: NodeObservation) -> bool:
    """Whether it is known how it is with PostgreSQL there: on a node that is off, it is not running."""
    return node.power in _DEAD or (node.reachable and node.postgres is not None)


def _why(node: NodeObservation) -> str:
    return node.reason or (node.unreachable.value if node.unreachable else "it was not looked at")


def _installed(node: NodeObservation) -> bool:
    return node.postgres is not None and node.postgres.installed


def _accepts(node: NodeObservation) -> bool:
    return node.postgres is not None and node.postgres.accepting


def _takes_writes(node: NodeObservation) -> bool:
    return node.postgres is not None and node.postgres.accepting and node.postgres.in_recovery is False


def _leads(node: NodeObservation) -> bool:
    """Patroni calls it a leader, of an ordinary cluster or of a standby; or it takes writes, whatever Patroni says."""
    patroni = node.patroni
    return _takes_writes(node) or (patroni is not None and patroni.answers and patroni.role in _LEADS)


def _member(node: NodeObservation) -> str:
    """The state of a node in two or three words."""
    state = _state(node)
    if state != "up":
        return state
    patroni, postgres = node.patroni, node.postgres
    if patroni is not None and patroni.answers:
        return f"{patroni.role} {patroni.state}".strip()
    without = "without Patroni, " if patroni is not None else ""
    if postgres is None:
        return "unknown"
    if not postgres.accepting:
        return f"{without}down" if postgres.installed else "not installed"
    return f"{without}{'standby' if postgres.in_recovery else 'primary'}"


def _trouble(node: NodeObservation) -> str:
    postgres = node.postgres
    said = postgres.error if postgres is not None and not postgres.accepting else ""
    return f"{_member(node)} ({said})" if said else _member(node)


# ---- replication


def _one_writer(parts: Iterable[Sequence[NodeObservation]]) -> NodeObservation | None:
    writers = [node for nodes in parts for node in nodes if _takes_writes(node)]
    return writers[0] if len(writers) == 1 else None


def _lag(leader: NodeObservation, writer: NodeObservation | None) -> int | None:
    """Bytes of WAL that are not replayed: by the replicas of a primary, by a standby since the writer wrote them."""
    if _takes_writes(leader):
        return max(_replica_lags(leader), default=None)
    if writer is None or writer.postgres is None or leader.postgres is None:
        return None
    ahead, behind = _position(writer.postgres.lsn), _position(leader.postgres.lsn)
    return None if ahead is None or behind is None else max(0, ahead - behind)


def _replica_lags(leader: NodeObservation) -> list[int]:
    patroni, postgres = leader.patroni, leader.postgres
    if patroni is not None and patroni.members:
        return [each.lag_bytes for each in patroni.members if each.lag_bytes is not None]
    replicas = postgres.replicas if postgres is not None else ()
    return [each.lag_bytes for each in replicas if each.lag_bytes is not None]


def _position(lsn: str) -> int | None:
    """A place in the WAL, as `1/2A3B`, in bytes."""
    high, slash, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16) if slash else None
