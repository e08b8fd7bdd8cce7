"""A comparison in a terminal, 80 columns wide or more."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from e2e_ansible.analysis.sheet import Answer, Row, Sheet
from e2e_ansible.report.amounts import NOTHING
from e2e_ansible.report.lines import print_lines
from e2e_ansible.report.sheet_words import amount, change_of, figure, headline, interval_of, rule_words
from e2e_ansible.report.table import print_table
from e2e_ansible.report.words import count

__all__ = ["print_sheet"]

_HEAD = ("", "P50 was", "is", "P95 was", "is", "change", "answer")
_NUMBERS = (1, 2, 3, 4, 5)
_LISTED = 6
_OPEN = {Answer.INCONCLUSIVE: "decided", Answer.GONE: "compared", Answer.NEW: "compared"}


def print_sheet(console: Console, found: Sheet) -> None:
    """Print a comparison; JSON, CSV and the page have all its numbers."""
    print_lines(console, [headline(found), ""])
    print_table(console, [_HEAD, *map(_row, found.rows)], wraps=0, right=_NUMBERS)
    print_lines(console, _rest(found))


def _row(row: Row) -> tuple[str, ...]:
    rate, middle, slow = (figure(row, name) for name in ("rate", "P50", "P95"))
    numbers = [
        amount(row, number) if one else ""
        for one in (rate or middle, slow)
        for number in ((one.baseline, one.current) if one else (None, None))
    ]
    change = change_of(row)
    return (row.metric, *numbers, "" if change == NOTHING else change, row.answer.value)


def _rest(found: Sheet) -> Iterator[str]:
    yield ""
    for row in found.rows:
        if row.answer in (Answer.WORSE, Answer.BETTER):
            fits = f" ({interval_of(row)} fit the data)" if interval_of(row) else ""
            yield f"{row.metric} is {row.answer}: {change_of(row)}{fits}: {row.reason}"
    yield from _open(found)
    for one in found.verdicts:
        yield f"{one.name}: {one.before} before, now {one.now}: {one.answer}"
    yield rule_words(found.rule)


def _open(found: Sheet) -> Iterator[str]:
    """Why metrics are not decided or not compared: of some for the same reason in one line, of many their number."""
    reasons: dict[str, list[str]] = {}
    for row in found.rows:
        if row.answer in _OPEN and row.reason:
            reasons.setdefault(f"Not {_OPEN[row.answer]}, as {row.reason}", []).append(row.metric)
    for reason, names in reasons.items():
        many = len(names) > _LISTED
        yield f"{reason}: {count(len(names), 'metric') if many else ', '.join(names)}"
