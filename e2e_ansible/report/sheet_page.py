"""The page of a comparison: what moved and by how much, with the changes that fit the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from e2e_ansible.analysis.rule import Outcome
from e2e_ansible.analysis.sheet import Row, Sheet
from e2e_ansible.report.pages import pages
from e2e_ansible.report.sheet_words import amount, change_of, heading, interval_of, marks, rule_words
from e2e_ansible.report.words import Mark

__all__ = ["sheet_page"]

_TEMPLATE = "compare.html.j2"
_MARKS = {
    Outcome.REGRESSION: Mark.FAIL,
    Outcome.IMPROVEMENT: Mark.PASS,
    Outcome.NO_CHANGE: Mark.PASS,
    Outcome.INCONCLUSIVE: Mark.UNKNOWN,
}
#: A change is drawn from half as long to half as long again at least, and from nothing to four times as long at most.
_NARROW, _WIDE = 0.5, 3.0
_ROOM = 1.1


@dataclass(frozen=True)
class Reach:
    """Where a change lies on a line from less (0) to more (100); None: it has no bound that could be drawn."""

    low: float
    middle: float
    high: float
    zone_low: float
    zone_width: float


@dataclass(frozen=True)
class RowView:
    """One metric as it is shown."""

    row: Row
    mark: Mark
    change: str
    interval: str
    reach: Reach | None
    figures: tuple[tuple[str, str, str, str], ...]


def sheet_page(found: Sheet, *, version: str = "") -> str:
    """The page. The same comparison gives the same page."""
    width = _width(found.rows)
    return (
        pages()
        .get_template(_TEMPLATE)
        .render(
            sheet=found,
            mark=_MARKS[found.outcome],
            answer=heading(found),
            rule=rule_words(found.rule),
            rows=[_view(row, width) for row in found.rows],
            verdicts=[(one, marks[one.answer]) for one in found.verdicts],
            width=width,
            version=version,
        )
    )


def _view(row: Row, width: float) -> RowView:
    figures = tuple(
        (
            one.name,
            amount(row, one.baseline),
            amount(row, one.current),
            f"{one.ratio:.2f}" if one.ratio is not None and one.name != "rate" else "",
        )
        for one in row.figures
    )
    return RowView(row, marks[row.answer], change_of(row), interval_of(row), _reach(row, width), figures)


def _shares(row: Row) -> tuple[float, float, float, float] | None:
    """Low, middle and high of the change, and what matters, as shares of the baseline; rates as they are."""
    change = row.change
    if change is None:
        return None
    scale = 1.0 if change.kind == "rate" else (1 / abs(change.before) if change.before else 0.0)
    if not scale:
        return None
    low = -_WIDE if change.low is None else change.low * scale
    high = _WIDE if change.high is None else change.high * scale
    if change.p is None:
        low = high = change.change * scale
    return low, change.change * scale, high, change.matter * scale


def _width(rows: Iterable[Row]) -> float:
    """How far the line reaches on both sides, as a share: as far as any change that was seen."""
    seen = [abs(shares[1]) for row in rows if (shares := _shares(row))]
    return min(_WIDE, max(_NARROW, _ROOM * max(seen, default=0.0)))


def _reach(row: Row, width: float) -> Reach | None:
    shares = _shares(row)
    if shares is None:
        return None
    low, middle, high, matter = shares

    def at(share: float) -> float:
        return round(50 + 50 * min(1.0, max(-1.0, share / width)), 2)

    return Reach(at(low), at(middle), at(high), at(-matter), round(at(matter) - at(-matter), 2))
