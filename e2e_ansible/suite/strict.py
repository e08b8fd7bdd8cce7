"""The base of what a suite says: nothing is converted, nothing unknown is let through."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Strict"]


class Strict(BaseModel):
    """Frozen, strict about types, and about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
