"""The report of an error to its user: where, what, and what to do; never a traceback."""

from __future__ import annotations

from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from e2e_ansible.errors import E2EError, Problem, SuiteError
from e2e_ansible.report.pen import Pen, patient
from e2e_ansible.report.words import clean, count

__all__ = ["print_problems"]

_MAX_FILE_BYTES = 10_000_000
_TAB = "    "


def print_problems(console: Console, error: E2EError) -> None:
    """Print an error raised on purpose; of a SuiteError, each problem with the line of the file it is in."""
    pen = Pen.for_console(console)
    lines = _suite(error, pen, console.width) if isinstance(error, SuiteError) else _plain(error, pen)
    with patient():
        for line in lines:
            console.print(line, soft_wrap=True, highlight=False)


def _suite(error: SuiteError, pen: Pen, width: int) -> list[Text]:
    lines = [line for problem in error.problems for line in _problem(problem, pen, width)]
    number = count(len(error.problems), "problem")
    return [*lines, pen.text(f"{number}; nothing was started.", "bold"), *_hint(error.hint, pen)]


def _plain(error: E2EError, pen: Pen) -> list[Text]:
    message = str(error) or type(error).__name__
    return [Text.assemble(("error: ", "bold red"), pen.text(message)), *_hint(error.hint, pen)]


def _hint(hint: str, pen: Pen) -> list[Text]:
    return [Text.assemble(("hint: ", "cyan"), pen.text(hint))] if hint else []


def _problem(problem: Problem, pen: Pen, width: int) -> list[Text]:
    place = f"{problem.file}:{problem.line}:{problem.column}: "
    head = Text.assemble(pen.text(place, "bold"), ("error: ", "bold red"), pen.text(problem.message))
    hint = [Text.assemble("  ", line) for line in _hint(problem.hint, pen)]
    return [head, *_excerpt(problem, pen, width), *hint]


def _excerpt(problem: Problem, pen: Pen, width: int) -> list[Text]:
    source = _source_line(problem)
    if source is None:
        return []
    lead = f"  {problem.line} | "
    room = max(20, width - len(lead))
    before = clean(source[: max(0, problem.column - 1)]).replace("\t", _TAB)
    after = clean(source[max(0, problem.column - 1) :]).replace("\t", _TAB)
    if cell_len(before) + cell_len(after) > room:
        before, after = _near(before, after, room)
    code, caret = pen.text(before + after), pen.text(" " * cell_len(before) + "^", "bold red")
    bar = f"{' ' * (len(lead) - 2)}| "
    return [Text.assemble((lead, "dim"), code), Text.assemble((bar, "dim"), caret)]


def _near(before: str, after: str, room: int) -> tuple[str, str]:
    """The parts of a long line around the caret, with an ellipsis at each end that was cut."""
    left = room // 2
    if cell_len(before) > left:
        while cell_len(before) > left - 1:
            before = before[max(1, len(before) - left) :]
        before = f"…{before}"
    rest = room - cell_len(before)
    if cell_len(after) > rest:
        while cell_len(after) > rest - 1:
            after = after[: min(len(after) - 1, rest)]
        after = f"{after}…"
    return before, after


def _source_line(problem: Problem) -> str | None:
    path = Path(problem.file)
    try:
        if problem.line < 1 or not path.is_file() or path.stat().st_size > _MAX_FILE_BYTES:
            return None
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except (OSError, ValueError):
        return None
    return lines[problem.line - 1] if problem.line <= len(lines) else None
