"""Gives ansible-runner another way to start a process, for one call in one thread, without a change to its code."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Protocol

import ansible_runner.runner
import pexpect

__all__ = ["Spawner", "spawning"]

_here = threading.local()


class Spawner(Protocol):
    """Starts ansible-playbook. `roots` are the ids of the processes it started otherwise."""

    roots: list[int]

    @property
    def trouble(self) -> str:
        """Why a process was lost; empty for none."""
        ...

    def __call__(self, command: str, args: Sequence[str], **options: Any) -> Any:
        """Something that has of `pexpect.spawn` what ansible-runner uses."""
        ...


@contextmanager
def spawning(spawner: Spawner | None) -> Iterator[None]:
    """Within the block, in this thread, ansible-runner starts processes by `spawner`; None: by itself."""
    _here.spawner = spawner
    try:
        yield
    finally:
        _here.spawner = None


def _spawn(command: str, args: Sequence[str], **options: Any) -> Any:
    spawner = getattr(_here, "spawner", None)
    return (spawner or pexpect.spawn)(command, args, **options)


# The module looks the name up at each run; this namespace is all of pexpect that it uses.
ansible_runner.runner.pexpect = SimpleNamespace(
    spawn=_spawn, exceptions=pexpect.exceptions, EOF=pexpect.EOF, TIMEOUT=pexpect.TIMEOUT
)
