"""What a test says that did not pass: the step, its error, its line, Ansible's words, the report, what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

from _pytest._code.code import (
    ExceptionChainRepr,
    ReprEntryNative,
    ReprFileLocation,
    ReprTraceback,
)
from rich.console import Console

from e2e_ansible.errors import E2EError
from e2e_ansible.judge.result import RunResult, SoakResult, StepResult, TestResult
from e2e_ansible.pytest_plugin.harness import Harness
from e2e_ansible.report.excerpt import excerpt
from e2e_ansible.report.finding import findings
from e2e_ansible.report.problems import print_problems
from e2e_ansible.report.words import Mark, count, join_path, kept_words, mark_of, verdict_words
from e2e_ansible.run.reports import REPORT
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["NotPassed", "as_report", "error_text", "failure_text", "headline", "test_text"]

#: Whose trouble an error is, by its exit code; what the user wrote is nobody else's.
_CAUSES = {4: Cause.INFRASTRUCTURE, 5: Cause.HARNESS, 6: Cause.CLEAN_UP}
_QUIET = (Mark.PASS, Mark.SKIPPED, Mark.PENDING)
_SHOWN_TESTS = 3
_EXCERPT_LINES = 16
_TAIL = 64 * 1024
_WIDTH = 110
_LABEL = 8
_FIRST_LINE = 160


class NotPassed(Exception):
    """A run whose verdict is no pass; `line` is what it is in one line."""

    def __init__(self, text: str, line: str) -> None:
        super().__init__(text)
        self.line = line


def as_report(text: str, line: str, place: tuple[str, int]) -> ExceptionChainRepr:
    """A report of pytest that has no traceback: the text, and a line for the summary."""
    entry = ReprEntryNative([f"{each}\n" for each in text.splitlines()])
    traceback = ReprTraceback([entry], None, "native")
    return ExceptionChainRepr([(traceback, ReprFileLocation(place[0], place[1], line), None)])


def error_text(error: E2EError) -> str:
    """An error that was raised on purpose, as the command line tells it."""
    written = StringIO()
    print_problems(Console(file=written, width=_WIDTH, force_terminal=False, no_color=True), error)
    cause = _CAUSES.get(error.exit_code)
    head = f"{verdict_words(Verdict.FAIL, cause)}\n" if cause else ""
    return f"{head}{written.getvalue().rstrip()}"


def headline(result: RunResult | TestResult) -> str:
    """A verdict and the first thing that is wrong, in one line."""
    tests = result.tests if isinstance(result, RunResult) else (result,)
    first = next((words for test in tests for words in _wrong(test)), "")
    words = " ".join(first.split())[:_FIRST_LINE]
    return f"{verdict_words(result.verdict, result.cause)}: {words}".removesuffix(": ")


def _wrong(test: TestResult) -> Iterator[str]:
    if test.verdict is Verdict.PASS:
        return
    for step in test.workflow_steps:
        yield from (found.text for found in findings(step, full=False)[:1])
    yield test.error or test.clean_up


def failure_text(harness: Harness, result: RunResult, folder: Path, node: str) -> str:
    """All that a person needs who sees only this; `node` is the test as it is named on the command line."""
    lines = [verdict_words(result.verdict, result.cause)]
    if result.soak is not None:
        lines.append(_soak_words(result.soak))
    bad = [test for test in result.tests if test.verdict is not Verdict.PASS]
    for test in bad[:_SHOWN_TESTS]:
        lines += ["", *test_text(harness, test, folder, titled=len(result.tests) > 1 or bool(result.soak))]
    left = len(bad) - _SHOWN_TESTS + (result.soak.left_out if result.soak else 0)
    if left > 0:
        lines.append(f"{count(left, 'test')} more did not pass; see the report")
    return "\n".join([*lines, "", *_facts(harness, result, folder, node)])


def _soak_words(soak: SoakResult) -> str:
    of = f" of {soak.asked}" if soak.asked else ""
    words = f"{soak.cycles}{of} cycles: {soak.passed} passed, {soak.failed} failed, {soak.unknown} unknown"
    return f"{words}; stopped: {soak.stopped.replace('_', ' ') or 'it was killed'}"


def test_text(harness: Harness, test: TestResult, folder: Path, *, titled: bool) -> list[str]:
    """The steps of a test that say what is wrong, with an excerpt of what Ansible said."""
    lines = [f"{test.name} ({test.folder}): {verdict_words(test.verdict, test.cause)}"] if titled else []
    place = folder / test.folder
    told = False
    for step in test.workflow_steps:
        if mark_of(step) not in _QUIET:
            told = True
            lines += [*_step(step), *_excerpt(place, step)]
    if test.error and not told:
        lines += _labelled("error", test.error)
    if test.kept or not test.success:
        lines += _labelled("clean-up", test.clean_up) if test.clean_up else []
    for what, folders in kept_words(test):
        for each in folders:
            lines += _labelled(f"{what} in", str(harness.shown(place / each)))
    return [*lines, *_labelled("all in", str(harness.shown(place)))]


def _step(step: StepResult) -> Iterator[str]:
    mark = mark_of(step)
    words = verdict_words(step.verdict, step.cause) if step.verdict else mark.value
    about = f" ({step.description})" if step.description else ""
    phase = f" of {step.phase}" if step.phase else ""
    yield f"step {step.index} {step.step_type}{phase}{about}: {words}"
    for found in findings(step, full=False):
        yield from _labelled(found.label, found.text)


def _labelled(label: str, text: str) -> Iterator[str]:
    first, *more = text.splitlines() or [""]
    yield f"  {label:<{_LABEL}} {first}"
    yield from (f"  {'':<{_LABEL}} {line}" for line in more)


def _excerpt(test: Path, step: StepResult) -> Iterator[str]:
    """What Ansible said last of a step; a step whose checks did not hold has told it all."""
    if not step.log or not step.failures:
        return
    try:
        said = (test / step.log).read_bytes()[-_TAIL:].decode(errors="replace")
    except OSError:  # the log is no part of the verdict
        return
    for line in excerpt(said).splitlines()[-_EXCERPT_LINES:]:
        yield f"    | {line[:_FIRST_LINE]}"


def _facts(harness: Harness, result: RunResult, folder: Path, node: str) -> Iterator[str]:
    settings, run = harness.settings, harness.shown(folder)
    yield f"report   {join_path(str(run), REPORT)}"
    command = shlex.join(["pytest", *settings.words(), node])
    if not result.finished or (result.soak and result.soak.stopped == "interrupted"):
        yield f"go on    {shlex.join(['pytest', '--e2e-resume', *settings.words(), node])}"
    else:
        yield f"again    {command}"
    if _may_remain(result):
        yield f"remove   e2e-ansible destroy {shlex.quote(str(run))}"


def _may_remain(result: RunResult) -> bool:
    kept: Sequence[bool] = [test.kept or test.ended is None for test in result.tests]
    return not result.finished or any(kept) or bool(result.soak and result.soak.kept)
