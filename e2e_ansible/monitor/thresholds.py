"""What is too much, and for how long it may be so: limits by name, and snapshots held against them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion
from e2e_ansible.soak.records import ContextSnapshot, NodeLoad, ResourceSnapshot

__all__ = ["ALERT_TYPES", "Key", "Sample", "Thresholds", "read_thresholds", "samples"]

ALERT_TYPES = (
    "CLUSTER_UNAVAILABLE",
    "REPLICATION_LAG",
    "BACKUP_FAILURE",
    "BACKUP_AGE",
    "RESTORE_STALLED",
    "OBSERVABILITY_NOT_READY",
    "NODE_DOWN",
    "NODE_CPU",
    "NODE_MEMORY",
    "NODE_DISK",
    "MONITOR_BLIND",
)
_SECONDS = "_seconds"
_UNSEEN = ("unreachable", "unknown")
#: One megabyte is nothing to a restart; sixteen are one file of WAL.
_LAG_BYTES = 16 * 2**20


class Thresholds(BaseModel):
    """A value above its limit is bad; an alert is raised when it has been bad for the seconds of its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster_unavailable_seconds: float = Field(300, ge=0, description="Nobody leads a context")
    replication_lag_bytes: float = Field(_LAG_BYTES, ge=0, description="WAL that a standby has not replayed")
    replication_lag_seconds: float = Field(60, ge=0, description="so long")
    backup_failure_seconds: float = Field(600, ge=0, description="A backup failed, is missing or held up")
    backup_age_hours: float = Field(26, gt=0, description="Age of the newest backup")
    restore_stalled_seconds: float = Field(900, ge=0, description="A restore writes nothing")
    observability_not_ready_seconds: float = Field(300, ge=0, description="Metrics cannot be read")
    node_down_seconds: float = Field(300, ge=0, description="A node is off or does not answer")
    node_cpu_percent: float = Field(95, ge=0, le=100, description="Processor of a node")
    node_cpu_seconds: float = Field(300, ge=0, description="so long")
    node_memory_percent: float = Field(95, ge=0, le=100, description="Memory of a node")
    node_memory_seconds: float = Field(120, ge=0, description="so long")
    node_disk_percent: float = Field(90, ge=0, le=100, description="Disk with the data of a node")
    node_disk_seconds: float = Field(60, ge=0, description="so long")
    monitor_blind_seconds: float = Field(60, ge=0, description="Nothing can be seen")


@dataclass(frozen=True, order=True)
class Key:
    """What an episode is about. Without a context it is about the monitor, or a node that is in none."""

    alert_type: str
    context: str
    resource: str


@dataclass(frozen=True)
class Sample:
    """One look at one thing. `bad` is None where it is not known, and then says nothing."""

    key: Key
    bad: bool | None
    seconds: float
    message: str = ""
    value: float | None = None
    threshold: float | None = None


# ---- from the user


def read_thresholds(words: Sequence[str] = (), file: Path | None = None) -> Thresholds:
    """Thresholds of a file (YAML or JSON, names and numbers), and above it those given as `name=value`.

    Raises:
        UsageError: a name that is none, a value that cannot be; or the file cannot be read.
    """
    given: dict[str, Any] = {}
    for name, value in [*_of_file(file), *map(_pair, words)]:
        if name not in Thresholds.model_fields:
            hint = suggestion(name, Thresholds.model_fields)
            raise UsageError(f"there is no threshold {name!r}", hint=hint)
        given[name] = value
    try:
        return Thresholds.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        text = f"the threshold {name} cannot be {given[name]!r}: {first['msg'].lower()}"
        raise UsageError(text, hint=f"such as {name}={Thresholds.model_fields[name].default:g}") from error


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise UsageError(f"{word!r} is no threshold", hint="write name=value, such as node_disk_percent=80")
    return name.strip().lower().replace("-", "_"), value.strip()


def _of_file(file: Path | None) -> list[tuple[str, Any]]:
    if file is None:
        return []
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"the thresholds in {file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{file} has no thresholds", hint="one a line, such as node_disk_percent: 80")
    return [(str(name), value) for name, value in found.items()]


# ---- from a snapshot


def samples(seen: ResourceSnapshot, limits: Thresholds) -> Iterator[Sample]:
    """What a snapshot says of each thing that may be wrong."""
    blind = Key("MONITOR_BLIND", "", "monitor")
    yield Sample(blind, bool(seen.error), limits.monitor_blind_seconds, seen.error)
    if seen.error:
        return
    for context in (seen.primary, seen.secondary):
        if context is not None:
            yield from _of_context(context, limits)
    for name, load in seen.nodes.items():
        yield from _of_node(name, _home(name, seen), load, limits)


def _home(node: str, seen: ResourceSnapshot) -> str:
    both = (each for each in (seen.primary, seen.secondary) if each is not None)
    return next((each.context for each in both if node in each.members), "")


def _of_context(seen: ContextSnapshot, limits: Thresholds) -> Iterator[Sample]:
    name = seen.context
    blind = Key("MONITOR_BLIND", name, "nodes")
    unseen = any(state in _UNSEEN for state in seen.members.values())
    yield Sample(blind, seen.healthy is None and unseen, limits.monitor_blind_seconds, seen.error)
    down = None if seen.healthy is None else not seen.healthy
    key = Key("CLUSTER_UNAVAILABLE", name, "cluster")
    yield Sample(key, down, limits.cluster_unavailable_seconds, f"nobody serves in {name}: {seen.error}")
    yield _above(
        Key("REPLICATION_LAG", name, "replication"),
        seen.lag_bytes,
        limits.replication_lag_bytes,
        limits.replication_lag_seconds,
        "{value:.0f} bytes of WAL are not replayed",
    )
    yield from _of_backup(seen, limits)
    yield from _of_services(seen, limits)


def _of_backup(seen: ContextSnapshot, limits: Thresholds) -> Iterator[Sample]:
    backup = seen.backup
    if backup is None:
        return
    bad = None if backup.state == "unknown" else backup.state != "ok"
    said = f"the backup is {backup.state}: {backup.message}"
    yield Sample(Key("BACKUP_FAILURE", seen.context, "backup"), bad, limits.backup_failure_seconds, said)
    age = None if backup.age_seconds is None else backup.age_seconds / 3600
    words = "the newest backup is {value:.1f} h old"
    yield _above(Key("BACKUP_AGE", seen.context, "backup"), age, limits.backup_age_hours, 0, words)


def _of_services(seen: ContextSnapshot, limits: Thresholds) -> Iterator[Sample]:
    restore, exporter = seen.restore, seen.exporter
    if restore is not None:
        bad = None if restore.state == "begun" else restore.state == "stalled"
        reached = "" if restore.percent is None else f" at {restore.percent:g} %"
        said = f"the restore writes nothing{reached}, {restore.seconds or 0:.0f} s after it began"
        key = Key("RESTORE_STALLED", seen.context, "restore")
        yield Sample(key, bad, limits.restore_stalled_seconds, said, restore.percent)
    if exporter is not None:
        bad = None if exporter.up is None else not exporter.up
        key = Key("OBSERVABILITY_NOT_READY", seen.context, "exporter")
        yield Sample(key, bad, limits.observability_not_ready_seconds, exporter.message)


def _of_node(name: str, context: str, load: NodeLoad, limits: Thresholds) -> Iterator[Sample]:
    # One that is not there was not made yet, or was removed.
    down = None if load.state in ("absent", "unknown") else load.state != "up"
    said = f"{name} is off" if load.state == "off" else f"{name} does not answer"
    yield Sample(Key("NODE_DOWN", context, name), down, limits.node_down_seconds, said)
    kinds: Mapping[str, tuple[float | None, str]] = {
        "cpu": (load.cpu_percent, "the processor"),
        "memory": (load.memory_percent, "the memory"),
        "disk": (load.disk_percent, "the disk with the data"),
    }
    for kind, (value, what) in kinds.items():
        limit: float = getattr(limits, f"node_{kind}_percent")
        seconds: float = getattr(limits, f"node_{kind}{_SECONDS}")
        words = f"{what} of {name} is used to {{value:g}} %"
        yield _above(Key(f"NODE_{kind.upper()}", context, name), value, limit, seconds, words)


def _above(key: Key, value: float | None, limit: float, seconds: float, words: str) -> Sample:
    """Bad is what is above the limit; exactly at it is still good."""
    bad = None if value is None else value > limit
    return Sample(key, bad, seconds, words.format(value=value or 0), value, limit)
