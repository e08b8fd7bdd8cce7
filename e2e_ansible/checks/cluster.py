"""Checks about the cluster as a whole: healthy, degraded, critical or stopped."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, failed, passed, unknown
from e2e_ansible.checks.nodes import (
    Finding,
    blind,
    blind_among,
    decide,
    is_running,
    not_running,
    off_finding,
    seen,
    unseen_among,
)
from e2e_ansible.checks.patroni import patroni_findings
from e2e_ansible.checks.roles import role_findings, split_brain
from e2e_ansible.checks.servers import accepting, less_than_whole, names, unobserved, write_gaps, writers
from e2e_ansible.nodes.observation import NodeObservation, PowerState, Unreachable

__all__ = ["CHECKS", "cluster_critical", "cluster_degraded", "cluster_status", "cluster_status_stopped"]


def _incomplete(situation: Situation) -> Outcome | None:
    return unseen_among(situation, situation.expected) or unobserved(situation)


def _findings(situation: Situation) -> list[Finding]:
    return [*role_findings(situation), *patroni_findings(situation)]


def cluster_status(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Every expected node runs, and PostgreSQL is in its proper role on every database node; Patroni and etcd too."""
    missing = _incomplete(situation)
    if missing:
        return missing
    findings = [*not_running(situation.nodes), *_findings(situation)]
    return decide(findings, f"{names(situation.nodes)} run; {names(writers(situation))} takes writes")


def _answers_nowhere(node: NodeObservation) -> bool:
    """Power is not known, and neither ssh nor PostgreSQL answered; a refused connection is an answer."""
    silent = not node.reachable and not blind(node) and not accepting(node)
    return node.power is PowerState.UNKNOWN and silent and node.unreachable is not Unreachable.REFUSED


def _stopped_finding(node: NodeObservation) -> Finding | None:
    if accepting(node) and not node.reachable:
        return Finding(f"PostgreSQL on {seen(node)} accepts connections")
    return None if _answers_nowhere(node) else off_finding(node)


def cluster_status_stopped(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Every node of the cluster is off by the provider; where that does not know, ssh and PostgreSQL answer nowhere."""
    missing = unseen_among(situation, situation.cluster_names)
    if missing:
        return missing
    guessed = [node for node in situation.cluster if _answers_nowhere(node)]
    tail = ""
    if guessed:
        tail = f"; power not known of {names(guessed)}, but neither ssh nor PostgreSQL answers there"
    off = [node for node in situation.cluster if node not in guessed]
    head = f"the provider says off: {names(off)}" if off else "the provider says nothing"
    return decide(filter(None, map(_stopped_finding, situation.cluster)), head + tail)


def _critical(situation: Situation) -> tuple[bool | None, str]:
    """Whether most nodes are down, no node takes writes, or several do under Patroni, and the sentence for it.

    None: it was not seen.
    """
    down = [node for node in situation.cluster if not is_running(node)]
    share = f"{len(down)} of {len(situation.cluster_names)} nodes are down"
    if 2 * len(down) > len(situation.cluster_names):
        return True, f"{share}: {', '.join(map(seen, down))}"
    split = split_brain(situation)
    if split:
        return True, split.message
    taking = writers(situation)
    if taking:
        return False, f"{names(taking)} takes writes, {share}"
    gaps = write_gaps(situation)
    if gaps:
        return None, "; ".join(gap.text for gap in gaps)
    return True, f"no node takes writes: {', '.join(map(seen, situation.databases))}"


def cluster_degraded(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Writes answer, most nodes run, and at least one node or replica is missing, or Patroni could not fail over."""
    missing = _incomplete(situation) or blind_among(situation.cluster)
    if missing:
        return missing
    critical, why = _critical(situation)
    if critical is None:
        return unknown(why)
    if critical:
        return failed(f"critical, which is more than degraded: {why}")
    findings = [*not_running(situation.cluster), *_findings(situation)]
    return less_than_whole(situation, findings, f"healthy: nothing is missing on {names(situation.cluster)}")


def cluster_critical(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Most nodes are down, or no node takes writes, or more than one does under Patroni."""
    missing = _incomplete(situation) or blind_among(situation.cluster)
    if missing:
        return missing
    critical, why = _critical(situation)
    if critical is None:
        return unknown(why)
    return passed(why) if critical else failed(f"not critical: {why}")


CHECKS = (
    Check("cluster_status", "Every node runs and PostgreSQL is in its role everywhere", cluster_status),
    Check("cluster_status_stopped", "Every node is off", cluster_status_stopped),
    Check("cluster_degraded", "Writes answer, but a node or replica is missing", cluster_degraded),
    Check("cluster_critical", "Most nodes are down, or no node takes writes", cluster_critical),
)
