"""What a soak writes down as it happens: one JSON object a line, of six kinds. Durations are in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from e2e_ansible.verdict import Cause, Verdict

__all__ = [
    "Alert",
    "AlertRecord",
    "BackupState",
    "ClientOutages",
    "ContextSnapshot",
    "CycleEnd",
    "CycleStart",
    "ExporterState",
    "FailureInjection",
    "NodeLoad",
    "PhaseResult",
    "Record",
    "ResourceSnapshot",
    "RestoreState",
    "StepFigure",
    "parse_record",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Record(_Model):
    """`timestamp` is ISO 8601 in UTC. `cycle_num` counts from 1; 0 is before the first cycle."""

    timestamp: str
    run_id: str
    cycle_num: int = 0


class CycleStart(_Record):
    """A cycle begins. Without sites both contexts are empty."""

    metric_type: Literal["cycle_start"] = "cycle_start"
    cycle_id: str
    primary_context: str = ""
    secondary_context: str = ""


class PhaseResult(_Record):
    """A phase has ended. `success` is None where nothing was tested."""

    metric_type: Literal["phase_result"] = "phase_result"
    cycle_id: str
    phase_name: str
    success: bool | None
    verdict: Verdict | None = None
    duration_seconds: float
    error: str = ""


class ClientOutages(_Model):
    """How long one client was cut off, each time, in seconds; and of which acknowledged rows nothing was found."""

    writes: tuple[float, ...] = ()
    reads: tuple[float, ...] = ()
    operations: int = 0
    lost: int | None = None


class StepFigure(_Model):
    """What one step of a cycle came to."""

    verdict: Verdict | None
    seconds: float


class CycleEnd(_Record):
    """A cycle has ended. `swapped`: the next one has the contexts the other way round."""

    metric_type: Literal["cycle_end"] = "cycle_end"
    cycle_id: str
    success: bool | None
    verdict: Verdict | None = None
    cause: Cause | None = None
    error: str = ""
    duration_seconds: float
    primary_context: str = ""
    secondary_context: str = ""
    swapped: bool = False
    clients: Mapping[str, ClientOutages] = Field(default_factory=dict)
    steps: Mapping[str, StepFigure] = Field(default_factory=dict)


class BackupState(_Model):
    """The newest backup. `state` is `ok`, `failed`, `missing` or `unknown`."""

    state: str
    age_seconds: float | None = None
    message: str = ""


class RestoreState(_Model):
    """A restore that is under way: how far it is, in percent, where that is known."""

    state: str
    percent: float | None = None
    seconds: float | None = None


class ExporterState(_Model):
    """Whether the metrics of the database can be read; None: not known."""

    up: bool | None
    message: str = ""


class ContextSnapshot(_Model):
    """One site at one moment. `healthy` is None where it is not known, and `error` says why."""

    context: str
    role: Literal["primary", "standby", "none", "unknown"] = "unknown"
    healthy: bool | None = None
    leader: str = ""
    members: Mapping[str, str] = Field(default_factory=dict)
    lag_bytes: int | None = None
    backup: BackupState | None = None
    restore: RestoreState | None = None
    exporter: ExporterState | None = None
    error: str = ""


class NodeLoad(_Model):
    """How busy a node is, in percent of what it has; None: not known. The processor is that since the last look."""

    state: Literal["up", "off", "absent", "unreachable", "unknown"] = "unknown"
    cpu_percent: float | None = None
    memory_percent: float | None = None
    disk_percent: float | None = None


class ResourceSnapshot(_Record):
    """One look of the monitor. `error` says why it saw nothing."""

    metric_type: Literal["resource_snapshot"] = "resource_snapshot"
    phase: str = ""
    primary: ContextSnapshot | None = None
    secondary: ContextSnapshot | None = None
    nodes: Mapping[str, NodeLoad] = Field(default_factory=dict)
    seconds: float = 0
    error: str = ""


class Alert(_Model):
    """One episode. `started` is its first bad look, in ISO 8601; `ended` the first good one after it."""

    alert_id: str
    alert_type: str
    context: str = ""
    resource: str
    message: str
    started: str
    ended: str | None = None
    phase: str = ""
    value: float | None = None
    threshold: float | None = None


class AlertRecord(_Record):
    """An alert begins, or ends."""

    metric_type: Literal["alert"] = "alert"
    alert: Alert


class FailureInjection(_Record):
    """A failure was injected, or could not be: `success` says whether it took. `undone` is None until that is known."""

    metric_type: Literal["failure_injection"] = "failure_injection"
    cycle_id: str
    scenario: str
    phase: str
    target: str = ""
    success: bool | None
    undone: bool | None = None
    message: str = ""
    details: Mapping[str, object] = Field(default_factory=dict)


Record = CycleStart | PhaseResult | CycleEnd | ResourceSnapshot | AlertRecord | FailureInjection
_ADAPTER: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="metric_type")])


def parse_record(line: bytes | str) -> Record:
    """One line of `metrics.jsonl`.

    Raises:
        pydantic.ValidationError: it is none.
    """
    return _ADAPTER.validate_json(line)
