"""Finds and ends every process of a playbook: those that carry its token, and the family of those it forked."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from e2e_ansible.deadline import Deadline

__all__ = ["TOKEN_VARIABLE", "end_all", "family", "marked"]

TOKEN_VARIABLE = "E2E_TOKEN"  # the name of a variable, not a secret
_PROC = Path("/proc")
_Process = tuple[int, str]


def marked(token: str) -> list[int]:
    """Process ids that carry this token or one below it (`run` covers `run/test/step`), without our own."""
    needle = f"{TOKEN_VARIABLE}={token}".encode()
    return [pid for pid in _pids() if pid != os.getpid() and _carries(pid, needle)]


def family(root: int) -> list[int]:
    """A living process and all its descendants; empty when it has ended.

    A forked child shows the environment of whoever was executed before, so its token cannot be seen.
    """
    parents = {pid: fields[1] for pid in _pids() if (fields := _stat(pid))}
    found = [root] if root in parents else []
    for pid in found:  # grows while it is walked
        found.extend(child for child, parent in parents.items() if parent == str(pid))
    return found


def end_all(token: str, *, roots: Iterable[int] = (), grace_seconds: float = 2.0) -> list[int]:
    """SIGTERM, a grace, then SIGKILL for every process with the token and the families of `roots`.

    Returns the ids that would not go.
    """
    hunt = _Hunt(token, tuple(roots))
    for number in (signal.SIGTERM, signal.SIGKILL):
        hunt.send(number)
        if Deadline(grace_seconds).wait_for(hunt.is_over, interval=0.02):
            return []
    return hunt.left()


class _Hunt:
    """Remembers every process it has seen, so that one whose parent has ended is not lost."""

    def __init__(self, token: str, roots: tuple[int, ...]) -> None:
        self._token = token
        self._roots = roots
        self._known: set[_Process] = set()

    def left(self) -> list[int]:
        """Ids of those that live."""
        pids = {*marked(self._token), *(pid for root in self._roots for pid in family(root))}
        self._known |= {(pid, fields[-1]) for pid in pids if (fields := _stat(pid))}
        self._known = {(pid, started) for pid, started in self._known if _lives(pid, started)}
        return sorted(pid for pid, _ in self._known)

    def is_over(self) -> bool:
        """Whether none lives. Looked at twice: one that ends while /proc is read may leave a child unseen."""
        return not (self.left() or self.left())

    def send(self, number: signal.Signals) -> None:
        """Signal those that live."""
        for pid in self.left():
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):  # what became root is told as left
                continue


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def _carries(pid: int, needle: bytes) -> bool:
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:  # it has ended, or belongs to someone else
        return False
    return any(item == needle or item.startswith(needle + b"/") for item in environment.split(b"\0"))


def _stat(pid: int) -> tuple[str, str, str] | None:
    """State, parent and start time of a process; None when it has ended."""
    try:
        # the kernel cuts names of processes in the middle of a letter
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].decode().split()
    except OSError:
        return None
    return fields[0], fields[1], fields[19]


def _lives(pid: int, started: str) -> bool:
    fields = _stat(pid)
    return fields is not None and fields[0] != "Z" and fields[2] == started
