"""The nodes that should have PostgreSQL: whether it answers on them, and which of them take writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from e2e_ansible.checks.base import Outcome, Situation, failed, passed, unknown
from e2e_ansible.checks.nodes import Finding, blind, seen, unseen_among
from e2e_ansible.nodes.observation import NodeObservation

__all__ = [
    "accepting",
    "database_names",
    "less_than_whole",
    "may_write",
    "names",
    "unobserved",
    "write_gaps",
    "writers",
]

_DATABASE = "database"


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


def less_than_whole(situation: Situation, findings: Sequence[Finding], whole: str) -> Outcome:
    """Passed where something is missing for sure while writes answer; failed with `whole` where nothing is."""
    text = "; ".join(finding.text for finding in findings)
    if any(finding.decided for finding in findings):
        return passed(f"{names(writers(situation))} takes writes; {text}")
    return unknown(text) if findings else failed(whole)
