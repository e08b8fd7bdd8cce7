"""How a soak is monitored."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.monitor.thresholds import Thresholds

__all__ = ["DEADLINE_SECONDS", "INTERVAL_SECONDS", "MonitorOptions"]

INTERVAL_SECONDS = 15.0
DEADLINE_SECONDS = 20.0


class MonitorOptions(BaseModel):
    """A look every `interval` seconds, each with its own deadline, and what is too much."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval: float = Field(INTERVAL_SECONDS, gt=0, description="Seconds from one look to the next")
    deadline: float = Field(DEADLINE_SECONDS, gt=0, description="Seconds that one look may take")
    thresholds: Thresholds = Field(default_factory=Thresholds)
