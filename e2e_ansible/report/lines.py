"""Lines for a terminal, wrapped at its words; in a pipe each is one line."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from e2e_ansible.report.pen import Pen, patient

__all__ = ["print_lines"]


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Print lines as they are: nothing in them is markup."""
    pen = Pen.for_console(console)
    with patient():
        for line in lines:
            console.print(pen.text(line), highlight=False, soft_wrap=not console.is_terminal)
