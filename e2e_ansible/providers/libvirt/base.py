"""What a machine's first disk is laid over: our own image or a given one, as volumes of the pool."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.providers.libvirt.domain import Boot
from e2e_ansible.providers.libvirt.image import COMMAND_LINE, GIGABYTES, ensure_image, image_key
from e2e_ansible.providers.libvirt.storage import Pool
from e2e_ansible.providers.releases import DEFAULT_SUITE, Release
from e2e_ansible.providers.system import locked, run

__all__ = ["OWN_IMAGE", "Base", "ensure_base"]

#: The image of this name is ours, of a suite of Debian; any other is the path of a disk image.
OWN_IMAGE = "debian"
_LOCK_SECONDS = 1800.0
_KINDS = ("qcow2", "raw")


@dataclass(frozen=True)
class Base:
    """A volume that nobody writes into, its size in bytes, and how it is booted (None: by itself)."""

    volume: str
    kind: str
    size: int
    boot: Boot | None = None


@dataclass(frozen=True)
class _File:
    """What becomes a volume; the size is that of the disk in it, in bytes."""

    volume: str
    path: Path
    kind: str
    size: int


def ensure_base(pool: Pool, home: Path, image: str, settings: Mapping[str, object]) -> Base:
    """The volumes of an image, made when they are not there.

    Raises:
        UsageError: there is no such image.
        ProviderError: our own could not be built.
    """
    pool.open()
    if image != OWN_IMAGE:
        return _given(pool, home, Path(image).expanduser())
    return _own(pool, home, _release(settings))


def _release(settings: Mapping[str, object]) -> Release:
    return Release(str(settings.get("suite") or DEFAULT_SUITE), str(settings.get("pgdg") or ""))


def _own(pool: Pool, home: Path, release: Release) -> Base:
    key = image_key(release)
    disk, kernel, initramfs = (f"{key}.{part}" for part in ("qcow2", "vmlinuz", "initrd"))
    if _marker(key) not in pool.names():
        made = ensure_image(home / "images", release)
        files = [
            _File(disk, made.disk, "qcow2", GIGABYTES * 1024**3),
            _File(kernel, made.kernel, "raw", made.kernel.stat().st_size),
            _File(initramfs, made.initramfs, "raw", made.initramfs.stat().st_size),
        ]
        _upload(pool, home, key, files)
    boot = Boot(pool.path(kernel), pool.path(initramfs), COMMAND_LINE)
    return Base(disk, "qcow2", GIGABYTES * 1024**3, boot)


def _given(pool: Pool, home: Path, path: Path) -> Base:
    if not path.is_file():
        raise UsageError(f"there is no image {path}", hint=_nearest(path))
    told = json.loads(run(["qemu-img", "info", "--output=json", str(path)]))
    kind, size = str(told["format"]), int(told["virtual-size"])
    if kind not in _KINDS or "backing-filename" in told:
        reason = f"it is of format {kind}" if kind not in _KINDS else "it lies over another one"
        raise UsageError(
            f"{path} cannot be the image of machines: {reason}", hint="qemu-img convert -O qcow2"
        )
    state = path.stat()
    unique = f"{path.resolve()}\0{state.st_size}\0{state.st_mtime_ns}"
    key = f"given-{hashlib.sha256(unique.encode()).hexdigest()[:12]}"
    if _marker(key) not in pool.names():
        _upload(pool, home, key, [_File(f"{key}.{kind}", path, kind, size)])
    return Base(f"{key}.{kind}", kind, size)


def _upload(pool: Pool, home: Path, key: str, files: list[_File]) -> None:
    """The marker comes last, so what a killed upload left is never taken for an image."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(home / f"libvirt-{key}.lock", _LOCK_SECONDS):
        if _marker(key) in pool.names():
            return
        pool.remove([file.volume for file in files if file.volume in pool.names()])
        for file in files:
            if not file.path.is_file():
                raise ProviderError(f"{file.path} has just gone")
            pool.upload(file.volume, file.path, file.kind, file.size)
        pool.make_disk(_marker(key), 1024**2)


def _marker(key: str) -> str:
    return f"{key}.complete"


def _nearest(path: Path) -> str:
    names = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    if near:
        return f"did you mean {path.with_name(near[0])}?"
    return f"the path of a qcow2 or raw file, or {OWN_IMAGE!r} for an image that is made here"
