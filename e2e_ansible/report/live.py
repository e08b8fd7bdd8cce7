"""The live view: running tests as a screen that keeps changing, with all that is settled above it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from e2e_ansible.judge.result import TestResult
from e2e_ansible.report.finding import findings
from e2e_ansible.report.narration import Narration
from e2e_ansible.report.notice import (
    Alerted,
    Attempted,
    Message,
    Notice,
    Output,
    StepEnded,
    StepStarted,
    TestEnded,
    TestStarted,
)
from e2e_ansible.report.pen import STYLES, Pen
from e2e_ansible.report.progress import RunProgress
from e2e_ansible.report.screen import Screen
from e2e_ansible.report.words import Mark, called, clean, count, duration, mark_of, verdict_words

__all__ = ["LiveView", "usable"]

_REFRESH_SECONDS = 0.125
_LEVEL_STYLES = {"info": "", "warning": "yellow", "error": "bold red"}


def usable(console: Console) -> bool:
    """Whether a live view makes sense here: a real terminal that can move its cursor."""
    return console.is_terminal and not console.is_dumb_terminal and console.is_interactive


class LiveView:
    """A listener to be entered as a context manager around the run.

    A terminal that breaks ends the view and never the run; the reason is then in `error`. Only a snapshot is
    handed to rich, so that rich's lock and this view's are never waited for in both orders.
    """

    def __init__(
        self, console: Console, *, verbose: bool = False, now: Callable[[], float] = time.time
    ) -> None:
        self.error: BaseException | None = None
        self._console = console
        self._verbose = verbose
        self._now = now
        self._pen = Pen.for_console(console)
        self._progress = RunProgress()
        self._narration = Narration(tasks=False)
        self._lock = RLock()
        self._stop = Event()
        self._ticker = Thread(target=self._tick, name="live-view", daemon=True)
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._guarded(lambda: self._live.start(refresh=False))
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._ticker.join(timeout=2)
        self._close()

    def __call__(self, notice: Notice) -> None:
        """Show one notice; never raises."""
        self._guarded(lambda: self._show(notice))

    def _show(self, notice: Notice) -> None:
        self._progress.take(notice)
        above = self._above(notice)
        self._live.update(self._snapshot(), refresh=not above)
        for line in above:
            self._console.print(line, soft_wrap=isinstance(notice, Output))

    def _tick(self) -> None:
        while not self._stop.wait(_REFRESH_SECONDS):
            self._guarded(lambda: self._live.update(self._snapshot(), refresh=True))

    def _guarded(self, act: Callable[[], None]) -> None:
        with self._lock:
            if self.error is not None:
                return
            try:
                act()
            except (Exception, SystemExit) as error:  # rich raises SystemExit when a pipe breaks
                self.error = error
                self._close()

    def _close(self) -> None:
        with self._lock, suppress(Exception, SystemExit):
            self._live.update(Text(), refresh=False)
            self._live.stop()

    def _snapshot(self) -> Group:
        width, height = self._console.size
        # A terminal echoes ^C after the last line; on a full line it would push the screen up by one.
        width = max(1, width - len("^C"))
        screen = Screen(self._pen, width=width, height=max(1, height - 1), now=self._now())
        return Group(*screen.lines(self._progress))

    def _above(self, notice: Notice) -> list[Text]:
        match notice:
            case TestEnded() if self._progress.tests != 1:  # of a single one the summary says it all
                return self._ended(notice.result)
            case Message() if notice.level != "info" or notice.test not in self._progress.running:
                name = f"{notice.test}: " if notice.test else ""
                return [self._pen.text(f"{name}{notice.text}", _LEVEL_STYLES[notice.level])]
            case Alerted():
                style = _LEVEL_STYLES["info" if notice.alert.ended else "warning"]
                return [self._pen.text(line, style) for line in self._narration.lines(notice)]
            case Output() if self._verbose:
                return [self._pen.text(line, "dim") for line in clean(notice.text).splitlines()]
            case TestStarted() | StepStarted() | Attempted() | StepEnded() if self._verbose:
                return [self._pen.text(line, "bold") for line in self._narration.lines(notice)]
            case _:
                return []

    def _ended(self, test: TestResult) -> list[Text]:
        words = verdict_words(test.verdict, test.cause)
        tail = f"{count(len(test.workflow_steps), 'step')}, {duration(test.duration)}"
        style = STYLES[Mark(test.verdict.value)]
        name, middle = self._pen.text(test.name, "bold"), self._pen.text(words, style)
        sign, rest = self._pen.verdict(test.verdict), self._pen.text(tail, "dim")
        lines = [Text.assemble(sign, " ", name, "  ", middle, "  ", rest)]
        bad = (step for step in test.workflow_steps if findings(step))
        for step in bad:
            first = findings(step, full=False)[0].text.partition("\n")[0]
            words = f"    step {step.index} {called(step.step_type, step.id)} {mark_of(step).value}: {first}"
            line = self._pen.text(words)
            line.truncate(self._console.width, overflow=self._pen.overflow)
            lines.append(line)
        return lines
