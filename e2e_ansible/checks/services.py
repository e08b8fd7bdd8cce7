"""Checks about the services beside the cluster: backups and their archive, metrics, the proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, failed, unknown
from e2e_ansible.checks.nodes import Finding, blind, decide, is_running, seen, unseen_among
from e2e_ansible.nodes.observation import NodeObservation
from e2e_ansible.nodes.services import Backup, Exporter, Proxy, proxy_nodes

__all__ = ["CHECKS", "backup_healthy", "backup_recent", "exporter_up", "proxy_writes"]

_DATABASE = "database"


def _running(situation: Situation, names: Sequence[str]) -> tuple[list[NodeObservation], Outcome | None]:
    """The nodes of these names that run or may run, or why nothing can be said."""
    missing = unseen_among(situation, names)
    if missing or not names:
        return [], missing or unknown("no node of this test should have it")
    nodes = [node for node in situation.nodes if node.node in names and (is_running(node) or blind(node))]
    return nodes, None if nodes else failed(f"none of {', '.join(names)} runs")


def _unlooked(node: NodeObservation, what: str) -> Finding:
    error = f": {node.services.error}" if node.services and node.services.error else ""
    return Finding(f"{what} on {seen(node)} was not looked at{error}", decided=False)


def _databases(situation: Situation) -> tuple[str, ...]:
    return tuple(name for name, labels in situation.expected.items() if _DATABASE in labels)


# ---- backups


def _backups(situation: Situation, judge: Callable[[NodeObservation, Backup], Iterator[Finding]]) -> Outcome:
    """Hold every node that runs and should have backups set up against a rule."""
    names = _databases(situation)
    nodes, trouble = _running(situation, names)
    if trouble:
        return trouble
    keepers = [
        node
        for node in situation.nodes
        if node.node not in names and node.services and node.services.backup is not None
    ]
    findings: list[Finding] = []
    for node in (*nodes, *keepers):
        if node.services is None or node.services.error:
            findings.append(_unlooked(node, "the backup"))
        elif node.services.backup is None:
            findings.append(Finding(f"{node.node} has no backup set up"))
        else:
            findings.extend(judge(node, node.services.backup))
    return decide(findings, _newest(nodes))


def _newest(nodes: Sequence[NodeObservation]) -> str:
    found = [node.services.backup for node in nodes if node.services and node.services.backup]
    ages = [(backup.age_seconds, backup) for backup in found if backup.age_seconds is not None]
    if not ages:
        return "no backup was seen"
    age, backup = min(ages, key=lambda pair: pair[0])
    return f"{backup.backups} backups, the newest {backup.newest} is {age:.0f} s old"


def _unread(node: NodeObservation, backup: Backup) -> Iterator[Finding]:
    if backup.status is None:
        yield Finding(f"{node.node} cannot read the repository: {backup.error or 'no answer'}")


def backup_recent(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """Every database node finds a whole backup in the repository that ended at most so many seconds ago."""
    most = float(arguments[0])

    def judge(node: NodeObservation, backup: Backup) -> Iterator[Finding]:
        yield from _unread(node, backup)
        if backup.status is not None and backup.age_seconds is None:
            yield Finding(f"{node.node} finds no backup: {backup.said or 'none was made'}")
        elif backup.age_seconds is not None and backup.age_seconds > most:
            age = f"{backup.age_seconds:.0f} s old, more than {most:g} s"
            yield Finding(f"{node.node}: the newest backup {backup.newest} is {age}")

    return _backups(situation, judge)


def backup_healthy(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """The repository answers everywhere and is well, WAL is archived, the newest backup and the timer are well."""

    def judge(node: NodeObservation, backup: Backup) -> Iterator[Finding]:
        yield from _unread(node, backup)
        if backup.status:
            yield Finding(f"{node.node}: pgbackrest says {backup.said!r}")
        if backup.newest_failed:
            yield Finding(f"the newest backup {backup.newest} holds pages that are broken")
        yield from _timer_findings(node, backup)
        if _writes(node):
            yield from _archive_findings(node, backup)

    return _backups(situation, judge)


def _writes(node: NodeObservation) -> bool:
    """Whether it archives its own WAL: a standby does not."""
    return node.postgres is not None and node.postgres.accepting and node.postgres.in_recovery is not True


def _timer_findings(node: NodeObservation, backup: Backup) -> Iterator[Finding]:
    if backup.timer and backup.timer != "active":
        yield Finding(f"the timer of backups on {node.node} is {backup.timer}")
    if backup.last_run and backup.last_run != "success":
        yield Finding(f"the last backup by the timer on {node.node} ended with {backup.last_run}")


def _archive_findings(node: NodeObservation, backup: Backup) -> Iterator[Finding]:
    if backup.archiving is None:
        reason = f": {backup.error}" if backup.error else ""
        yield Finding(f"the archiver of {node.node} was not read{reason}", decided=False)
    elif not backup.archiving:
        yield Finding(f"{node.node} takes writes and does not archive its WAL")
    elif backup.failing:
        waiting = f", {backup.waiting} segments wait" if backup.waiting else ""
        yield Finding(f"{node.node} could not archive {backup.failed_wal}{waiting}")


# ---- metrics


def _exporter_finding(node: NodeObservation, exporter: Exporter) -> Finding | None:
    where = f"{node.node}, port {exporter.port}"
    if exporter.status != 200:
        answer = f"status {exporter.status}" if exporter.status else "no answer"
        return Finding(f"{where}: {answer} from the exporter{_because(exporter.error)}")
    if exporter.up is None:
        return Finding(f"{where}: the metrics do not say whether PostgreSQL is up")
    return None if exporter.up else Finding(f"{where}: the exporter does not reach PostgreSQL")


def _because(error: str) -> str:
    return f": {error}" if error else ""


def exporter_up(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """On every database node that runs, the exporter answers and its metrics say that PostgreSQL is up."""
    nodes, trouble = _running(situation, _databases(situation))
    if trouble:
        return trouble
    findings: list[Finding | None] = []
    for node in nodes:
        if node.services is None or node.services.error:
            findings.append(_unlooked(node, "the exporter"))
        elif node.services.exporter is None:
            findings.append(Finding(f"{node.node} has no exporter"))
        else:
            findings.append(_exporter_finding(node, node.services.exporter))
    return decide(filter(None, findings), f"the exporters of {', '.join(node.node for node in nodes)} answer")


# ---- proxy


def _proxy_finding(node: NodeObservation, proxy: Proxy) -> Finding | None:
    if proxy.written:
        return None
    if proxy.written is None:
        return Finding(f"no write through {node.node} was tried{_because(proxy.write_error)}", decided=False)
    up = ", ".join(proxy.writes) or "no server"
    state = proxy.error or f"it leads writes to {up}"
    return Finding(f"{node.node}, port {proxy.port}: no write{_because(proxy.write_error)}; {state}")


def proxy_writes(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Through the proxy of every node that has one and runs, a transaction was really committed."""
    nodes, trouble = _running(situation, proxy_nodes(situation.expected))
    if trouble:
        return trouble
    findings: list[Finding | None] = []
    for node in nodes:
        if node.services is None or node.services.error:
            findings.append(_unlooked(node, "the proxy"))
        elif node.services.proxy is None:
            findings.append(Finding(f"{node.node} has no proxy"))
        else:
            findings.append(_proxy_finding(node, node.services.proxy))
    by = sorted({node.services.proxy.by for node in nodes if node.services and node.services.proxy})
    text = f"{', '.join(by)} committed through {', '.join(node.node for node in nodes)}"
    return decide(filter(None, findings), text)


CHECKS = (
    Check(
        "backup_recent",
        "The newest backup ended at most so many seconds ago",
        backup_recent,
        arguments=("seconds",),
        required_arguments=1,
        needs_services=True,
        needs_parameter="backup",
    ),
    Check(
        "backup_healthy",
        "The repository is well everywhere, WAL is archived, the timer of backups is well",
        backup_healthy,
        needs_services=True,
        needs_parameter="backup",
    ),
    Check(
        "exporter_up",
        "The exporter of every running database node answers and reaches PostgreSQL",
        exporter_up,
        needs_services=True,
        needs_parameter="exporter",
    ),
    Check(
        "proxy_writes",
        "A transaction is committed through the proxy of every running node that has one",
        proxy_writes,
        needs_services=True,
        needs_parameter="proxy",
    ),
)
