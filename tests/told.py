"""What a run of tests says at its end, also of what happened in processes of xdist."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["collect", "lines", "tell"]

_KEY = "e2e_told"
_LINES = pytest.StashKey[list[str]]()


def tell(config: pytest.Config, line: str) -> None:
    """Print a line in the summary, once however many say it."""
    given: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if given is None:
        config.stash.setdefault(_LINES, []).append(line)
    else:
        given[_KEY] = [*given.get(_KEY, []), line]


def collect(config: pytest.Config, given: dict[str, Any]) -> None:
    """What a process has told, when it ends."""
    config.stash.setdefault(_LINES, []).extend(given.get(_KEY, []))


def lines(config: pytest.Config) -> list[str]:
    """All that was told."""
    return sorted(set(config.stash.get(_LINES, [])))
