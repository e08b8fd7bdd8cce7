"""What the kernel holds a node to: memory and processors of its control group, in either version of those.

Disks of nodes are one file system, so that nothing bounds the disk of a single one: it is only reserved.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Limits", "enforced", "limit_groups", "make_limits", "unit_properties"]

_MOUNTED = Path("/sys/fs/cgroup")
_PERIOD = 100_000
_LEAST_QUOTA = 1000
_MIB = 1024**2


@dataclass(frozen=True)
class Limits:
    """Processors, and memory in MiB; None is no limit."""

    cpus: float | None = None
    memory_mb: int | None = None

    @property
    def quota(self) -> int:
        """Microseconds of all processors together in each period."""
        return max(_LEAST_QUOTA, round((self.cpus or 0) * _PERIOD))


def enforced(mounted: Path = _MOUNTED) -> frozenset[str]:
    """Which of `cpus` and `memory_gb` the kernel here can be told."""
    if _is_unified(mounted):
        there = (mounted / "cgroup.controllers").read_text(encoding="ascii").split()
        names = {"cpus": "cpu" in there, "memory_gb": "memory" in there}
    else:
        names = {
            "cpus": (mounted / "cpu/cpu.cfs_quota_us").exists() or (mounted / "cpu/cgroup.procs").exists(),
            "memory_gb": (mounted / "memory/memory.limit_in_bytes").exists(),
        }
    return frozenset(name for name, can in names.items() if can and os.access(mounted, os.W_OK))


def limit_groups(machine: str, mounted: Path = _MOUNTED) -> list[Path]:
    """The groups of a node that hold nothing but limits: none where there is one hierarchy for all."""
    if _is_unified(mounted):
        return []
    return [folder / f"e2e-{machine}" for name in ("memory", "cpu") if (folder := mounted / name).is_dir()]


def make_limits(machine: str, limits: Limits, mounted: Path = _MOUNTED) -> list[Path]:
    """Say the limits of a node, before anything of it runs; returns the groups to join beside its own.

    Raises:
        OSError: the kernel refuses.
    """
    return _unified(machine, limits, mounted) if _is_unified(mounted) else _separate(machine, limits, mounted)


def unit_properties(limits: Limits) -> Sequence[str]:
    """The same for a unit of systemd."""
    return (
        *([f"MemoryMax={limits.memory_mb}M", "MemorySwapMax=0"] if limits.memory_mb is not None else []),
        *([f"CPUQuota={limits.quota * 100 / _PERIOD:g}%"] if limits.cpus is not None else []),
    )


def _unified(machine: str, limits: Limits, mounted: Path) -> list[Path]:
    group = mounted / f"e2e-{machine}"
    wanted = {}
    if limits.memory_mb is not None:
        wanted["memory"] = ("memory.max", str(limits.memory_mb * _MIB))
    if limits.cpus is not None:
        wanted["cpu"] = ("cpu.max", f"{limits.quota} {_PERIOD}")
    for controller, (file, text) in wanted.items():
        (mounted / "cgroup.subtree_control").write_text(f"+{controller}\n", encoding="ascii")
        (group / file).write_text(text, encoding="ascii")
    return []


def _separate(machine: str, limits: Limits, mounted: Path) -> list[Path]:
    made = []
    if limits.memory_mb is not None:
        made.append(
            _said(mounted / "memory" / f"e2e-{machine}", "memory.limit_in_bytes", limits.memory_mb * _MIB)
        )
    if limits.cpus is not None:
        made.append(_said(mounted / "cpu" / f"e2e-{machine}", "cpu.cfs_quota_us", limits.quota))
    return made


def _said(group: Path, file: str, number: int) -> Path:
    group.mkdir(exist_ok=True)
    (group / file).write_text(str(number), encoding="ascii")
    return group


def _is_unified(mounted: Path) -> bool:
    return (mounted / "cgroup.controllers").exists()
