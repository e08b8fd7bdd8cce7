"""What a shrink has tried, as a file: a line before each try and one after it, so that a kill loses only that one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.run.journal import mend, write_line
from e2e_ansible.soak.shrink import Attempt, Failure, Notes, Trial

__all__ = ["open_notes"]

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class _Head(BaseModel):
    """The first line: what is shrunk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["shrink"] = "shrink"
    original: Trial
    failure: Failure


@contextmanager
def open_notes(path: Path, original: Trial, failure: Failure) -> Iterator[Notes]:
    """The notes of a file, which is made if it is not there; what is kept from now on is on the disk at once.

    Raises:
        UsageError: it has the notes of another shrink.
        HarnessError: it cannot be read.
        OSError: it could not be written.
    """
    head = _Head(original=original, failure=failure)
    mend(path)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    attempts = _read(path, head, lines) if lines else []
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        if not lines:
            _write(descriptor, head)
        notes = Notes(write=lambda attempt: _write(descriptor, attempt))
        notes.attempts = attempts
        yield notes
    finally:
        os.close(descriptor)


def _read(path: Path, head: _Head, lines: list[str]) -> list[Attempt]:
    found: dict[int, Attempt] = {}
    for number, line in enumerate(lines, start=1):
        try:
            if number > 1:
                attempt = Attempt.model_validate_json(line)
                found[attempt.number] = attempt
            elif _Head.model_validate_json(line) != head:
                text = f"{path} has the notes of another one"
                raise UsageError(text, hint="without --resume it begins anew")
        except ValidationError as error:
            raise HarnessError(f"{path}, line {number}: this is no note of a shrink") from error
    return list(found.values())


def _write(descriptor: int, model: BaseModel) -> None:
    write_line(descriptor, model.model_dump_json() + "\n")
    os.fsync(descriptor)
