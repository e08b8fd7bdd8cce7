"""Of what a target is told; apart, because the command line needs the names and nothing else."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["NotifyOn"]


class NotifyOn(StrEnum):
    """`failure`: what is not a pass, and alerts. `always`: everything. `alert`: alerts alone."""

    FAILURE = "failure"
    ALWAYS = "always"
    ALERT = "alert"
