"""How long a soak goes on, and what is done to it on the way."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.monitor.options import MonitorOptions
from e2e_ansible.suite.model import Contexts

__all__ = ["COOLDOWN_SECONDS", "PlannedInjection", "SoakOptions"]

COOLDOWN_SECONDS = 30.0


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedInjection(_Model):
    """One failure of a schedule: before the first step of `phase` in the `cycle`, counted from 1.

    `scenario` is the name of a fault; an empty `target` is the usual one of it.
    """

    cycle: int = Field(ge=1)
    scenario: str
    phase: str
    target: str = ""


class SoakOptions(_Model):
    """What the user asked for. `inject` is a scenario, or `random`: then each cycle draws one by the `seed`.

    A `schedule` says of each cycle what is done to it, and replaces `inject`. `run_hours` counts from the first start,
    and failures count over all resumptions.
    """

    cycles: int | None = Field(None, ge=1, description="Cycles in all; None: until the time is over")
    run_hours: float | None = Field(None, gt=0, description="No cycle begins after so many hours")
    max_failures: int | None = Field(None, ge=1, description="Stop when so many cycles have not passed")
    cooldown: float = Field(COOLDOWN_SECONDS, ge=0, description="Seconds between two cycles")
    stop_on_failure: bool = Field(False, description="Stop after the first cycle that did not pass")
    contexts: Contexts | None = Field(
        None, description="The sites, the one that is primary at first before the other"
    )
    inject: str = ""
    inject_at_phase: str = ""
    seed: int = 0
    schedule: Annotated[tuple[PlannedInjection, ...] | None, Field(strict=False)] = None
    monitor: MonitorOptions = Field(default_factory=MonitorOptions, description="How the nodes are looked at")
