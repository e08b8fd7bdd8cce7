"""Checks about Patroni: one leader that really takes writes, members that follow it, and an etcd that has a quorum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, unknown
from e2e_ansible.checks.nodes import Finding, blind, blind_among, decide, not_running
from e2e_ansible.checks.roles import role_findings
from e2e_ansible.checks.servers import database_names, may_write, names, unobserved, writers
from e2e_ansible.nodes.observation import NodeObservation, Patroni

__all__ = ["CHECKS", "STANDBY_LEADER", "patroni_findings", "patroni_healthy", "patroni_leader"]

STANDBY_LEADER = "standby_leader"
_RUNNING = ("running", "streaming")


def patroni_findings(situation: Situation) -> Iterator[Finding]:
    """What is wrong with Patroni and etcd on the nodes that answer over ssh; nothing when the plan has no Patroni."""
    if situation.database != "patroni":
        return
    seen = _reachable(situation)
    for node in seen:
        yield from _own_findings(node)
    paused = [node for node in seen if node.patroni and node.patroni.paused]
    if paused:
        yield Finding(f"Patroni is paused, so nobody takes over from a lost leader (told by {names(paused)})")
    for part in situation.parts:
        yield from _leader_findings(part)
        yield from _unlisted_findings(part)


def _reachable(situation: Situation) -> list[NodeObservation]:
    return [node for node in situation.databases if node.reachable]


def _own_findings(node: NodeObservation) -> Iterator[Finding]:
    patroni = node.patroni
    if patroni is None:
        yield Finding(f"Patroni on {node.node} was not asked", decided=False)
        return
    if patroni.etcd is False:
        yield Finding(f"etcd on {node.node} is not healthy: {patroni.etcd_error}")
    if patroni.error or not patroni.answers:
        yield Finding(f"Patroni on {node.node}: {patroni.error or 'no answer'}")
    elif patroni.state not in _RUNNING:
        yield Finding(
            f"Patroni on {node.node} says that PostgreSQL there is {patroni.state or 'in no state'}"
        )


def _told(situation: Situation) -> dict[str, list[NodeObservation]]:
    """Who leads by the members that could read it ('' for nobody), and which of them say so."""
    told: dict[str, list[NodeObservation]] = {}
    for node in _reachable(situation):
        if node.patroni and node.patroni.answers and not node.patroni.error:
            told.setdefault(node.patroni.leader, []).append(node)
    return told


def _leader_findings(situation: Situation) -> Iterator[Finding]:
    told = _told(situation)
    if not told:
        hidden = any(node.patroni is None for node in _reachable(situation)) or any(
            map(blind, situation.databases)
        )
        yield Finding("no member of Patroni could say who leads", decided=not hidden)
    elif len(told) > 1:
        views = (f"{leader or 'nobody'} by {names(nodes)}" for leader, nodes in sorted(told.items()))
        yield Finding(f"the members of Patroni do not agree who leads: {', '.join(views)}")
    else:
        (leader,) = told
        yield from _one_leader_findings(situation, leader)


def _one_leader_findings(situation: Situation, leader: str) -> Iterator[Finding]:
    if not leader:
        yield Finding("Patroni has no leader")
        return
    if leader not in database_names(situation):
        yield Finding(f"Patroni's leader is {leader}, which is no database node of this test")
        return
    taking = writers(situation)
    others = [node for node in taking if node.node != leader]
    if not taking and _is_standby_leader(situation, leader):
        return
    if others:
        yield Finding(f"{names(others)} takes writes, but Patroni's leader is {leader}")
    if leader not in [node.node for node in taking]:
        yield _idle_leader_finding(situation, leader)


def _is_standby_leader(situation: Situation, name: str) -> bool:
    """Whether this leader is not meant to take writes, as its cluster is the standby of another one."""
    node = situation.observation.node(name)
    return node is not None and node.patroni is not None and node.patroni.role == STANDBY_LEADER


def _idle_leader_finding(situation: Situation, leader: str) -> Finding:
    node = situation.observation.node(leader)
    if node is None or may_write(node):
        return Finding(f"it was not seen whether Patroni's leader {leader} takes writes", decided=False)
    error = f": {node.postgres.error}" if node.postgres and node.postgres.error else ""
    return Finding(f"Patroni's leader {leader} takes no writes{error}")


def _unlisted_findings(situation: Situation) -> Iterator[Finding]:
    """Nodes whose Patroni answers and that no member lists."""
    answering = [node.patroni for node in _reachable(situation) if node.patroni and node.patroni.members]
    listed = {member.name for patroni in answering for member in patroni.members}
    for node in _reachable(situation) if answering else ():
        if node.node not in listed:
            yield Finding(f"Patroni does not list {node.node} as a member")


def _notes(situation: Situation) -> str:
    """What is worth telling and wrong with nobody."""
    pending = [node for node in situation.databases if node.patroni and node.patroni.pending_restart]
    return f"; a restart for new settings is pending on {names(pending)}" if pending else ""


def _not_patroni(situation: Situation) -> Outcome | None:
    if situation.database != "patroni":
        return unknown(f"the database of this test is {situation.database}, without Patroni")
    return unobserved(situation)


def patroni_leader(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """Patroni has one leader that really takes writes, all members that answer agree, and it is the named node."""
    missing = _not_patroni(situation)
    if missing:
        return missing
    wanted = arguments[0] if arguments else ""
    situation = _primary_part(situation)
    findings = [*_leader_findings(situation)]
    told = _told(situation)
    leader = next(iter(told), "")
    if wanted and len(told) == 1 and leader and leader != wanted:
        findings.insert(0, Finding(f"Patroni's leader is {leader}, not {wanted}"))
    timeline = _timeline(situation, leader)
    return decide(findings, f"{leader} leads{timeline} and takes writes, by {names(told.get(leader, ()))}")


def _primary_part(situation: Situation) -> Situation:
    """The cluster that takes writes, or did when the plan was made; the other site only follows it."""
    return max(situation.parts, key=lambda part: len(writers(part)))


def _timeline(situation: Situation, leader: str) -> str:
    node = situation.observation.node(leader)
    patroni = (node and node.patroni) or Patroni(answers=False)
    return f" on timeline {patroni.timeline}" if patroni.timeline else ""


def patroni_healthy(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Every member runs and follows the one leader, which takes writes; nothing is paused and etcd is healthy."""
    missing = _not_patroni(situation) or blind_among(situation.databases)
    if missing:
        return missing
    findings = [*not_running(situation.databases), *patroni_findings(situation), *role_findings(situation)]
    return decide(findings, f"{_listing(situation)}{_notes(situation)}")


def _listing(situation: Situation) -> str:
    parts = []
    for node in situation.databases:
        patroni = node.patroni or Patroni(answers=False)
        lag = f", {patroni.lag_bytes} bytes behind" if patroni.lag_bytes else ""
        parts.append(f"{node.node} {patroni.role} on timeline {patroni.timeline}{lag}")
    return "; ".join(parts)


CHECKS = (
    Check(
        "patroni_leader",
        "Patroni has one leader that takes writes, and all members agree",
        patroni_leader,
        arguments=("node",),
        needs_patroni=True,
    ),
    Check(
        "patroni_healthy",
        "All members of Patroni and etcd are healthy, and nothing is paused",
        patroni_healthy,
        needs_patroni=True,
    ),
)
