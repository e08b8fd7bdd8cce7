"""Check of the web interface of the nodes."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, unknown
from e2e_ansible.checks.nodes import Finding, blind, decide, is_running, not_running, unseen_among
from e2e_ansible.checks.servers import database_names, names
from e2e_ansible.nodes.observation import NodeObservation

__all__ = ["CHECKS", "admin_ui_accessible"]

_ADMIN_UI = "admin_ui"


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
    Check(
        "admin_ui_accessible",
        "The admin UI answers on every running node",
        admin_ui_accessible,
        needs_admin_ui=True,
    ),
)
