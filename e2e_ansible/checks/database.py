"""Checks about PostgreSQL: does it accept connections, is it in its role everywhere, does its UI answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, failed, passed, unknown
from e2e_ansible.checks.nodes import (
    Finding,
    blind,
    blind_among,
    decide,
    is_running,
    not_running,
    seen,
    unseen_among,
)
from e2e_ansible.nodes.observation import NodeObservation, Unreachable

__all__ = [
    "CHECKS",
    "accepting",
    "admin_ui_accessible",
    "database_degraded",
    "database_down",
    "database_names",
    "database_running",
    "may_write",
    "names",
    "role_findings",
    "split_brain",
    "unobserved",
    "write_gaps",
    "writers",
]

_DATABASE = "database"
_ADMIN_UI = "admin_ui"
_STREAMING = "streaming"


def names(nodes: Iterable[NodeObservation]) -> str:
    """Names with commas."""
    return ", ".join(node.node for node in nodes)


def database_names(situation: Situation) -> tuple[str, ...]:
    """Expected nodes labelled `database`, in order."""
    return tuple(name for name, labels in situation.expected.items() if _DATABASE in labels)


def unobserved(situation: Situation) -> Outcome | None:
    """Unknown when there is no database node or one of them was not looked at, else None."""
    expected = database_names(situation)
    if not expected:
        return unknown("no node of this test is labelled database")
    return unseen_among(situation, expected)


def accepting(node: NodeObservation) -> bool:
    """Whether PostgreSQL on it accepts connections."""
    return node.postgres is not None and node.postgres.accepting


def writers(situation: Situation) -> tuple[NodeObservation, ...]:
    """Database nodes on which a transaction was really committed."""
    return tuple(node for node in situation.databases if node.postgres and node.postgres.writable)


def may_write(node: NodeObservation) -> bool:
    """Whether it was not found out if this node takes writes."""
    if node.postgres is None:
        return node.reachable or blind(node)
    untried = node.postgres.accepting and node.postgres.writable is None
    return untried and node.postgres.in_recovery is not True


def write_gaps(situation: Situation) -> tuple[Finding, ...]:
    """Nodes that may take writes for all that was seen; with one of them nobody can say that none does."""
    return tuple(
        Finding(f"it was not seen whether {seen(node)} takes writes", decided=False)
        for node in situation.databases
        if may_write(node)
    )


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


def _all_findings(situation: Situation) -> list[Finding]:
    return [*not_running(situation.databases), *role_findings(situation)]


def database_running(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """PostgreSQL accepts connections on every database node and is in its proper role there."""
    missing = unobserved(situation)
    if missing:
        return missing
    where = f"PostgreSQL runs on {names(situation.databases)}; {names(writers(situation))} takes writes"
    return decide(_all_findings(situation), where)


def database_degraded(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Writes answer on some database node, and at least one database node is missing or out of its role."""
    missing = unobserved(situation) or blind_among(situation.databases) or split_brain(situation)
    if missing:
        return missing
    taking = writers(situation)
    if not taking:
        return decide([*write_gaps(situation)] or [Finding("no node takes writes: more than degraded")], "")
    findings = _all_findings(situation)
    text = "; ".join(finding.text for finding in findings)
    if any(finding.decided for finding in findings):
        return passed(f"{names(taking)} takes writes; {text}")
    return unknown(text) if findings else failed(f"nothing is missing on {names(situation.databases)}")


def _down_gap(node: NodeObservation) -> Finding | None:
    """Why it is not shown that this node, on which nothing was seen to accept connections, accepts none."""
    if node.reachable and node.postgres is None:
        return Finding(f"PostgreSQL on {node.node} was not read", decided=False)
    if blind(node):
        return Finding(f"{seen(node)} could not be looked at", decided=False)
    if not node.reachable and node.unreachable is Unreachable.REFUSED:
        return Finding(f"{seen(node)} is up but for ssh, so PostgreSQL may be too", decided=False)
    return None


def database_down(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """No database node accepts connections, and that was seen or follows from the node being down."""
    missing = unobserved(situation)
    open_nodes = [node for node in situation.databases if accepting(node)]
    if open_nodes:
        return failed(f"PostgreSQL accepts connections on {names(open_nodes)}")
    if missing:
        return missing
    gaps = filter(None, map(_down_gap, situation.databases))
    where = ", ".join(map(seen, situation.databases))
    return decide(gaps, f"PostgreSQL accepts connections on none of {where}")


def _admin_ui_names(situation: Situation) -> tuple[str, ...]:
    """Nodes that should have the admin UI: those labelled so, else every database node."""
    labelled = tuple(name for name, labels in situation.expected.items() if _ADMIN_UI in labels)
    return labelled or database_names(situation)


def _admin_ui_finding(node: NodeObservation) -> Finding | None:
    ui = node.admin_ui
    if ui is not None and 1 <= ui.status <= 499:
        return None
    if ui is None:
        return Finding(f"the admin UI of {node.node} was not asked", decided=False)
    answer = f"status {ui.status}" if ui.status else "no answer"
    error = f": {ui.error}" if ui.error else ""
    return Finding(f"{node.node}: {answer} from {ui.url}{error}", decided=not blind(node))


def admin_ui_accessible(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """The admin UI answers with a status from 1 to 499 on every running node that should have it."""
    expected = _admin_ui_names(situation)
    missing = unseen_among(situation, expected)
    if missing or not expected:
        return missing or unknown("no node of this test has an admin UI")
    having = [node for node in situation.nodes if node.node in expected]
    asked = [node for node in having if is_running(node) or blind(node)]
    if not asked:
        return decide(not_running(having), "")
    findings = filter(None, map(_admin_ui_finding, asked))
    return decide(findings, f"the admin UI answers on {names(asked)}")


CHECKS = (
    Check("database_running", "PostgreSQL runs in its proper role on every database node", database_running),
    Check("database_degraded", "Writes answer, but a database node or replica is missing", database_degraded),
    Check("database_down", "No database node accepts connections", database_down),
    Check(
        "admin_ui_accessible",
        "The admin UI answers on every running node",
        admin_ui_accessible,
        needs_admin_ui=True,
    ),
)
