"""Room among the inotify instances of root: systemd in a node needs some, and without them the node never comes up."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError

__all__ = ["INSTANCES_PER_NODE", "await_room", "limit", "taken"]

#: What a node holds at most while it boots: its systemd, udev, the bus, the network, the logins.
INSTANCES_PER_NODE = 8
_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_PROC = Path("/proc")
_WAIT_SECONDS = 60
_BOOTING = Path("/run/lock/e2e-ansible-booting")
_BOOT_SECONDS = 8
_WORDS = 2


def limit() -> int:
    """How many instances a user may have."""
    return int(_LIMIT.read_text())


def taken(proc: Path = _PROC) -> int:
    """How many instances the processes of root have now, those of other nodes included."""
    return sum(1 for process in proc.glob("[0-9]*") for _ in _instances(process))


def _instances(process: Path) -> Iterator[Path]:
    with suppress(OSError):  # it has ended, or is another user's
        if process.stat().st_uid != 0:
            return
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()) == "anon_inode:inotify":
                    yield descriptor


def await_room(
    nodes: int, *, seconds: float = _WAIT_SECONDS, proc: Path = _PROC, booting: Path = _BOOTING
) -> None:
    """Wait until there is room for so many nodes more, and take it; others may be about to go.

    A node takes its instances while it boots, so what was granted counts for as long as that takes. `booting` is
    the list of these grants, which all runs of the machine share.

    Raises:
        ProviderError: there was none for `seconds`.
    """
    most = limit()
    wanted = nodes * INSTANCES_PER_NODE

    def taken_it() -> bool:
        with _grants(booting) as grants:
            fits = taken(proc) + sum(number for _, number in grants) + wanted <= most
            if fits:
                grants.append((time.monotonic(), wanted))
        return fits

    if not Deadline(seconds).wait_for(taken_it, 1):
        raise ProviderError(
            f"{taken(proc)} of {most} inotify instances are in use, and {nodes} nodes need up to {wanted}",
            hint="end other nodes, or: sysctl fs.inotify.max_user_instances=1024",
        )


@contextmanager
def _grants(file: Path) -> Iterator[list[tuple[float, int]]]:
    """When each was given, in seconds since boot, and how many; the old ones are gone. Locked until it is written."""
    with file.open("a+", encoding="ascii") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        opened.seek(0)
        now = time.monotonic()
        lines = (line.split() for line in opened.read().splitlines())
        known = [(float(line[0]), int(line[1])) for line in lines if len(line) == _WORDS]
        grants = [(at, number) for at, number in known if 0 <= now - at < _BOOT_SECONDS]
        yield grants
        opened.truncate(0)
        opened.writelines(f"{at} {number}\n" for at, number in grants)
