"""The run's private folder for sockets and temporary files, kept short because sockets have short names."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from e2e_ansible.errors import InfrastructureError

__all__ = ["environment", "remove_scratch", "scratch_folder", "scratch_path"]

_PREFIX = "e2e-"


def scratch_path(run_id: str) -> Path:
    """Where the scratch folder of a run is; known before it exists."""
    return Path(tempfile.gettempdir()) / f"{_PREFIX}{run_id}"


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Make the folder, and remove it at the end.

    Raises:
        InfrastructureError: it cannot be made: a full disk, or something is in its place.
    """
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _fill(path)
        yield path
    finally:
        remove_scratch(path)


def _fill(path: Path) -> None:
    try:
        for name in ("cp", "tmp", "ansible"):
            (path / name).mkdir()
        (path / "probe").write_bytes(b"0" * 65_536)
        (path / "probe").unlink()
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> InfrastructureError:
    text = f"the temporary folder {path} cannot be used: {error.strerror}"
    return InfrastructureError(text, hint="free space, or set TMPDIR")


def remove_scratch(path: Path) -> None:
    """Remove a scratch folder that this project made; anything else is left alone."""
    if path.name.startswith(_PREFIX) and path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)


def environment(scratch: Path) -> Mapping[str, str]:
    """The variables that keep Ansible's and ssh's own files inside the scratch folder."""
    return {
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(scratch / "cp"),
        "ANSIBLE_LOCAL_TEMP": str(scratch / "tmp"),
        "ANSIBLE_HOME": str(scratch / "ansible"),
        "TMPDIR": str(scratch / "tmp"),
    }
