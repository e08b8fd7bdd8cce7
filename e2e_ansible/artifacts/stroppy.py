"""Stroppy on the controller: from a release, an archive or by Go to one program whose digest is known."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from e2e_ansible.artifacts.cache import cached, file_digest, found
from e2e_ansible.artifacts.download import download, shown
from e2e_ansible.artifacts.executable import check_executable
from e2e_ansible.artifacts.golang import build
from e2e_ansible.artifacts.stroppy_catalogue import remember
from e2e_ansible.artifacts.unpack import take_program
from e2e_ansible.errors import InfrastructureError, UsageError
from e2e_ansible.suite.stroppy import check_source

__all__ = ["MODULE", "NAME", "Program", "Source", "program"]

NAME = "stroppy"
MODULE = "github.com/stroppy-io/stroppy"
_PACKAGE = "cmd/stroppy"
_KIND = "stroppy"
_SECONDS = 1700
_SHORT = 16
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Source(BaseModel):
    """Where it comes from: just one of `url`, `archive` and `commit` is not empty.

    A relative `archive` starts in `folder`. With `coverage` Go builds it so that it notes which lines ran.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""
    sha256: str = ""
    archive: str = ""
    commit: str = ""
    coverage: bool = False
    folder: str = ""

    @property
    def title(self) -> str:
        """How it is named to a user."""
        if self.url:
            return shown(self.url)
        if self.archive:
            return str(self.path)
        return f"{MODULE}@{self.commit}{' with coverage' if self.coverage else ''}"

    @property
    def path(self) -> Path:
        """The archive or program on this machine."""
        return Path(self.folder, Path(self.archive).expanduser())


@dataclass(frozen=True)
class Program:
    """A program that is on the controller; `title` says where it came from."""

    path: Path
    sha256: str
    title: str


def program(source: Source, machine: str, *, only_look: bool = False) -> Program | None:
    """The program for nodes of the kind `machine`, made when it is not in the cache.

    With `only_look` nothing is made, and None means that it would be.

    Raises:
        UsageError: it is not said, or twice, where it comes from.
        InfrastructureError: it cannot be had, is another than was pinned, or does not run on such a machine.
    """
    try:
        check_source(source.model_dump(exclude={"folder"}))
    except ValueError as error:
        raise UsageError(str(error)) from error
    key, make = _recipe(source, machine)
    place = found(_KIND, key)
    if place is None:
        if only_look:
            return None
        place = cached(_KIND, key, make, seconds=_SECONDS)
    path = place / NAME
    check_executable(path, machine, source.title)
    made = Program(path, file_digest(path), source.title)
    if not only_look:
        remember(path, made.sha256, machine)
    return made


def _recipe(source: Source, machine: str) -> tuple[str, Callable[[Path, int], None]]:
    """The name in the cache, and what makes the entry."""
    if source.commit:
        return _build_key(source, machine), _builder(source, machine)
    if source.archive:
        return _archive_key(source), lambda folder, _: _take(source, source.path, folder, machine)
    return f"release-{source.sha256}", lambda folder, _: _fetch(source, folder, machine)


def _archive_key(source: Source) -> str:
    try:
        digest = file_digest(source.path)
    except OSError as error:
        raise InfrastructureError(
            f"the archive {source.path} cannot be read: {error.strerror}",
            hint="a relative path starts in the folder of the suite",
        ) from error
    if source.sha256 and digest != source.sha256:
        raise InfrastructureError(
            f"{source.path} has the SHA-256 {digest}, and {source.sha256} was expected",
            hint="it is another file than the one that was pinned; nothing was installed",
        )
    return f"release-{digest}"


def _build_key(source: Source, machine: str) -> str:
    flags = "\0".join(os.environ.get(name, "") for name in ("GOFLAGS", "CGO_ENABLED"))
    more = hashlib.sha256(f"{flags}\0{source.coverage}".encode()).hexdigest()[:_SHORT]
    return f"go-{_NOT_IN_NAMES.sub('-', source.commit)}-{machine}-{more}"


def _builder(source: Source, machine: str) -> Callable[[Path, int], None]:
    def make(folder: Path, lock: int) -> None:
        target = folder / NAME
        build(
            MODULE,
            _PACKAGE,
            source.commit,
            machine,
            target,
            coverage=source.coverage,
            lock=lock,
            seconds=_SECONDS,
        )
        target.chmod(0o700)

    return make


def _fetch(source: Source, folder: Path, machine: str) -> None:
    fetched = folder / "fetched"
    download(source.url, source.sha256, fetched, seconds=_SECONDS)
    _take(source, fetched, folder, machine)
    fetched.unlink()


def _take(source: Source, file: Path, folder: Path, machine: str) -> None:
    target = folder / NAME
    take_program(file, target, NAME, source.title)
    check_executable(target, machine, source.title)
    target.chmod(0o700)
