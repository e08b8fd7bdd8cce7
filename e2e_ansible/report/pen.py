"""The pen: turns words into text that one terminal can show, with marks but without control codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from e2e_ansible.report.words import Mark, clean
from e2e_ansible.verdict import Verdict

__all__ = ["STYLES", "Pen", "patient", "sign"]

STYLES = {
    Mark.PASS: "green",
    Mark.FAIL: "bold red",
    Mark.UNKNOWN: "bold yellow",
    Mark.SKIPPED: "dim",
    Mark.INTERRUPTED: "bold magenta",
    Mark.PENDING: "dim",
    Mark.RUNNING: "bold cyan",
}
_UNICODE = {
    Mark.PASS: "✓",
    Mark.FAIL: "✗",
    Mark.UNKNOWN: "?",
    Mark.SKIPPED: "-",
    Mark.INTERRUPTED: "!",
    Mark.PENDING: "·",
    Mark.RUNNING: "▸",
}
_ASCII = _UNICODE | {Mark.PASS: "+", Mark.FAIL: "x", Mark.PENDING: ".", Mark.RUNNING: ">"}
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_SPINNER = "|/-\\"
_FRAMES_PER_SECOND = 8


def sign(mark: Mark, *, ascii_only: bool = False) -> str:
    """The sign of a mark, one cell wide."""
    return (_ASCII if ascii_only else _UNICODE)[mark]


@contextmanager
def patient() -> Iterator[None]:
    """Go on when a terminal or the reader of a pipe goes away; rich would end the process with 1."""
    with suppress(OSError, SystemExit):
        yield


class Pen:
    """Writes for one console; on one that is not UTF-8 it keeps to ASCII."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        self._ascii = ascii_only
        self.overflow: Literal["crop", "ellipsis"] = "crop" if ascii_only else "ellipsis"
        self.more = "..." if ascii_only else "…"

    @classmethod
    def for_console(cls, console: Console) -> Pen:
        """The pen for what this console can encode."""
        return cls(ascii_only=console.options.ascii_only)

    def text(self, words: str, style: str = "") -> Text:
        """Words as they are: nothing in them is markup or an escape sequence."""
        words = clean(words)
        if self._ascii:
            words = words.replace("…", "...").encode("ascii", "replace").decode()
        return Text(words, style=style)

    def mark(self, mark: Mark) -> Text:
        """The sign of a mark in its colour."""
        return Text(sign(mark, ascii_only=self._ascii), style=STYLES[mark])

    def word(self, mark: Mark) -> Text:
        """A mark with its word, so that it reads without colour."""
        return Text.assemble(self.mark(mark), " ", (mark.value, STYLES[mark]))

    def verdict(self, verdict: Verdict) -> Text:
        """The sign of a verdict."""
        return self.mark(Mark(verdict.value))

    def spinner(self, now: float) -> Text:
        """The frame of the spinner at a time in seconds."""
        frames = _ASCII_SPINNER if self._ascii else _SPINNER
        return Text(frames[int(now * _FRAMES_PER_SECOND) % len(frames)], style=STYLES[Mark.RUNNING])

    def line(self, left: Text, right: Text, width: int) -> Text:
        """One line of exactly `width` cells or fewer: left cut to fit, right kept at the right edge."""
        left = self._flat(left)
        room = width - cell_len(right.plain) - 1
        if not right.plain or room < 8:
            left.truncate(width, overflow=self.overflow)
            return left
        left.truncate(room, overflow=self.overflow, pad=True)
        return Text.assemble(left, " ", right)

    def _flat(self, text: Text) -> Text:
        flat = text.copy()
        flat.expand_tabs(1)
        flat.plain = flat.plain.replace("\n", " ")
        return flat
