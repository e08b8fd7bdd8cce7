"""Room among the inotify instances of root: systemd in a node needs some, and without them the node never comes up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError

__all__ = ["INSTANCES_PER_NODE", "await_room", "limit", "taken"]

#: What a node holds at most while it boots: its systemd, udev, the bus, the network, the logins.
INSTANCES_PER_NODE = 8
_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_PROC = Path("/proc")
_WAIT_SECONDS = 60


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


def await_room(nodes: int, *, seconds: float = _WAIT_SECONDS, proc: Path = _PROC) -> None:
    """Wait until there is room for so many nodes more; others may be about to go.

    Raises:
        ProviderError: there was none for `seconds`.
    """
    most = limit()
    wanted = nodes * INSTANCES_PER_NODE
    if not Deadline(seconds).wait_for(lambda: taken(proc) + wanted <= most, 1):
        raise ProviderError(
            f"{taken(proc)} of {most} inotify instances are in use, and {nodes} nodes need up to {wanted}",
            hint="end other nodes, or: sysctl fs.inotify.max_user_instances=1024",
        )
