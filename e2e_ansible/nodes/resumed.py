"""How a playbook learns that it takes up a step that a run which died had begun."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["RESUMED", "resumed"]

RESUMED = "E2E_RESUMED"
"""The variable of its environment; any value but the empty one."""


def resumed(environment: Mapping[str, str]) -> bool:
    """Whether the step had been begun before."""
    return bool(environment.get(RESUMED))
