"""Where the roles and plugins are, in a checkout and in an installed wheel, and a digest of them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from e2e_ansible.errors import HarnessError

__all__ = ["content_digest", "content_files", "content_root"]

_PACKAGE = Path(__file__).resolve().parent
_CARRIED = ("plugins", "roles")
_LANDMARKS = (*_CARRIED, "playbooks", "inventories", "ansible.cfg")
_SKIPPED_FOLDERS = frozenset({"__pycache__", "molecule", "tests"})
_SKIPPED_SUFFIXES = frozenset({".pyc", ".pyo"})


def content_root() -> Path:
    """The folder that holds `roles`, `plugins`, `playbooks`, `inventories` and `ansible.cfg`.

    Raises:
        HarnessError: neither the installed package nor the checkout around it has them all.
    """
    places = (_PACKAGE / "content", _PACKAGE.parent)
    for place in places:
        if all((place / name).exists() for name in _LANDMARKS):
            return place
    raise HarnessError(
        f"the roles and plugins are missing; looked in {' and '.join(map(str, places))}",
        hint="install e2e-ansible from its wheel, or from a complete checkout with `pip install -e .`",
    )


def content_files() -> tuple[Path, ...]:
    """Every file that playbooks need to run from a folder of their own, relative to the root and sorted.

    That is all of `roles` and `plugins` but hidden files, README.md, tests and what Python compiled.

    Raises:
        HarnessError: see `content_root`.
    """
    root = content_root()
    found = (path for name in _CARRIED for path in _walk(root / name))
    return tuple(sorted(path.relative_to(root) for path in found))


def content_digest() -> str:
    """SHA-256 over the name, the executable bit and the bytes of each of `content_files`.

    A checkout and the wheel built from it have the same digest.

    Raises:
        HarnessError: see `content_root`.
    """
    root = content_root()
    digest = hashlib.sha256()
    for path in content_files():
        data = (root / path).read_bytes()
        executable = bool((root / path).stat().st_mode & stat.S_IXUSR)
        digest.update(f"{path.as_posix()}\0{executable:d}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS and not name.startswith(".")]
        yield from (Path(place, name) for name in files if not _is_skipped(name))


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name == "README.md" or Path(name).suffix in _SKIPPED_SUFFIXES
