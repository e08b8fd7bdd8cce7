"""Tables that a terminal shows well: every column as wide as it needs, and one that takes what is left."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from e2e_ansible.report.pen import Pen, patient

__all__ = ["print_table"]

_GAP = "  "
_INDENT = "    "
_NARROWEST = 20


def print_table(
    console: Console, rows: Sequence[Sequence[str]], *, wraps: int, right: Collection[int] = ()
) -> None:
    """Print rows, the first of which are the headings.

    On a terminal the column `wraps` is wrapped at words so that rows are as wide as the terminal. When hardly anything
    is left for it, it has lines of its own: above the rest of its row, or below if it is the last column. In a pipe
    each row is one line. The columns in `right` are aligned to the right.
    """
    pen = Pen.for_console(console)
    cells = [[pen.text(cell.replace("\n", " ")) for cell in row] for row in rows]
    widths = [max(cell_len(row[column].plain) for row in cells) for column in range(len(rows[0]))]
    lines = partial(_lines, wraps=wraps, right=right)
    if console.is_terminal:
        others = sum(widths) - widths[wraps] + len(_GAP) * (len(widths) - 1)
        left = console.width - others
        if left < min(widths[wraps], _NARROWEST):
            lines = partial(_apart, place=wraps, right=right)
            cells[0][wraps] = Text()
        widths[wraps] = min(widths[wraps], max(1, left))
    with patient():
        for number, row in enumerate(cells):
            for line in lines(console, row, widths):
                line.stylize("dim" if number == 0 else "")
                console.print(line, soft_wrap=True, highlight=False)


def _lines(
    console: Console, row: Sequence[Text], widths: Sequence[int], wraps: int, right: Collection[int]
) -> Iterator[Text]:
    for number, part in enumerate(row[wraps].wrap(console, max(1, widths[wraps])) or [Text()]):
        texts = [cell if number == 0 else Text() for cell in row]
        texts[wraps] = part
        line = Text(_GAP).join(
            _padded(text, width, right=column in right)
            for column, (text, width) in enumerate(zip(texts, widths, strict=True))
        )
        line.rstrip()
        yield line


def _apart(
    console: Console, row: Sequence[Text], widths: Sequence[int], place: int, right: Collection[int]
) -> Iterator[Text]:
    """A row whose cell in this place has lines of its own; what is below the other is indented."""
    rest = Text(_GAP).join(
        _padded(text, width, right=column in right)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
        if column != place
    )
    rest.rstrip()
    last = place == len(row) - 1
    above = "" if last else _INDENT
    own = _paragraph(console, row[place], _INDENT if last else "")
    yield from [rest, *own] if last else [*own, Text(above).append_text(rest)]


def _paragraph(console: Console, text: Text, indent: str) -> list[Text]:
    """Text over the whole terminal; nothing of no text."""
    lines = [Text(indent).append_text(part) for part in text.wrap(console, console.width - len(indent))]
    for line in lines:
        line.rstrip()
    return lines if text.plain else []


def _padded(text: Text, width: int, *, right: bool) -> Text:
    text = text.copy()
    text.rstrip()
    text.align("right" if right else "left", max(width, cell_len(text.plain)))
    return text
