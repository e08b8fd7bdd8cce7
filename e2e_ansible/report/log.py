"""The test log: everything that happened in one deployment, as plain lines with real times."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from e2e_ansible.report.narration import Narration, subject
from e2e_ansible.report.notice import Notice
from e2e_ansible.report.sink import LineSink
from e2e_ansible.report.words import stamp

__all__ = ["TestLog"]

_MODE = 0o600


class TestLog:
    """A listener that appends to a file only its owner may read, one flushed line at a time.

    Notices of tests other than `test` are left out; with an empty `test`, all are written. Opening the file
    may raise OSError; writing never raises, the first error is kept in `error`.
    """

    __test__ = False

    def __init__(self, path: Path, *, test: str = "") -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(path, flags, _MODE)
        os.fchmod(descriptor, _MODE)
        self._file = os.fdopen(descriptor, "a", encoding="utf-8", newline="\n")
        self._sink = LineSink(self._file)
        self._narration = Narration(tasks=True)
        self._test = test

    @property
    def error(self) -> Exception | None:
        """Why the log ends early, None if it does not."""
        return self._sink.error

    def __call__(self, notice: Notice) -> None:
        """Append the lines of one notice; never raises."""
        if self._test and subject(notice) not in ("", self._test):
            return
        for line in self._narration.lines(notice):
            self._sink.write(f"{stamp(notice.at)} {line}")

    def close(self) -> None:
        """Close the file; more notices are ignored."""
        try:
            self._file.close()
        except OSError as error:
            self._sink.error = error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
