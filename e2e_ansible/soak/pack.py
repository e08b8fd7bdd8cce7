"""A cycle that passed as one compressed file: whoever judges it again unpacks it for that moment."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e_ansible.errors import HarnessError
from e2e_ansible.run.folder import TestFolder

__all__ = ["PACKED", "is_packed", "pack", "unpacked"]

PACKED = "cycle.tar.gz"
_PLAN = "plan"


def is_packed(folder: TestFolder) -> bool:
    """Whether a cycle is one file."""
    return (folder.path / PACKED).is_file()


def pack(folder: TestFolder) -> None:
    """Put all but the plan into one file. A kill at any moment leaves the cycle whole; safe to repeat.

    Raises:
        OSError: it could not be written.
    """
    target = folder.path / PACKED
    if not target.is_file():
        beside = folder.path / f".{PACKED}.new"
        beside.unlink(missing_ok=True)
        _write(folder.path, beside)
        beside.replace(target)
    for path in _loose(folder.path):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _write(folder: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as packed:
            for path in _loose(folder):
                packed.add(path, path.name)
        file.flush()
        os.fsync(file.fileno())


def _loose(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.name not in (PACKED, f".{PACKED}.new", _PLAN)]


@contextmanager
def unpacked(folder: TestFolder) -> Iterator[TestFolder]:
    """The folder of a cycle with all its files, packed or not; what is unpacked is gone afterwards.

    Raises:
        HarnessError: the file cannot be read.
    """
    if not is_packed(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="e2e-cycle-") as place:
        try:
            with tarfile.open(folder.path / PACKED, "r:gz") as packed:
                packed.extractall(place, filter="data")
        except (OSError, tarfile.TarError, EOFError) as error:
            raise HarnessError(f"{folder.path / PACKED} cannot be read: {error}") from error
        (Path(place) / _PLAN).symlink_to(folder.plan.resolve())
        yield TestFolder(Path(place))
