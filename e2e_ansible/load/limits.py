"""What a load must keep to, as a suite says it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LoadLimits"]


class LoadLimits(BaseModel):
    """Each is held against what was measured; None is not asked for. What was not measured is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    error_rate: float | None = Field(
        None, ge=0, le=1, description="Most failed transactions among all that were tried, 0 to 1"
    )
    outage_seconds: float | None = Field(
        None, ge=0, description="Longest time in which no interval has a transaction that succeeded"
    )
    p95_ms: float | None = Field(
        None, gt=0, description="Most that 95 of 100 transactions take, milliseconds"
    )
    p99_ms: float | None = Field(
        None, gt=0, description="Most that 99 of 100 transactions take, milliseconds"
    )
    per_second: float | None = Field(None, ge=0, description="Fewest transactions per second over all of it")

    @property
    def asked(self) -> bool:
        """Whether it limits anything."""
        return any(value is not None for value in self.model_dump().values())
