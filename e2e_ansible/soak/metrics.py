"""`metrics.jsonl`: what happens in a soak, a line as soon as it has happened, on the disk before anything follows."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from e2e_ansible.errors import HarnessError
from e2e_ansible.run.journal import mend, write_line
from e2e_ansible.soak.records import Record, parse_record

__all__ = ["MetricsLog", "read"]


class MetricsLog:
    """Open for appending by any thread; a line that a kill has torn is cut off when it is opened.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, *, dry_run: bool = False) -> None:
        mend(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._head = '{"dry_run":true,' if dry_run else "{"

    def append(self, record: Record) -> None:
        """Write one record and sync it.

        Raises:
            OSError: it could not be written; nothing of it is there.
        """
        text = self._head + record.model_dump_json()[1:] + "\n"
        with self._lock:
            write_line(self._descriptor, text)
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read(path: Path) -> Iterator[Record]:
    """The records one by one, of however many; a last line that is torn is left out. A missing file has none.

    Raises:
        HarnessError: it cannot be read, or a line in it is no record.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                yield _parsed(path, number, line)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(path: Path, number: int, line: bytes) -> Record:
    try:
        return parse_record(line)
    except ValidationError as error:
        raise HarnessError(f"{path}:{number}: this is no record of a soak") from error
