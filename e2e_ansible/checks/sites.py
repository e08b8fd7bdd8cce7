"""Checks about two sites: one takes writes, the other follows it, is fenced, or is out of service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, unknown
from e2e_ansible.checks.nodes import Finding, blind_among, decide, not_running, unseen_among
from e2e_ansible.checks.patroni import STANDBY_LEADER, patroni_findings
from e2e_ansible.checks.servers import accepting, may_write, names, writers
from e2e_ansible.nodes.observation import NodeObservation, Replica

__all__ = ["CHECKS", "site_absent", "site_fenced", "site_lag", "site_primary", "site_standby"]

_STREAMING = "streaming"


def _undecided(situation: Situation, site: str) -> Outcome | None:
    """Unknown when the test has no such site, or not all nodes of both could be looked at."""
    if not situation.contexts or site not in situation.contexts:
        return unknown(f"this test has no site {site}")
    part = situation.site(site)
    return unseen_among(situation, part.expected) or blind_among(part.nodes)


def _other(situation: Situation, site: str) -> Situation:
    assert situation.contexts is not None
    return situation.site(next(name for name in situation.contexts if name != site))


def _leader(part: Situation) -> NodeObservation | None:
    """The one that all members of a site that answer call their leader."""
    told = {node.patroni.leader for node in part.nodes if node.patroni and node.patroni.answers}
    name = next(iter(told)) if len(told) == 1 else ""
    return next((node for node in part.nodes if node.node == name), None)


# ---- takes writes


def site_primary(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """The leader of the site takes writes, its other members follow it, and the other site takes none."""
    (site,) = arguments
    missing = _undecided(situation, site)
    if missing:
        return missing
    part, other = situation.site(site), _other(situation, site)
    findings = [*not_running(part.nodes), *_primary_findings(part, site), *_idle_findings(other)]
    leader = _leader(part)
    timeline = f" on timeline {leader.postgres.timeline}" if leader and leader.postgres else ""
    return decide(findings, f"{names(writers(part))} of {site} takes writes{timeline}")


def _primary_findings(part: Situation, site: str) -> Iterator[Finding]:
    taking = writers(part)
    if not taking:
        unseen = any(map(may_write, part.nodes))
        yield Finding(f"no node of {site} takes writes", decided=not unseen)
    leader = _leader(part)
    if leader and leader.patroni and leader.patroni.role == STANDBY_LEADER:
        yield Finding(f"Patroni's leader {leader.node} of {site} is a standby leader")
    yield from patroni_findings(part)
    yield from _unsent(part, leader)


def _unsent(part: Situation, leader: NodeObservation | None) -> Iterator[Finding]:
    """Members of the site that its leader does not send to."""
    sent = [replica.name for replica in _streaming(leader)]
    for node in part.nodes:
        if leader and node is not leader and node.node not in sent:
            yield Finding(f"{node.node} does not stream from {leader.node}")


def _streaming(node: NodeObservation | None) -> list[Replica]:
    replicas = node.postgres.replicas if node and node.postgres else ()
    return [replica for replica in replicas if replica.state == _STREAMING]


def _idle_findings(part: Situation) -> Iterator[Finding]:
    """Nodes that take writes, or may do so for all that was seen."""
    for node in part.nodes:
        if node.postgres and node.postgres.writable:
            yield Finding(f"{node.node} takes writes")
        elif node.postgres and node.postgres.in_recovery is False:
            yield Finding(f"{node.node} is not in recovery, so it is a primary")
        elif may_write(node):
            yield Finding(f"it was not seen whether {node.node} takes writes", decided=False)


# ---- follows


def site_standby(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """The site takes no writes, and its standby leader streams from the other site on the timeline there."""
    (site,) = arguments
    missing = _undecided(situation, site)
    if missing:
        return missing
    part, other = situation.site(site), _other(situation, site)
    findings = [*not_running(part.nodes), *_idle_findings(part), *_standby_findings(part, other, site)]
    leader = _leader(part)
    sender, replica = _sender(other, leader)
    lag = f", {replica.lag_bytes} bytes behind" if replica and replica.lag_bytes is not None else ""
    return decide(findings, f"{leader.node if leader else ''} of {site} streams from {sender}{lag}")


def _sender(other: Situation, leader: NodeObservation | None) -> tuple[str, Replica | None]:
    """Who of the other site sends to the leader of this one, and the line that says so."""
    for node in other.nodes if leader else ():
        for replica in _streaming(node):
            if leader and replica.name == leader.node:
                return node.node, replica
    return "", None


def _standby_findings(part: Situation, other: Situation, site: str) -> Iterator[Finding]:
    yield from patroni_findings(part)
    leader = _leader(part)
    if leader is None:
        return  # told by the findings of Patroni
    if leader.patroni and leader.patroni.role != STANDBY_LEADER:
        yield Finding(
            f"Patroni's leader {leader.node} of {site} is no standby leader but {leader.patroni.role}"
        )
    if leader.postgres and leader.postgres.receiver != _STREAMING:
        yield Finding(
            f"the receiver of {leader.node} is {leader.postgres.receiver or 'absent'}, not streaming"
        )
    elif _sender(other, leader)[1] is None:
        yield Finding(f"no node of the other site lists {leader.node} as a streaming replica")
    yield from _unsent(part, leader)
    yield from _timelines(part, other)


def _timelines(part: Situation, other: Situation) -> Iterator[Finding]:
    right = {node.postgres.timeline for node in writers(other) if node.postgres}
    for node in part.nodes:
        timeline = node.postgres.timeline if node.postgres else None
        if len(right) == 1 and timeline is not None and timeline not in right:
            yield Finding(f"{node.node} is on timeline {timeline}, the other site on {next(iter(right))}")


def site_lag(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """By the word of its sender the standby leader of the site has replayed all but so many bytes."""
    most, site = int(arguments[0]), arguments[1]
    missing = _undecided(situation, site)
    if missing:
        return missing
    leader = _leader(situation.site(site))
    sender, replica = _sender(_other(situation, site), leader)
    where = leader.node if leader else f"the leader of {site}"
    if replica is None:
        return decide([Finding(f"no node of the other site sends to {where}, so its lag grows")], "")
    if replica.lag_bytes is None:
        return unknown(f"{sender} does not know how far {where} is")
    told = f"{where} is {replica.lag_bytes} bytes behind {sender}"
    return decide([Finding(f"{told}, more than {most}")] if replica.lag_bytes > most else [], told)


# ---- does neither


def site_fenced(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """The site runs, takes no writes and receives no WAL from elsewhere."""
    (site,) = arguments
    missing = _undecided(situation, site)
    if missing:
        return missing
    part = situation.site(site)
    findings = [*not_running(part.nodes), *_idle_findings(part), *_receiving(part, _other(situation, site))]
    return decide(findings, f"{names(part.nodes)} of {site} takes no writes and follows nobody")


def _receiving(part: Situation, other: Situation) -> Iterator[Finding]:
    leader = _leader(part)
    sender, _ = _sender(other, leader)
    if leader is None:
        yield Finding("it was not seen who leads, so not whom it follows", decided=False)
    elif leader.postgres and leader.postgres.receiver:
        yield Finding(f"the receiver of {leader.node} is {leader.postgres.receiver}")
    elif sender:
        yield Finding(f"{sender} sends to {leader.node}")


def site_absent(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """The nodes of the site run, and neither Patroni nor PostgreSQL answers there."""
    (site,) = arguments
    missing = _undecided(situation, site)
    if missing:
        return missing
    part = situation.site(site)
    findings = [*not_running(part.nodes), *(found for node in part.nodes for found in _present(node))]
    return decide(findings, f"neither Patroni nor PostgreSQL answers on {names(part.nodes)} of {site}")


def _present(node: NodeObservation) -> Iterator[Finding]:
    if node.reachable and (node.postgres is None or node.patroni is None):
        yield Finding(f"PostgreSQL and Patroni on {node.node} were not looked at", decided=False)
    if accepting(node):
        yield Finding(f"PostgreSQL on {node.node} accepts connections")
    if node.patroni and node.patroni.answers:
        yield Finding(f"Patroni on {node.node} answers")


_Evaluate = Callable[[Situation, Sequence[str]], Outcome]


def _check(name: str, description: str, evaluate: _Evaluate, *arguments: str) -> Check:
    return Check(
        name,
        description,
        evaluate,
        arguments=arguments,
        required_arguments=len(arguments),
        needs_parameter="sites",
        needs_patroni=True,
    )


CHECKS = (
    _check("site_primary", "The site takes writes, and the other one does not", site_primary, "site"),
    _check("site_standby", "The site takes no writes and streams from the other one", site_standby, "site"),
    _check("site_lag", "The site is at most so many bytes behind the other one", site_lag, "bytes", "site"),
    _check("site_fenced", "The site takes no writes and follows nobody", site_fenced, "site"),
    _check("site_absent", "The site was taken out of service", site_absent, "site"),
)
