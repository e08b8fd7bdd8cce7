"""Finds the processes of a node and kills those, and only those.

A process belongs to a node when it was started with the node's marks in its environment: the deployment's id
and the node's random machine id. A reused pid has no such marks. A kill goes through a pidfd, opened first
and compared afterwards, so it can never hit a process that took the pid in between.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.errors import GuardError

__all__ = ["Process", "marked", "own_lineage", "send"]

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process; `start` is in clock ticks since boot and, with `pid`, unique until the next boot.

    `inner_pid` is its pid in its own namespace: 1 for the leader of a container.
    """

    pid: int
    start: int
    command: tuple[str, ...]
    namespace: str
    inner_pid: int
    environment: frozenset[str]

    @property
    def is_leader(self) -> bool:
        """Whether it is process 1 of a namespace that is not ours."""
        return self.inner_pid == 1 and self.namespace != own_namespace()


def own_namespace() -> str:
    """The PID namespace of this process, as the text of its link."""
    return str(Path("/proc/self/ns/pid").readlink())


def stat_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on; the second may hold blanks and brackets."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 when it is gone."""
    try:
        return int(stat_fields(pid)[19])
    except OSError:
        return 0


def own_lineage() -> frozenset[int]:
    """This process, all its ancestors, and process 1: never to be killed."""
    lineage, pid = {1}, os.getpid()
    while pid > 1 and pid not in lineage:
        lineage.add(pid)
        try:
            pid = int(stat_fields(pid)[1])
        except OSError:
            break
    return frozenset(lineage)


def read(pid: int, wanted: frozenset[str] = frozenset()) -> Process | None:
    """One process as it is now; None when gone, a zombie, not readable, or without a `wanted` NAME=VALUE."""
    folder = _PROC / str(pid)
    try:
        data = _bytes(pid, "environ")
        if not data or not all(
            word.encode() in data for word in wanted
        ):  # most are not ours: seen at a glance
            return None
        environment = frozenset(_words(data))
        if not wanted <= environment:
            return None
        return Process(
            pid=pid,
            start=int(stat_fields(pid)[19]),
            command=tuple(_words(_bytes(pid, "cmdline"))),
            namespace=str((folder / "ns/pid").readlink()),
            inner_pid=_inner_pid(folder / "status"),
            environment=environment,
        )
    except OSError:
        return None


def marked(marks: Mapping[str, str]) -> list[Process]:
    """Living processes with all of `marks` in their environment, this one and its ancestors excepted."""
    wanted = frozenset(f"{name}={value}" for name, value in marks.items())
    lineage = own_lineage()
    return [process for process in _all(wanted) if process.pid not in lineage]


def send(process: Process, number: int) -> bool:
    """Send a signal to exactly this process; False when it is gone.

    Raises:
        GuardError: it is process 1, this process or one of its ancestors.
    """
    if process.pid <= 1 or process.pid in own_lineage():
        raise GuardError(f"refused signal {number} to process {process.pid}: it is the controller's own")
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if start_ticks(process.pid) != process.start:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _all(wanted: frozenset[str]) -> Iterator[Process]:
    for name in os.listdir(_PROC):  # noqa: PTH208
        if name.isdigit() and (process := read(int(name), wanted)):
            yield process


def _bytes(pid: int, name: str) -> bytes:
    """A file of a process. Without pathlib, which takes longer than the kernel when there are hundreds."""
    with open(f"{_PROC}/{pid}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


def _words(data: bytes) -> list[str]:
    return [word for word in data.decode("utf-8", "replace").split("\0") if word]


def _inner_pid(status: Path) -> int:
    for line in status.read_text().splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return 0
