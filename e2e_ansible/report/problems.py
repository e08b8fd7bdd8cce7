"""The report of an error to its user: where, what, and what to do; never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from e2e_ansible.errors import E2EError, Problem, SuiteError
from e2e_ansible.redact import LONGEST, redacted
from e2e_ansible.report.pen import Pen, patient
from e2e_ansible.report.words import clean, count

__all__ = ["print_problems"]

_MAX_FILE_BYTES = 10_000_000
_TAB = "    "
_WIDEST = 2_000


def print_problems(console: Console, error: E2EError) -> None:
    """Print an error raised on purpose; of a SuiteError, each problem with the line of the file it is in."""
    pen = Pen.for_console(console)
    lines = _suite(error, pen, console.width) if isinstance(error, SuiteError) else _plain(error, pen)
    with patient():
        for line in lines:
            console.print(line, soft_wrap=not (console.is_terminal and _is_list(line)), highlight=False)


def _suite(error: SuiteError, pen: Pen, width: int) -> list[Text]:
    sources = {problem.file: _source(Path(problem.file)) for problem in error.problems}
    lines = [
        line for problem in error.problems for line in _problem(problem, sources[problem.file], pen, width)
    ]
    number = count(len(error.problems), "problem")
    return [*lines, pen.text(f"{number}; nothing was started.", "bold"), *_hint(error.hint, pen)]


def _plain(error: E2EError, pen: Pen) -> list[Text]:
    message = str(error) or type(error).__name__
    return [Text.assemble(("error: ", "bold red"), pen.text(message)), *_hint(error.hint, pen)]


def _is_list(line: Text) -> bool:
    """Whether this is a hint that lists names, which may be broken between them; a command or a place may not."""
    return line.plain.lstrip().startswith("hint: known")


def _hint(hint: str, pen: Pen) -> list[Text]:
    return [Text.assemble(("hint: ", "cyan"), pen.text(hint))] if hint else []


def _problem(problem: Problem, source: Sequence[str], pen: Pen, width: int) -> list[Text]:
    place = f"{problem.file}:{problem.line}:{problem.column}: "
    head = Text.assemble(pen.text(place, "bold"), ("error: ", "bold red"), pen.text(problem.message))
    hint = [Text.assemble("  ", line) for line in _hint(problem.hint, pen)]
    return [head, *_excerpt(problem, source, pen, width), *hint]


def _excerpt(problem: Problem, source: Sequence[str], pen: Pen, width: int) -> list[Text]:
    if not 1 <= problem.line <= len(source):
        return []
    line, here = _around(source[problem.line - 1], max(0, problem.column - 1))
    lead = f"  {problem.line} | "
    room = max(20, width - len(lead))
    before = clean(line[:here]).replace("\t", _TAB)
    after = clean(line[here:]).replace("\t", _TAB)
    if cell_len(before) + cell_len(after) > room:
        before, after = _near(before, after, room)
    code, caret = pen.text(before + after), pen.text(" " * cell_len(before) + "^", "bold red")
    bar = f"{' ' * (len(lead) - 2)}| "
    return [Text.assemble((lead, "dim"), code), Text.assemble((bar, "dim"), caret)]


def _around(line: str, here: int) -> tuple[str, int]:
    """As much of a line as can be shown, without passwords, and where the place is in that."""
    begin = max(0, here - _WIDEST)
    more = max(0, begin - 2 * LONGEST)
    shown = redacted(line[more : here + _WIDEST + 2 * LONGEST])[begin - more :]
    return shown[: here - begin + _WIDEST], here - begin


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


def _source(path: Path) -> Sequence[str]:
    """The lines of a file, none when it cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_FILE_BYTES:
            return ()
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except (OSError, ValueError):
        return ()
