"""Finds and ends every process that carries a token in its environment, whoever its parent is by now."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from e2e_ansible.deadline import Deadline

__all__ = ["TOKEN_VARIABLE", "end_all", "marked"]

TOKEN_VARIABLE = "E2E_TOKEN"  # the name of a variable, not a secret
_PROC = Path("/proc")


def marked(token: str) -> list[int]:
    """Process ids that carry this token or one below it (`run` covers `run/test/step`), without our own."""
    needle = f"{TOKEN_VARIABLE}={token}".encode()
    return [
        pid
        for entry in _PROC.iterdir()
        if entry.name.isdecimal() and (pid := int(entry.name)) != os.getpid() and _carries(entry, needle)
    ]


def _carries(entry: Path, needle: bytes) -> bool:
    try:
        environment = (entry / "environ").read_bytes()
    except OSError:  # it has ended, or belongs to someone else
        return False
    return any(item == needle or item.startswith(needle + b"/") for item in environment.split(b"\0"))


def end_all(token: str, *, grace_seconds: float = 2.0) -> list[int]:
    """SIGTERM, a grace, then SIGKILL for every process with the token; returns the ids that would not go."""
    _signal(marked(token), signal.SIGTERM)
    if _gone(token, grace_seconds):
        return []
    _signal(marked(token), signal.SIGKILL)
    return [] if _gone(token, grace_seconds) else marked(token)


def _gone(token: str, seconds: float) -> bool:
    return Deadline(seconds).wait_for(lambda: not marked(token), interval=0.05)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
