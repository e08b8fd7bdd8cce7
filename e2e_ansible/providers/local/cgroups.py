"""A control group per node, where no systemd makes one.

nspawn puts its container into `payload` below its own group. Nodes started from one group would share that
one, and a service stopped in one node would be killed in all others.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from e2e_ansible.providers.local.limits import limit_groups

__all__ = ["groups", "make_groups", "remove_groups"]

_MOUNTED = Path("/sys/fs/cgroup")


def groups(machine: str, mounted: Path = _MOUNTED) -> list[Path]:
    """Folders of a node's group: in the only hierarchy, or in the named and the unified one."""
    if (mounted / "cgroup.procs").exists():
        hierarchies = [mounted]
    else:
        both = (mounted / "systemd", mounted / "unified")
        hierarchies = [folder for folder in both if (folder / "cgroup.procs").exists()]
    return [hierarchy / f"e2e-{machine}" for hierarchy in hierarchies]


def make_groups(machine: str) -> list[Path]:
    """Make a node's groups, empty; returns them."""
    remove_groups(machine)
    made = groups(machine)
    for folder in made:
        folder.mkdir(exist_ok=True)
    return made


def remove_groups(machine: str) -> list[Path]:
    """Remove a node's groups; returns those that are still there, because a process is in them."""
    every = [*groups(machine), *limit_groups(machine)]
    for folder in every:
        for place, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):
                Path(place).rmdir()
    return [folder for folder in every if folder.exists()]
