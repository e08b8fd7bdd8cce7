"""A comparison as a table: of each metric what it was and is, by how much it moved, and the answer in one word."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.analysis.change import Change, Comparison
from e2e_ansible.analysis.comparison import compare
from e2e_ansible.analysis.percentiles import SHARES
from e2e_ansible.analysis.proportion import Tally
from e2e_ansible.analysis.rule import Outcome, Rule, worst_outcome
from e2e_ansible.analysis.series import SeriesSet
from e2e_ansible.judge.latency import percentile

__all__ = ["Answer", "Figure", "Row", "Sheet", "VerdictRow", "sheet", "sheet_csv", "verdict_rows"]


class Answer(StrEnum):
    """What a comparison says of one metric. GONE and NEW: only one side has it, so there is nothing to compare."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
    GONE = "only in the baseline"
    NEW = "only in this run"


_ANSWERS = {
    Outcome.REGRESSION: Answer.WORSE,
    Outcome.IMPROVEMENT: Answer.BETTER,
    Outcome.NO_CHANGE: Answer.SAME,
    Outcome.INCONCLUSIVE: Answer.INCONCLUSIVE,
}
_ORDER = tuple(Answer)


def _share(share: float) -> Callable[[Sequence[float]], float]:
    return lambda values: percentile(sorted(values), share)


_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": fmean,
    **{f"P{share * 100:g}": _share(share) for share in SHARES},
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Figure(_Model):
    """One statistic on both sides, None where a side has no values; `ratio` is None also of a baseline of 0."""

    name: str
    current: float | None
    baseline: float | None
    delta: float | None = None
    ratio: float | None = None


class Row(_Model):
    """One metric. `expected` is where the next run was expected, if eight baselines or more tell the noise."""

    metric: str
    answer: Answer
    reason: str
    unit: str
    figures: tuple[Figure, ...]
    change: Change | None = None
    expected: tuple[float, float] | None = None


class VerdictRow(_Model):
    """One test or step of an ordinary run whose verdict is not that of its baselines."""

    name: str
    answer: Answer
    before: str
    now: str
    decides: bool = Field(description="Of a test; what its steps came to is told, and decides nothing more")


class Sheet(_Model):
    """A whole comparison: the worst first, then by name."""

    name: str
    suite: str
    baselines: tuple[str, ...]
    rule: Rule
    outcome: Outcome
    rows: tuple[Row, ...]
    verdicts: tuple[VerdictRow, ...] = ()

    @property
    def exit_code(self) -> int:
        """For CI: 1 something is worse, 3 something is not decided, else 0."""
        return {Outcome.REGRESSION: 1, Outcome.INCONCLUSIVE: 3}.get(self.outcome, 0)


def sheet(
    new: SeriesSet,
    baselines: Sequence[SeriesSet],
    rule: Rule,
    *,
    suite: str = "",
    verdicts: Sequence[VerdictRow] = (),
    missing: Mapping[str, str] | None = None,
) -> Sheet:
    """A run against baselines, oldest first. `missing` says why a side does not have a metric.

    Raises:
        ValueError: there is no baseline.
    """
    found = compare(new, baselines, rule)
    rows = [_row(one, new, baselines) for one in found.changes]
    why = missing or {}
    rows += [_single(name, Answer.GONE, new, baselines, why.get(name, "")) for name in found.only_before]
    rows += [_single(name, Answer.NEW, new, baselines, why.get(name, "")) for name in found.only_after]
    return Sheet(
        name=new.name,
        suite=suite,
        baselines=found.baselines,
        rule=rule,
        outcome=_outcome(found, verdicts),
        rows=tuple(sorted(rows, key=lambda one: (_ORDER.index(one.answer), one.metric))),
        verdicts=tuple(verdicts),
    )


def _outcome(found: Comparison, verdicts: Sequence[VerdictRow]) -> Outcome:
    outcomes = {answer: outcome for outcome, answer in _ANSWERS.items()}
    return worst_outcome(
        [*(one.outcome for one in found.changes), *(outcomes[one.answer] for one in verdicts if one.decides)]
    )


def _row(change: Change, new: SeriesSet, baselines: Sequence[SeriesSet]) -> Row:
    expected = None
    if change.test == "band" and change.low is not None and change.high is not None:
        expected = (change.after - change.high, change.after - change.low)
    return Row(
        metric=change.metric,
        answer=_ANSWERS[change.outcome],
        reason=change.reason,
        unit=change.unit,
        figures=_figures(change.metric, new, baselines),
        change=change,
        expected=expected,
    )


def _single(metric: str, answer: Answer, new: SeriesSet, baselines: Sequence[SeriesSet], why: str) -> Row:
    unit = next((one.series[metric].unit for one in (new, *baselines) if metric in one.series), "")
    return Row(metric=metric, answer=answer, reason=why, unit=unit, figures=_figures(metric, new, baselines))


def _figures(metric: str, new: SeriesSet, baselines: Sequence[SeriesSet]) -> tuple[Figure, ...]:
    """All values of the baselines together; a rate is a single figure."""
    if any(metric in one.rates and one.rates[metric].trials for one in (new, *baselines)):
        early = sum((one.rates[metric] for one in baselines if metric in one.rates), Tally())
        return (_figure("rate", _rate(new.rates.get(metric, Tally())), _rate(early)),)
    before = [value for one in baselines if metric in one.series for value in one.series[metric].values]
    after = new.series[metric].values if metric in new.series else ()
    return tuple(
        _figure(name, of(after) if after else None, of(before) if before else None)
        for name, of in _STATISTICS.items()
    )


def _rate(tally: Tally) -> float | None:
    return tally.passed / tally.trials if tally.trials else None


def _figure(name: str, current: float | None, baseline: float | None) -> Figure:
    if current is None or baseline is None:
        return Figure(name=name, current=current, baseline=baseline)
    ratio = current / baseline if baseline else None
    return Figure(name=name, current=current, baseline=baseline, delta=current - baseline, ratio=ratio)


def verdict_rows(
    now: Mapping[str, str], before: Sequence[Mapping[str, str]], tests: Sequence[str]
) -> Iterator[VerdictRow]:
    """What is not as in its baselines: one verdict is no rate, but a failure that was seen is one.

    Worse is a failure of what always passed, better a pass of what never did; anything else decides nothing.
    """
    for name, verdict in now.items():
        earlier = [one[name] for one in before if name in one]
        if earlier and any(one != verdict for one in earlier):
            passed = sum(one == "pass" for one in earlier)
            yield VerdictRow(
                name=name,
                answer=_verdict_answer(verdict, passed, len(earlier)),
                before=f"{passed} of {len(earlier)} passed",
                now=verdict,
                decides=name in tests,
            )


def _verdict_answer(verdict: str, passed: int, count: int) -> Answer:
    if verdict == "fail" and passed == count:
        return Answer.WORSE
    return Answer.BETTER if verdict == "pass" and not passed else Answer.INCONCLUSIVE


def sheet_csv(found: Sheet) -> str:
    """A line for each statistic of each metric, each in its unit. Rates are 0 to 1."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    write(
        (
            "metric",
            "statistic",
            "current",
            "baseline",
            "delta",
            "ratio",
            "verdict",
            "reason",
            "unit",
            "better",
        )
    )
    for row in found.rows:
        for one in row.figures:
            numbers = (_cell(number) for number in (one.current, one.baseline, one.delta, one.ratio))
            way = row.change.better.value if row.change else ""
            unit = "" if one.name == "rate" else row.unit
            write((row.metric, one.name, *numbers, row.answer.value, row.reason, unit, way))
    for each in found.verdicts:
        write((each.name, "verdict", each.now, each.before, "", "", each.answer.value, "", "", ""))
    return text.getvalue()


def _cell(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"
