"""The role of PostgreSQL on each node: who takes writes, who follows whom, and what of it is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from e2e_ansible.checks.base import Outcome, Situation, failed
from e2e_ansible.checks.nodes import Finding, blind
from e2e_ansible.checks.servers import accepting, database_names, names, writers
from e2e_ansible.nodes.observation import NodeObservation

__all__ = ["role_findings", "split_brain"]

_STREAMING = "streaming"


def role_findings(situation: Situation) -> Iterator[Finding]:
    """What is wrong with PostgreSQL and its roles on the nodes that answer over ssh.

    Replication: exactly one primary, writable, that lists as many streaming replicas as expected; all others
    are in recovery and their receiver streams. Patroni: the same, whichever node it is, and all on its timeline; with
    two sites there is one primary in both, and each other node is sent to by some node.
    Standalone: each node accepts connections and takes writes.
    """
    reachable = [node for node in situation.databases if node.reachable]
    for node in reachable:
        yield from _server_findings(node)
    up = [node for node in reachable if accepting(node)]
    if situation.database == "standalone":
        for node in up:
            yield from _write_findings(node)
    else:
        yield from _replication_findings(situation, up)


def _error(node: NodeObservation) -> str:
    return f": {node.postgres.error}" if node.postgres and node.postgres.error else ""


def _server_findings(node: NodeObservation) -> Iterator[Finding]:
    postgres = node.postgres
    if postgres is None:
        yield Finding(f"PostgreSQL on {node.node} was not read", decided=False)
    elif not postgres.installed:
        yield Finding(f"PostgreSQL is not installed on {node.node}")
    elif not postgres.accepting:
        yield Finding(f"PostgreSQL on {node.node} does not accept connections{_error(node)}")


def _write_findings(node: NodeObservation) -> Iterator[Finding]:
    writable = node.postgres.writable if node.postgres else None
    if writable is None:
        yield Finding(f"it was not tried whether {node.node} takes writes", decided=False)
    elif not writable:
        yield Finding(f"{node.node} takes no writes{_error(node)}")


def _in_recovery(node: NodeObservation) -> bool | None:
    return node.postgres.in_recovery if node.postgres else None


def _replication_findings(situation: Situation, up: Sequence[NodeObservation]) -> Iterator[Finding]:
    primaries = [node for node in up if _in_recovery(node) is False]
    for node in up:
        recovering = _in_recovery(node)
        if recovering is None:
            yield Finding(f"the role of {node.node} was not read", decided=False)
        elif recovering:
            yield from _standby_findings(node)
    for node in primaries:
        yield from _write_findings(node)
    if len(primaries) == 1 and situation.contexts:
        yield from _unsent_findings(situation, primaries[0], up)
    elif len(primaries) == 1:
        yield from _sender_findings(primaries[0], len(database_names(situation)) - 1)
    else:
        yield _primary_count_finding(situation, primaries)
    if situation.database == "patroni" and len(primaries) == 1:
        yield from _timeline_findings(primaries[0], up)


def _standby_findings(node: NodeObservation) -> Iterator[Finding]:
    postgres = node.postgres
    if postgres and postgres.writable:
        yield Finding(f"{node.node} was in recovery and took writes: its role changed", decided=False)
    if postgres and postgres.receiver != _STREAMING:
        state = postgres.receiver or "absent"
        yield Finding(f"the receiver of the standby {node.node} is {state}, not streaming")


def _may_be_primary(node: NodeObservation) -> bool:
    unread = node.reachable and node.postgres is None
    return unread or blind(node) or (accepting(node) and _in_recovery(node) is None)


def _primary_count_finding(situation: Situation, primaries: Sequence[NodeObservation]) -> Finding:
    if primaries:
        return Finding(f"{names(primaries)} are primaries at the same time")
    hidden = any(map(_may_be_primary, situation.databases))
    return Finding(f"no primary among {', '.join(database_names(situation))}", decided=not hidden)


def _timeline_findings(primary: NodeObservation, up: Sequence[NodeObservation]) -> Iterator[Finding]:
    """Standbys on another timeline than the primary: they follow a history that is over."""
    right = primary.postgres.timeline if primary.postgres else None
    for node in up:
        timeline = node.postgres.timeline if node.postgres else None
        if right is not None and timeline is not None and timeline != right:
            yield Finding(f"{node.node} is on timeline {timeline}, the primary {primary.node} on {right}")


def split_brain(situation: Situation) -> Outcome | None:
    """The failure of more than one writer where Patroni promises one, else None."""
    taking = writers(situation)
    if situation.database == "patroni" and len(taking) > 1:
        return failed(f"split brain: {names(taking)} take writes at the same time")
    return None


def _unsent_findings(
    situation: Situation, primary: NodeObservation, up: Sequence[NodeObservation]
) -> Iterator[Finding]:
    """Nodes that nobody sends WAL to. With two sites the primary sends to one node of the other site only."""
    replicas = [replica for node in up if node.postgres for replica in node.postgres.replicas]
    sent = {replica.name for replica in replicas if replica.state == _STREAMING}
    for name in database_names(situation):
        if name != primary.node and name not in sent:
            yield Finding(f"no node lists {name} as a streaming replica")


def _sender_findings(primary: NodeObservation, expected: int) -> Iterator[Finding]:
    replicas = primary.postgres.replicas if primary.postgres else ()
    streaming = [replica for replica in replicas if replica.state == _STREAMING]
    if len(streaming) < expected:
        others = [f"{replica.name} {replica.state}" for replica in replicas if replica.state != _STREAMING]
        also = f" (also {', '.join(others)})" if others else ""
        share = f"{len(streaming)} of {expected}"
        yield Finding(f"the primary {primary.node} lists {share} streaming replicas{also}")
