"""Time classes: how long all steps of a test together may take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["LIMITS", "TimeClass"]

TimeClass = Literal["fast", "standard", "slow", "infrastructure"]

#: In seconds.
LIMITS: Mapping[str, float] = {"fast": 300, "standard": 900, "slow": 2700, "infrastructure": 3600}
