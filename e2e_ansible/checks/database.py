"""Checks of the database as a whole: it runs, it runs with something missing, or it does not run."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, failed
from e2e_ansible.checks.nodes import Finding, blind, blind_among, decide, not_running, seen
from e2e_ansible.checks.roles import role_findings, split_brain
from e2e_ansible.checks.servers import accepting, less_than_whole, names, unobserved, write_gaps, writers
from e2e_ansible.nodes.observation import NodeObservation, Unreachable

__all__ = ["CHECKS", "database_degraded", "database_down", "database_running"]


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
    if not writers(situation):
        return decide([*write_gaps(situation)] or [Finding("no node takes writes: more than degraded")], "")
    whole = f"nothing is missing on {names(situation.databases)}"
    return less_than_whole(situation, _all_findings(situation), whole)


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


CHECKS = (
    Check("database_running", "PostgreSQL runs in its proper role on every database node", database_running),
    Check("database_degraded", "Writes answer, but a database node or replica is missing", database_degraded),
    Check("database_down", "No database node accepts connections", database_down),
)
