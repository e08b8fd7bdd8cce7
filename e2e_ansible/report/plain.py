"""The plain view: one line per event, for pipes, CI and terminals that cannot move the cursor."""

from __future__ import annotations

from typing import IO

from e2e_ansible.report.narration import Narration, subject
from e2e_ansible.report.notice import (
    Attempted,
    CycleStarted,
    Notice,
    RunStarted,
    StepEnded,
    StepStarted,
    TestEnded,
    TestStarted,
)
from e2e_ansible.report.sink import LineSink
from e2e_ansible.report.words import clean, clock
from e2e_ansible.verdict import Verdict

__all__ = ["PlainView"]


class PlainView:
    """A listener that writes lines with the time (UTC) and, when several tests run, the name of the test.

    Of the cycles of a soak it tells what does not pass, and a line for each, unless `verbose`.
    """

    def __init__(self, stream: IO[str], *, verbose: bool = False) -> None:
        self._sink = LineSink(stream)
        self._narration = Narration(tasks=verbose)
        self._several = False
        self._brief = not verbose
        self._cycles = False

    def __call__(self, notice: Notice) -> None:
        """Write the lines of one notice; never raises."""
        if isinstance(notice, RunStarted):
            self._several = len(notice.tests) > 1
        self._cycles = self._cycles or isinstance(notice, CycleStarted)
        test = subject(notice)
        name = f"[{clean(test)}] " if self._several and test else ""
        lines = self._narration.lines(notice)  # also of what is not told: it learns the names of steps
        if self._cycles and self._brief and _is_usual(notice):
            return
        for line in lines:
            self._sink.write(f"{clock(notice.at)} {name}{line}")


def _is_usual(notice: Notice) -> bool:
    """Whether it is what happens in every cycle."""
    match notice:
        case StepEnded():
            return notice.result.verdict in (Verdict.PASS, None)
        case TestEnded():
            return notice.result.verdict is Verdict.PASS or notice.result.cause is None
        case _:
            return isinstance(notice, CycleStarted | TestStarted | StepStarted | Attempted)
