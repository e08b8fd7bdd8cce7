"""The cache of the controller: each entry is made once, whole, and never changed afterwards."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from e2e_ansible.errors import InfrastructureError
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.system import locked, sync_folder, write_durably

__all__ = ["cached", "file_digest", "found"]

_SUMS = "SHA256SUMS"
_CHUNK = 1 << 20


def cached(kind: str, key: str, make: Callable[[Path, int], None], *, seconds: float) -> Path:
    """The folder of an entry. `make` fills an empty folder, and may hand the lock, a descriptor, to its children.

    Who asks while another makes it waits for that one, at most `seconds`. What is damaged is made again.

    Raises:
        InfrastructureError: it cannot be written here, or another process takes longer than `seconds`.
    """
    place = _place(kind, key)
    try:
        for folder in (place.parent.parent, place.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(place.with_name(f"{key}.lock"), seconds) as lock:
            if not _is_whole(place):
                _make(place, make, lock)
    except OSError as error:
        raise InfrastructureError(f"the cache {place.parent} cannot be used: {error}") from error
    return place


def found(kind: str, key: str) -> Path | None:
    """The folder of an entry that is there and whole; nothing is made."""
    place = _place(kind, key)
    return place if _is_whole(place) else None


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _place(kind: str, key: str) -> Path:
    return default_home() / "cache" / kind / key


def _make(place: Path, make: Callable[[Path, int], None], lock: int) -> None:
    draft = place.with_name(f".unfinished-{place.name}")
    for left in (draft, place):
        shutil.rmtree(left, ignore_errors=True)
    try:
        draft.mkdir(mode=0o700)
        make(draft, lock)
        write_durably(draft / _SUMS, "".join(f"{file_digest(file)}  {file.name}\n" for file in _files(draft)))
        draft.rename(place)
        sync_folder(place.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != _SUMS)


def _is_whole(place: Path) -> bool:
    try:
        sums = (place / _SUMS).read_text(encoding="utf-8")
        return sums == "".join(f"{file_digest(file)}  {file.name}\n" for file in _files(place))
    except OSError:
        return False
