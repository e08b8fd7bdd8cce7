"""The plain view: one line per event, for pipes, CI and terminals that cannot move the cursor."""

from __future__ import annotations

from typing import IO

from e2e_ansible.report.narration import Narration, subject
from e2e_ansible.report.notice import Notice, RunStarted
from e2e_ansible.report.sink import LineSink
from e2e_ansible.report.words import clean, clock

__all__ = ["PlainView"]


class PlainView:
    """A listener that writes lines with the time (UTC) and, when several tests run, the name of the test."""

    def __init__(self, stream: IO[str], *, verbose: bool = False) -> None:
        self._sink = LineSink(stream)
        self._narration = Narration(tasks=verbose)
        self._several = False

    def __call__(self, notice: Notice) -> None:
        """Write the lines of one notice; never raises."""
        if isinstance(notice, RunStarted):
            self._several = len(notice.tests) > 1
        test = subject(notice)
        name = f"[{clean(test)}] " if self._several and test else ""
        for line in self._narration.lines(notice):
            self._sink.write(f"{clock(notice.at)} {name}{line}")
