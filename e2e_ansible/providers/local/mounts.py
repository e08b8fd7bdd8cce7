"""Overlay mounts, and a removal of folders that can never reach through a mount."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import CleanUpError, ProviderError
from e2e_ansible.providers.system import run, try_run

__all__ = ["mount_overlay", "mounts_below", "remove_tree", "unmount_below"]

_MOUNTS = Path("/proc/self/mountinfo")
_UNMOUNT_SECONDS = 10


def mounts_below(folder: Path) -> list[Path]:
    """Mount points at or below `folder`, innermost first."""
    points = [parse_mount_point(line) for line in _MOUNTS.read_text().splitlines()]
    return sorted((point for point in points if point.is_relative_to(folder)), reverse=True)


def parse_mount_point(line: str) -> Path:
    """Field 5 of a line of mountinfo, where blanks are written in octal."""
    return Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split()[4]))


def mount_overlay(lower: Path, folder: Path) -> Path:
    """Mount `folder`/root over `lower`, changes going to `folder`/upper; returns the root. Idempotent.

    Raises:
        ProviderError: `lower` is missing, a path has a character that mount would take for a separator, or
            mounting failed.
    """
    root, upper, work = folder / "root", folder / "upper", folder / "work"
    if root in mounts_below(root):
        return root
    if not lower.is_dir():
        raise ProviderError(f"the image {lower} is gone", hint="destroy the deployment and create it again")
    if any(sign in f"{lower}{folder}" for sign in ",:\\"):
        raise ProviderError(f"{folder} cannot hold an overlay: its path has a comma, colon or backslash")
    for path in (root, upper, work):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)])
    return root


def unmount_below(folder: Path) -> bool:
    """Unmount everything at or below `folder`; whether there was anything.

    Raises:
        CleanUpError: something stays mounted, because it is in use.
    """
    found = mounts_below(folder)
    if found and not Deadline(_UNMOUNT_SECONDS).wait_for(lambda: _unmounted(folder), 0.2):
        left = ", ".join(str(path) for path in mounts_below(folder))
        raise CleanUpError(f"still mounted: {left}", hint="end what uses it (fuser -vm PATH), then umount it")
    return bool(found)


def _unmounted(folder: Path) -> bool:
    for point in mounts_below(folder):
        try_run(["umount", str(point)])
    return not mounts_below(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder in which nothing is mounted.

    Raises:
        CleanUpError: something is mounted below it, or a file cannot be removed.
    """
    if mounts_below(folder):
        raise CleanUpError(f"{folder} is not removed: something is mounted below it")
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise CleanUpError(f"{folder} cannot be removed: {error}", hint=f"remove {folder} by hand") from error
