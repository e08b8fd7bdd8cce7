"""A release of Stroppy to the one program in it."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from e2e_ansible.artifacts.executable import is_executable
from e2e_ansible.errors import InfrastructureError

__all__ = ["take_program"]

_GZIP = b"\x1f\x8b"
_LARGEST = 1 << 30
_HINT = "as its releases are: a tar.gz with one file `stroppy`, or the program itself"


def take_program(source: Path, target: Path, name: str, title: str) -> None:
    """Write the program `name` to `target`; `source` is a tar.gz with nothing but it, or the program itself.

    Raises:
        InfrastructureError: it is anything else, or damaged.
    """
    with source.open("rb") as stream:
        head = stream.read(4)
    if is_executable(head):
        shutil.copyfile(source, target)
    elif head.startswith(_GZIP):
        _unpack(source, target, name, title)
    else:
        raise InfrastructureError(f"{title} is neither a tar.gz nor a program for Linux", hint=_HINT)


def _unpack(source: Path, target: Path, name: str, title: str) -> None:
    try:
        with tarfile.open(source, "r:gz") as archive:
            stream = archive.extractfile(_the_one(archive, name, title))
            assert stream is not None  # it is a file
            with target.open("wb") as file:
                shutil.copyfileobj(stream, file)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InfrastructureError(f"{title} is damaged: {error}", hint="fetch it again") from error


def _the_one(archive: tarfile.TarFile, name: str, title: str) -> tarfile.TarInfo:
    """The member that is meant; one at a time is read, so that an endless archive is refused early."""
    one: tarfile.TarInfo | None = None
    for member in archive:
        path = PurePosixPath(member.name)
        if member.isdir() and path == PurePosixPath("."):
            continue
        if one is not None or not member.isreg() or path != PurePosixPath(name):
            raise InfrastructureError(
                f"{title} has {member.name[:80]!r} in it, and not just {name!r}", hint=_HINT
            )
        if member.size > _LARGEST:
            raise InfrastructureError(f"{title}: {name} would have {member.size} bytes, which no release has")
        one = member
    if one is None:
        raise InfrastructureError(f"{title} is empty", hint=_HINT)
    return one
