"""What a suite says of coverage: where a program under test notes on its nodes which of its lines ran."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CoverageOptions"]

_UNIT = r"^[A-Za-z0-9@:_.\\-]{1,200}$"
Unit = Annotated[str, Field(pattern=_UNIT)]


class CoverageOptions(BaseModel):
    """Files of coverage, which are collected from every node before it is removed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    directory: str = Field(
        "/var/lib/e2e-coverage",
        pattern=r"^/(?:[A-Za-z0-9_.@+-]+/)*[A-Za-z0-9_.@+-]+$",
        description="Folder on the nodes that the program writes into, its GOCOVERDIR",
    )
    stop: tuple[Unit, ...] = Field(
        (), strict=False, description="Units that are stopped first: many write only when they end"
    )
    timeout_seconds: float = Field(
        120, gt=0, le=3600, description="Deadline of collecting, beside that of the steps"
    )
