"""What is said of a comparison, on its page and in the terminal alike."""

from __future__ import annotations

from e2e_ansible.analysis.rule import Method, Outcome, Rule
from e2e_ansible.analysis.sheet import Answer, Figure, Row, Sheet
from e2e_ansible.report.amounts import NOTHING, percent, quantity
from e2e_ansible.report.words import Mark, count

__all__ = [
    "RULES",
    "amount",
    "change_of",
    "figure",
    "heading",
    "headline",
    "interval_of",
    "marks",
    "rule_words",
]

#: What the methods are called on the command line.
RULES = {Method.HONEST: "band", Method.RATIO: "ratio"}

marks = {
    Answer.WORSE: Mark.FAIL,
    Answer.BETTER: Mark.PASS,
    Answer.SAME: Mark.PASS,
    Answer.INCONCLUSIVE: Mark.UNKNOWN,
    Answer.GONE: Mark.SKIPPED,
    Answer.NEW: Mark.SKIPPED,
}
_HEADINGS = {
    Outcome.REGRESSION: "worse",
    Outcome.IMPROVEMENT: "better",
    Outcome.NO_CHANGE: "same",
    Outcome.INCONCLUSIVE: "inconclusive",
}


def headline(found: Sheet) -> str:
    """`WORSE: RUN against 8 baselines, switchover.yaml`."""
    return f"{heading(found).upper()}: {found.name} against {count(len(found.baselines), 'baseline')}, {found.suite}"


def heading(found: Sheet) -> str:
    """The answer of the whole comparison in one word."""
    return _HEADINGS[found.outcome]


def figure(row: Row, name: str) -> Figure | None:
    """A statistic of a row; of a rate there is only the rate."""
    return next((one for one in row.figures if one.name == name), None)


def amount(row: Row, number: float | None) -> str:
    """A number of a row as it is read."""
    if number is None:
        return NOTHING
    if any(one.name == "rate" for one in row.figures):
        return percent(number)
    return quantity(number, row.unit)


def change_of(row: Row) -> str:
    """By how much it moved, as its test says: `+12.3 %`, of a rate `-2.0 points`."""
    change = row.change
    if change is None:
        return NOTHING
    if change.kind == "rate":
        return f"{change.change * 100:+.1f} points"
    return (
        f"{change.change / abs(change.before) * 100:+.1f} %"
        if change.before
        else f"{change.change:+.2f}{change.unit}"
    )


def interval_of(row: Row) -> str:
    """Between which changes the true one lies: `+8.1 to +16.5`; nothing of the ratio rule."""
    change = row.change
    if change is None or change.p is None:
        return ""
    scale = 100.0 if change.kind == "rate" else (100 / abs(change.before) if change.before else 1.0)
    low, high = (("?" if one is None else f"{one * scale:+.1f}") for one in (change.low, change.high))
    return f"{low} to {high}"


def rule_words(rule: Rule) -> str:
    """The rule in a sentence."""
    if rule.method is Method.RATIO:
        return (
            f"Rule ratio: more than {rule.ratio:g} times as long, or {rule.points * 100:g} points less often. "
            "It knows no noise: see docs/statistics.md for its false alarms."
        )
    return (
        f"Rule band: a change matters from {rule.matters * 100:g} % on, of a rate from {rule.points * 100:g} points; "
        f"at most {rule.alpha * 100:g} of 100 comparisons of unchanged runs alarm."
    )
