"""The summary of a run for a terminal: what came out, why, and where to look and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from e2e_ansible.judge.result import RunResult, SoakResult, StepResult, TestResult
from e2e_ansible.judge.soak import REHEARSED
from e2e_ansible.report.client import told_words
from e2e_ansible.report.finding import Finding, allowed, check_words, findings
from e2e_ansible.report.graph import graph_words, phase_rows
from e2e_ansible.report.load import HEADINGS, load_rows, load_words
from e2e_ansible.report.pen import STYLES, Pen, patient
from e2e_ansible.report.repeat_words import repeat_lines
from e2e_ansible.report.strip import LEGEND, strip
from e2e_ansible.report.words import (
    Mark,
    called,
    clean,
    count,
    cycle_words,
    duration,
    host_words,
    join_path,
    kept_words,
    mark_of,
    resumption_words,
    said_of,
    shorten,
    verdict_words,
)
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["print_summary"]

_LONG_TEST = 16
_SHORT_TEST = 8
_LABEL_WIDTH = 8
_RUNS = "runs"
_WIDEST_STRIP = 120
_SHORT = 200
_LONG = 100_000
_PROSE = ("error", "clean-up")
_QUIET = (Mark.PASS, Mark.SKIPPED, Mark.PENDING)


def print_summary(
    console: Console,
    result: RunResult,
    folder: str,
    *,
    report: str = "report.html",
    verbose: bool = False,
    plugins: bool = False,
    removed: bool = False,
) -> None:
    """Print a run on about one screen.

    `folder` is the run folder as the user can reach it, and `report` the HTML page in it (empty if there is
    none). Tests that passed take one line when there are several, unless `verbose`. `plugins` says that its
    suites bring code of their own, without which they cannot be run again. `removed` says that what the run had left
    was removed since, so that nothing can go on or be looked at.
    """
    summary = _Summary(console, verbose=verbose, plugins=plugins, removed=removed)
    with patient():
        for test in result.tests:
            table = verbose or len(result.tests) == 1 or test.verdict is not Verdict.PASS
            summary.test(test, folder, table=table)
        summary.end(result, folder, report)


class _Summary:
    def __init__(self, console: Console, *, verbose: bool, plugins: bool, removed: bool) -> None:
        self._console = console
        self._pen = Pen.for_console(console)
        self._verbose = verbose
        self._plugins = plugins
        self._removed = removed

    def test(self, test: TestResult, folder: str, *, table: bool) -> None:
        """The verdict of one test and, with `table`, its steps and findings."""
        words = verdict_words(test.verdict, test.cause)
        style = STYLES[Mark(test.verdict.value)]
        sign, took = self._pen.verdict(test.verdict), Text(duration(test.duration), style="dim")
        name, verdict = self._pen.text(test.name, "bold"), self._pen.text(words, style)
        self._line(Text.assemble(sign, " ", name, "  ", verdict, "  ", took))
        if not table:
            self._measured(test)
            return
        if test.description:
            self._console.print(Padding(self._pen.text(test.description, "dim"), (0, 0, 0, 2), expand=False))
        rows = strip(test, min(self._console.width, _WIDEST_STRIP) - 2)
        self._console.print(self._steps(test, max(_SHORT_TEST, _LONG_TEST - len(rows))))
        self._loads(test)
        self._clients(test, rows)
        self._graph(test)
        for step in test.workflow_steps:
            self._step(step)
        self._facts(test, folder)
        self._line(Text())

    def end(self, result: RunResult, folder: str, report: str) -> None:
        """The verdict of the run, and what to do next."""
        if result.soak is not None:
            self._soak(result, result.soak)
        for words in (line for one in result.repeats for line in repeat_lines(one)):
            self._line(self._pen.text(words))
        words = verdict_words(result.verdict, result.cause)
        numbers = [(result.passed, "passed"), (result.failed, "failed"), (result.unknown, "unknown")]
        tally = ", ".join(f"{number} {what}" for number, what in numbers if number) or "nothing ran"
        words = REHEARSED if result.soak and result.soak.dry_run else words
        self._line(self._pen.text(words, STYLES[Mark(result.verdict.value)]))
        tests = f"{count(result.total_tests, 'test')}: {tally}"
        self._line(self._pen.text(f"{tests}; {duration(result.duration)}; run {result.run_id}"))
        if not result.finished:
            words = "The run did not finish: it still runs, was killed, or was interrupted twice."
            self._line(self._pen.text(words, "bold"))
        if result.not_run:
            self._line(self._pen.text(f"Not run: {', '.join(result.not_run)}", "bold"))
            for reason, names in result.reasons.items():
                self._line(self._pen.text(f"  {', '.join(names)}: {reason}"))
        self._next(result, folder, report)

    def _soak(self, result: RunResult, soak: SoakResult) -> None:
        """The cycles in one line, and why there were no more."""
        self._line(self._pen.text(cycle_words(soak), "bold"))
        if soak.left_out:
            self._line(
                self._pen.text(f"{count(soak.left_out, 'cycle')} more did not pass; see cycles/", "dim")
            )
        if soak.clean_up:
            self._line(self._pen.text(soak.clean_up, "dim"))

    def _next(self, result: RunResult, folder: str, report: str) -> None:
        run = _run_words(folder)
        commands = [("details", f"e2e-ansible report {run}")]
        if result.soak is not None and not result.soak.dry_run:
            commands.append(("numbers", f"e2e-ansible analyze {run}"))
        if (result.verdict is not Verdict.PASS or result.not_run) and result.soak is None:
            allow = " --allow-plugins" if self._plugins else ""
            commands.append(("again", f"e2e-ansible rerun {run} --failed{allow}"))
        if not result.finished and not self._removed:
            commands.append(("go on", f"e2e-ansible resume {run}"))
        if not self._removed and (not result.finished or _may_remain(result)):
            commands.append(("remove", f"e2e-ansible destroy {run}"))
        places = [("report", join_path(folder, report))] if report else [("folder", folder)]
        for label, words in commands + places:
            self._line(Text.assemble((f"{label:<{_LABEL_WIDTH}}", "dim"), self._pen.text(words)))

    def _graph(self, test: TestResult) -> None:
        """What running steps at once has gained, by phase if there are any."""
        words = graph_words(test)
        if not words:
            return
        self._finding(Finding("graph", words), indent=2)
        phases = phase_rows(test)
        if not phases:
            return
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for number, title in enumerate((" " * 12 + "phase", "budget", "wall", "summed", "speed-up")):
            table.add_column(title, justify="right" if number else "left", no_wrap=True)
        for row in phases:
            name = self._pen.text(" " * 12 + row.name)
            table.add_row(name, row.budget, row.wall, row.summed, row.speed_up)
        self._console.print(table)

    def _steps(self, test: TestResult, most: int) -> Table:
        steps = test.workflow_steps
        critical = set(test.graph.path) if test.graph else set()
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, expand=True, header_style="dim")
        overflow = self._pen.overflow
        table.add_column("   #", justify="right", no_wrap=True)
        table.add_column("step", no_wrap=True, overflow=overflow, max_width=16)
        table.add_column("description", no_wrap=True, overflow=overflow, ratio=1)
        table.add_column("hosts", no_wrap=True, overflow=overflow, max_width=14)
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("tries", justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        for step, hidden in _condensed(steps, len(steps) if self._verbose else most):
            if hidden:
                words = f"{count(hidden, 'step')} without findings"
                table.add_row("", self._pen.more, self._pen.text(words, "dim"))
            else:
                table.add_row(*self._row(step, critical=step.id in critical))
        return table

    def _loads(self, test: TestResult) -> None:
        """What each load measured."""
        rows = load_rows(test)
        if not rows:
            return
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for number, title in enumerate(HEADINGS):
            words = number < 3  # these are cut before a number is
            table.add_column(
                "  " * (not number) + title,
                justify="left" if words else "right",
                no_wrap=True,
                overflow=self._pen.overflow,
                min_width=6 if words else len(title),
            )
        for row in rows:
            name, *cells = row.cells
            table.add_row(*(self._pen.text(cell) for cell in ("  " * (1 + row.inner) + name, *cells)))
        self._console.print(table)

    def _measured(self, test: TestResult) -> None:
        """Each load in a line, for a test of which nothing else is told."""
        loads = [(step, step.load) for step in test.workflow_steps if step.load is not None]
        for step, load in loads:
            which = f"{step.id}: " if len(loads) > 1 else ""
            self._finding(Finding("load", f"{which}{load_words(load)}"), indent=2)

    def _clients(self, test: TestResult, rows: Sequence[tuple[str, str]]) -> None:
        """What clients saw: on a time axis, then in sentences."""
        for name, characters in rows:
            self._line(Text.assemble("  ", (name, "dim"), " ", self._pen.text(characters)))
        if rows:
            self._line(Text(f"  {LEGEND}"[: self._console.width], style="dim"))
        faults = {fault.id: fault for fault in test.faults}
        most = _LONG if self._verbose else _SHORT
        for client in test.clients:
            if client.operations:
                for words in told_words(client, faults, full=self._verbose):
                    told = shorten(f"{client.name}: {words}", lines=1, characters=most)
                    self._finding(Finding("client", told), indent=2)

    def _row(self, step: StepResult, *, critical: bool) -> list[Text]:
        mark = mark_of(step)
        style = "dim" if mark in (Mark.SKIPPED, Mark.PENDING) else ""
        words = (
            f"{'*' * critical}{step.index}",
            step.step_type,
            said_of(step).replace("\n", " "),
            host_words(step.hosts),
            duration(step.duration) if step.started is not None else "",
            str(step.attempts or ""),
        )
        return [*(self._pen.text(word, style) for word in words), self._pen.word(mark)]

    def _step(self, step: StepResult) -> None:
        found = findings(step, full=self._verbose)
        if found:
            mark = mark_of(step)
            decided = step.verdict is not None and mark is not Mark.INTERRUPTED
            words = verdict_words(step.verdict or Verdict.UNKNOWN, step.cause) if decided else mark.value
            name = self._pen.text(f"step {step.index} {called(step.step_type, step.id)}: ", "bold")
            self._line(Text.assemble("\n  ", name, self._pen.text(words, STYLES[mark])))
        notes = [check_words(check) for check in allowed(step.validation_results)]
        label = "allowed" if found else f"step {step.index}"
        prefix = "" if found else "allowed: "
        for finding in [*found, *(Finding(label, prefix + note) for note in notes)]:
            self._finding(finding, indent=4 if found else 2)

    def _finding(self, finding: Finding, *, indent: int) -> None:
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=indent + _LABEL_WIDTH)
        grid.add_column(overflow="fold")
        grid.add_row(self._pen.text(f"{' ' * indent}{finding.label}", "dim"), self._pen.text(finding.text))
        self._console.print(grid)

    def _facts(self, test: TestResult, folder: str) -> None:
        place = join_path(folder, test.folder)
        named = {"logs": "logs in"}
        facts = [(named.get(what, what), " ".join(folders)) for what, folders in kept_words(test)]
        explained = any(findings(step) for step in test.workflow_steps)
        if test.error and (not explained or self._verbose):
            facts.insert(0, ("error", shorten(clean(test.error), lines=6, characters=600)))
        if test.resumptions:
            facts.append(("resumed", resumption_words(test.resumptions)))
        if test.clean_up and (test.kept or test.verdict is not Verdict.PASS):
            facts.append(("clean-up", test.clean_up))
        if test.kept and not self._removed:
            facts.append(("look", f"e2e-ansible role observe --on all --deployment {test.deployment_id}"))
        if explained or test.evidence:
            facts.append(("all in", place))
        for label, words in facts:
            if label in _PROSE:
                self._finding(Finding(label, words), indent=2)
                continue
            self._line(Text.assemble((f"  {label:<{_LABEL_WIDTH}} ", "dim"), self._pen.text(words)))

    def _line(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True, highlight=False)


def _run_words(folder: str) -> str:
    """How commands are told which run is meant: its name, and where it is unless that is the default."""
    runs, _, name = folder.rpartition("/")
    where = "" if runs == _RUNS else f" --runs {shlex.quote(runs or '.')}"
    return f"{shlex.quote(name)}{where}"


def _may_remain(result: RunResult) -> bool:
    """Whether nodes may still be there; the cycles of a soak may share theirs."""
    shared = result.soak is not None and (result.soak.kept or result.cause is Cause.CLEAN_UP)
    return shared or any(_left(test) for test in result.tests)


def _left(test: TestResult) -> bool:
    """Whether nodes may still be there."""
    return test.kept or test.ended is None or test.cause is Cause.CLEAN_UP


def _condensed(steps: tuple[StepResult, ...], most: int) -> list[tuple[StepResult, int]]:
    """Steps to show, each with 0, or a stand-in with the number of quiet steps that it stands for."""
    if len(steps) <= most:
        return [(step, 0) for step in steps]
    loud = {index for index, step in enumerate(steps) if mark_of(step) not in _QUIET}
    ends = {0, 1, len(steps) - 2, len(steps) - 1}
    near = ends | {index + offset for index in loud for offset in (-1, 0, 1)}
    shown: list[tuple[StepResult, int]] = []
    for index, step in enumerate(steps):
        if index in near:
            shown.append((step, 0))
        elif shown and shown[-1][1]:
            shown[-1] = (step, shown[-1][1] + 1)
        else:
            shown.append((step, 1))
    return shown
