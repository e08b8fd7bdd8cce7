"""Tables that a terminal shows well: every column as wide as it needs, and one that takes what is left."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from e2e_ansible.report.pen import Pen, patient

__all__ = ["print_table"]

_GAP = "  "
_NARROWEST = 20


def print_table(
    console: Console, rows: Sequence[Sequence[str]], *, wraps: int, right: Collection[int] = ()
) -> None:
    """Print rows, the first of which are the headings.

    On a terminal the column `wraps` is wrapped at words so that rows are as wide as the terminal, or cut when
    hardly anything is left for it. In a pipe each row is one line. The columns in `right` are aligned to the right.
    """
    pen = Pen.for_console(console)
    cells = [[pen.text(cell.replace("\n", " ")) for cell in row] for row in rows]
    widths = [max(cell_len(row[column].plain) for row in cells) for column in range(len(rows[0]))]
    if console.is_terminal:
        others = sum(widths) - widths[wraps] + len(_GAP) * (len(widths) - 1)
        widths[wraps] = min(widths[wraps], max(1, console.width - others))
    cut = widths[wraps] < _NARROWEST
    with patient():
        for number, row in enumerate(cells):
            if cut:
                row[wraps].truncate(widths[wraps], overflow=pen.overflow)
            for line in _lines(console, row, widths, wraps, right):
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


def _padded(text: Text, width: int, *, right: bool) -> Text:
    text = text.copy()
    text.rstrip()
    text.align("right" if right else "left", max(width, cell_len(text.plain)))
    return text
