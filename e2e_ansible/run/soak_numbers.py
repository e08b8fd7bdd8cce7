"""The numbers of a soak from its run folder: `metrics/metrics.jsonl`, line by line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from pydantic import ValidationError

from e2e_ansible.analysis.soak_result import Source
from e2e_ansible.analysis.soak_series import SoakSeries, gather
from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.unreadable import unreadable
from e2e_ansible.soak.records import Record, parse_record

__all__ = ["METRICS", "SoakNumbers", "is_soak", "read_soak"]

#: Where records are, in a run folder.
METRICS = "metrics/metrics.jsonl"
_STATE = "soak.json"


@dataclass(frozen=True)
class SoakNumbers:
    """What was read, and of which file."""

    series: SoakSeries
    source: Source


def is_soak(run: RunFolder) -> bool:
    """Whether a run was made in cycles."""
    return (run.path / METRICS).exists() or (run.path / _STATE).exists()


def read_soak(run: RunFolder) -> SoakNumbers:
    """All numbers of a soak, also of one that still goes on. A last line that a kill has torn is left out.

    Raises:
        UsageError: it is no soak.
        HarnessError: the file, or a line in the middle of it, cannot be read.
    """
    path = run.path / METRICS
    if not is_soak(run):
        hint = "only what was run with --cycles has metrics of its cycles"
        raise UsageError(f"{run.path} is no soak: it has no {METRICS}", hint=hint)
    try:
        with path.open("rb") as file:
            lines = _Lines(file)
            series = gather(lines)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise HarnessError(f"{path}:{lines.number}: {_why(error)}") from error
    return SoakNumbers(series, lines.source)


class _Lines:
    """The records of a file, once; counts and digests what it reads."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._bytes = self._records = 0
        self._torn = False
        self.number = 0

    def __iter__(self) -> Iterator[Record]:
        for line in self._file:
            if not line.endswith(b"\n"):
                self._torn = True
                return
            self.number += 1
            self._digest.update(line)
            self._bytes += len(line)
            self._records += 1
            yield parse_record(line)

    @property
    def source(self) -> Source:
        """What has been read so far, without a torn line."""
        return Source(
            file=METRICS,
            bytes=self._bytes,
            sha256=self._digest.hexdigest(),
            records=self._records,
            torn=self._torn,
        )


def _why(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"this is no record of a soak: {place + ': ' if place else ''}{first['msg']}"
