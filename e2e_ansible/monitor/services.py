"""What one look says of a context's backups, its exporter and a restore that is under way. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from e2e_ansible.nodes.load import Load, Restoring
from e2e_ansible.nodes.observation import NodeObservation
from e2e_ansible.nodes.services import Backup
from e2e_ansible.soak.records import BackupState, ExporterState, RestoreState

__all__ = ["backup_state", "exporter_state", "restore_state"]

# ---- backups


def backup_state(nodes: Sequence[NodeObservation], leaders: Sequence[NodeObservation]) -> BackupState | None:
    """The newest backup and what keeps there from being another; None where none was set up, or nothing was asked."""
    found = [(node, node.services.backup) for node in nodes if node.services and node.services.backup]
    if not found:
        return None
    read = [backup for _, backup in found if backup.status is not None]
    ages = [backup.age_seconds for backup in read if backup.age_seconds is not None]
    age = min(ages, default=None)
    leading = {node.node for node in leaders}
    troubles = [
        f"{node.node}: {text}" for node, backup in found for text in _troubles(backup, node.node in leading)
    ]
    if not read:
        said = "; ".join(f"{node.node}: {backup.error or 'no answer'}" for node, backup in found)
        return BackupState(state="unknown", message="; ".join([*troubles, said]))
    if age is None:
        return BackupState(state="missing", message="; ".join(troubles) or read[0].said)
    return BackupState(
        state="failed" if troubles else "ok", age_seconds=round(age, 1), message="; ".join(troubles)
    )


def _troubles(backup: Backup, leads: bool) -> Iterator[str]:
    if backup.status:
        yield f"pgbackrest says {backup.said!r}"
    if backup.newest_failed:
        yield f"the newest backup {backup.newest} holds pages that are broken"
    if backup.timer and backup.timer != "active":
        yield f"the timer of backups is {backup.timer}"
    if backup.last_run and backup.last_run != "success":
        yield f"the last backup by the timer ended with {backup.last_run}"
    if leads and backup.failing:
        yield f"{backup.failed_wal} could not be archived"


# ---- metrics


def exporter_state(nodes: Sequence[NodeObservation]) -> ExporterState | None:
    """Whether the exporters of the nodes that answer tell the truth; None where none was set up, or none was asked.

    One that says that PostgreSQL is down is well when it is. One that keeps its reader waiting while it is down is
    not known to be.
    """
    there = [node for node in nodes if node.services and node.services.exporter]
    if not there:
        return None
    silent = {node.node: (text, _waits(node)) for node in there if (text := _silence(node))}
    up = None if silent and all(waits for _, waits in silent.values()) else not silent
    return ExporterState(up=up, message="; ".join(f"{name}: {text}" for name, (text, _) in silent.items()))


def _silence(node: NodeObservation) -> str:
    exporter = node.services.exporter if node.services else None
    if exporter is None:
        return ""
    if exporter.status != 200:
        answer = f"status {exporter.status}" if exporter.status else "no answer"
        return f"{answer} at port {exporter.port}" + (f": {exporter.error}" if exporter.error else "")
    blind = exporter.up is not True and _accepts(node)
    return "the exporter does not reach PostgreSQL, which answers" if blind else ""


def _waits(node: NodeObservation) -> bool:
    """Whether it took the question, and waits for a PostgreSQL that is down."""
    exporter = node.services.exporter if node.services else None
    return exporter is not None and "timed out" in exporter.error and not _accepts(node)


def _accepts(node: NodeObservation) -> bool:
    return node.postgres is not None and node.postgres.accepting


# ---- restores


def restore_state(nodes: Sequence[NodeObservation], before: Mapping[str, Load]) -> RestoreState | None:
    """`none`, or that of the slowest restore: `running`, `stalled` since the last look, `begun` when there was none.

    None when no node told. The percentage is of the bytes of the newest backup that lie in the folder of the data.
    """
    asked = [node for node in nodes if node.load is not None and not node.load.error]
    if not asked:
        return None
    under_way = [
        (node.load.restore, before.get(node.node)) for node in asked if node.load and node.load.restore
    ]
    if not under_way:
        return RestoreState(state="none")
    states = [(_progress(now, then), now) for now, then in under_way]
    order = ("stalled", "begun", "running")
    state, slowest = min(states, key=lambda pair: order.index(pair[0]))
    return RestoreState(
        state=state, percent=_percent(slowest, _backup_bytes(nodes)), seconds=round(slowest.seconds, 1)
    )


def _progress(now: Restoring, then: Load | None) -> str:
    if then is None or then.error:
        return "begun"
    if then.restore is None or now.seconds < then.restore.seconds:
        return "running"
    same = (now.written_bytes, now.folder_bytes) == (then.restore.written_bytes, then.restore.folder_bytes)
    told = now.written_bytes is not None or now.folder_bytes is not None
    return "stalled" if same and told else "running" if told else "begun"


def _backup_bytes(nodes: Sequence[NodeObservation]) -> int | None:
    sizes = (node.services.backup.size_bytes for node in nodes if node.services and node.services.backup)
    return next(filter(None, sizes), None)


def _percent(restore: Restoring, whole: int | None) -> float | None:
    if restore.folder_bytes is None or not whole:
        return None
    return round(min(100.0, 100 * restore.folder_bytes / whole), 1)
