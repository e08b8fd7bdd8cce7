"""The check that no acknowledged row was lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, failed, passed, unknown
from e2e_ansible.checks.nodes import blind_among
from e2e_ansible.checks.servers import accepting, names, unobserved, writers
from e2e_ansible.nodes.observation import NodeObservation, Postgres
from e2e_ansible.oracle.ranges import Ranges, count, describe, difference, merge

__all__ = ["CHECKS", "data_integrity", "rows_scope"]

_OUR_LIMITS = ("timeout", "canceling statement", "no answer within", "printed nothing")


def _holding(node: NodeObservation) -> Ranges | None:
    return node.postgres.integrity if node.postgres else None


def _lacks(where: str, acknowledged: Ranges, missing: Ranges) -> str:
    return f"{where} lacks {count(missing)} of {count(acknowledged)} acknowledged rows: {describe(missing)}"


def rows_scope(situation: Situation) -> tuple[NodeObservation, ...]:
    """Nodes that should hold the rows: standalone servers share nothing, so there only the primary."""
    if situation.database != "standalone":
        return situation.databases
    return tuple(node for node in situation.databases if node.node == situation.primary)


def data_integrity(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Every acknowledged row is on the node that takes writes.

    Replicas may lag, so what they lack is told but does not fail the check while some node takes writes. When
    none does, a row must at least be on one node that can be read.
    """
    acknowledged = situation.acknowledged
    if not acknowledged:
        return unknown("no row was acknowledged before this look, so nothing was shown")
    missing = unobserved(situation)
    if missing:
        return missing
    scope = rows_scope(situation)
    taking = [node for node in writers(situation) if node in scope]
    if not taking:
        return _without_writer(situation, acknowledged, scope)
    tail = _laggards(acknowledged, (node for node in scope if node not in taking))
    return _worst([_one_writer(acknowledged, node, tail) for node in taking])


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome furthest from a pass: with two writable nodes each of them must hold every row."""
    order = {False: 0, None: 1, True: 2}
    return min(outcomes, key=lambda outcome: order[outcome.passed])


def _one_writer(acknowledged: Ranges, node: NodeObservation, tail: str) -> Outcome:
    present = _holding(node)
    if present is None:
        return _unread(node)
    missing = difference(acknowledged, present)
    if missing:
        return failed(_lacks(node.node, acknowledged, missing) + tail)
    return passed(f"{node.node} holds all {count(acknowledged)} acknowledged rows{tail}")


def _unread(node: NodeObservation) -> Outcome:
    """The server's own error on reading the rows is the product's failure; a limit of ours is unknown."""
    error = (node.postgres or Postgres(installed=False)).integrity_error
    if not error:
        return unknown(f"the rows on {node.node} were not asked for")
    text = f"{node.node} takes writes, but its acknowledged rows could not be read: {error}"
    return unknown(text) if any(word in error.lower() for word in _OUR_LIMITS) else failed(text)


def _laggards(acknowledged: Ranges, others: Iterable[NodeObservation]) -> str:
    tail = ""
    for node in others:
        present = _holding(node)
        missing = () if present is None else difference(acknowledged, present)
        if missing:
            tail += f"; {_lacks(f'the replica {node.node}', acknowledged, missing)}"
    return tail


def _without_writer(situation: Situation, acknowledged: Ranges, scope: Sequence[NodeObservation]) -> Outcome:
    hidden = blind_among(scope)
    unasked = [node for node in scope if accepting(node) and _holding(node) is None]
    readable = [node for node in scope if _holding(node) is not None]
    if hidden or unasked or not readable:
        where = names(unasked or scope) or situation.primary
        return hidden or unknown(f"no node takes writes and the rows of {where} were not read")
    missing = difference(acknowledged, merge(*(_holding(node) or () for node in readable)))
    where = f"{names(readable)}, read only,"
    if missing:
        return failed(f"no node takes writes; {_lacks(where, acknowledged, missing)}")
    return passed(f"no node takes writes; {where} holds all {count(acknowledged)} acknowledged rows")


CHECKS = (
    Check("data_integrity", "Every acknowledged row is still there", data_integrity, needs_integrity=True),
)
