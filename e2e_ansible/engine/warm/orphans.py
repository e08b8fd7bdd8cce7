"""Folders of warm engines, each named by its process, and what was left of those that were killed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

__all__ = ["MEMORY", "PREFIX", "remove_all_orphans", "remove_orphans"]

PREFIX = "e2e-warm-"
MEMORY = "/dev/shm"


def remove_orphans(place: Path) -> None:
    """What engines have left whose process was killed; those of other users stay."""
    for path in place.glob(f"{PREFIX}[0-9]*-*"):
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path("/proc", owner).exists():
            shutil.rmtree(path, ignore_errors=True)


def remove_all_orphans() -> None:
    """The same, wherever engines have their folders."""
    for place in {MEMORY, tempfile.gettempdir()}:
        remove_orphans(Path(place))
