"""Which process holds something, told so that no later process with its id is taken for it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["lives", "me", "pid_of"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_DEAD = ("Z", "X")


def me() -> str:
    """This process: its id, its start in ticks since boot, and the boot."""
    return f"{os.getpid()} {_started(os.getpid())} {_boot()}"


def lives(holder: str) -> bool:
    """Whether a process that `me` has told of still runs."""
    pid, started, boot = holder.split(" ")
    return boot == _boot() and bool(started) and _started(int(pid)) == started


def pid_of(holder: str) -> int:
    """Its process id."""
    return int(holder.partition(" ")[0])


def _boot() -> str:
    return _BOOT.read_text(encoding="ascii").strip()


def _started(pid: int) -> str:
    """When a process began, '' when it has ended, also while nobody has taken note of that."""
    try:
        # the kernel cuts names of processes in the middle of a letter
        state, *fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode().split()
    except OSError:
        return ""
    return "" if state in _DEAD else fields[18]
