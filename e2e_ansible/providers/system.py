"""Commands, files and locks of the controller: failures become ProviderErrors that say what was tried."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError

__all__ = ["PROGRAMS", "locked", "reported", "run", "sync_folder", "tail", "try_run", "write_durably"]

#: Where the programs of the system are.
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def try_run(argv: Sequence[str], *, seconds: float = 30, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with `text` as its input, whatever its exit code.

    Raises:
        ProviderError: it is not installed, or it took longer than `seconds`.
    """
    environment = {**os.environ, "PATH": PROGRAMS, "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.run(
            argv, input=text, capture_output=True, text=True, timeout=seconds, env=environment, check=False
        )
    except FileNotFoundError as error:
        raise ProviderError(
            f"{argv[0]} is not installed", hint="run the doctor for the local provider"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ProviderError(f"{' '.join(argv)} took longer than {seconds:g} s") from error


def run(argv: Sequence[str], *, seconds: float = 30, text: str = "") -> str:
    """Run a command and return its output.

    Raises:
        ProviderError: as `try_run`, or the exit code was not 0; the message ends in what it wrote to stderr.
    """
    result = try_run(argv, seconds=seconds, text=text)
    if result.returncode:
        said = (result.stderr or result.stdout).strip() or "no output"
        raise ProviderError(f"{' '.join(argv)} ended with {result.returncode}: {said}")
    return result.stdout


def write_durably(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file so that after a crash either the old or the new content is there, on disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, mode)
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names created in or removed from `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tail(path: Path, lines: int = 8, limit_bytes: int = 16_384) -> str:
    """The last lines of a file that may be missing."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - limit_bytes))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


@contextmanager
def reported(what: str) -> Iterator[None]:
    """Turn an error of the operating system (disk full, read-only, no permission) into a ProviderError."""
    try:
        yield
    except OSError as error:
        raise ProviderError(f"{what}: {error}") from error


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[int]:
    """Hold an exclusive lock on a file (made when missing) or an existing folder; yields its descriptor.

    Raises:
        ProviderError: somebody else held it for `seconds`.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags, 0o600)
    try:
        if not Deadline(seconds).wait_for(lambda: _take(descriptor)):
            raise ProviderError(f"{path} is held by another process for more than {seconds:g} s")
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
