"""Times as APIs write them."""

from __future__ import annotations

from datetime import datetime

__all__ = ["seconds"]


def seconds(timestamp: str) -> float:
    """Since 1970; 0 where no time is told."""
    return datetime.fromisoformat(timestamp).timestamp() if timestamp else 0
