"""One run against baselines, or its end against its beginning: each metric and each rate with its answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, stdev

from e2e_ansible.analysis import ratio
from e2e_ansible.analysis.band import band_shift
from e2e_ansible.analysis.change import Change, Comparison, Kind, Test
from e2e_ansible.analysis.correction import holm
from e2e_ansible.analysis.proportion import Tally
from e2e_ansible.analysis.rank import rank_shift
from e2e_ansible.analysis.rate import rate_shift
from e2e_ansible.analysis.rule import Decision, Method, Rule, decide
from e2e_ansible.analysis.series import Direction, Series, SeriesSet
from e2e_ansible.analysis.shift import Shift, allow
from e2e_ansible.analysis.trend import trend_shift

__all__ = ["compare", "drift"]


@dataclass(frozen=True)
class _Question:
    """One metric before it is answered: the answer may need to know all the others.

    `silent`: its totals allow only one outcome, as of a rate at which nothing ever failed, or so few values show
    nothing at all. It cannot alarm, so it is none of the metrics for which the chances are corrected (Tarone 1990).
    """

    metric: str
    kind: Kind
    test: Test
    unit: str
    better: Direction
    before: float
    after: float
    counts: tuple[int, int]
    matter: float
    shift: Shift
    silent: bool = False

    def answered(self, decision: Decision, adjusted: float | None) -> Change:
        tested = adjusted is not None
        return Change(
            metric=self.metric,
            kind=self.kind,
            outcome=decision.outcome,
            reason=decision.reason,
            test=self.test,
            unit=self.unit,
            better=self.better,
            before=self.before,
            after=self.after,
            before_count=self.counts[0],
            after_count=self.counts[1],
            matter=self.matter,
            change=self.shift.change,
            low=self.shift.low if tested else None,
            high=self.shift.high if tested else None,
            p=self.shift.p if tested else None,
            adjusted=adjusted,
        )


def compare(new: SeriesSet, baselines: Sequence[SeriesSet], rule: Rule | None = None) -> Comparison:
    """A run against baselines, oldest first. Metrics without values on either side are told, not judged.

    Raises:
        ValueError: there is no baseline.
    """
    if not baselines:
        raise ValueError("a comparison needs at least one baseline")
    rule = rule or Rule()
    before, after = _names(baselines), _names([new])
    changes = (
        _honest(new, baselines, rule) if rule.method is Method.HONEST else _by_ratio(new, baselines, rule)
    )
    return Comparison(
        name=new.name,
        baselines=tuple(one.name for one in baselines),
        rule=rule,
        changes=tuple(sorted(changes, key=lambda one: (one.metric, one.kind))),
        only_before=tuple(sorted(before - after)),
        only_after=tuple(sorted(after - before)),
    )


def drift(run: SeriesSet, rule: Rule | None = None) -> Comparison:
    """The end of a run against its beginning: did its cycles get slower? Of `over_runs`: did the runs?

    The ratio rule knows no drift; its method is not looked at. Rates have no order and are left out.
    """
    rule = rule or Rule()
    found = {name: trend_shift(series.values, rule.alpha) for name, series in run.series.items()}
    questions = [_of_trend(name, run.series[name], shift, rule) for name, shift in found.items() if shift]
    return Comparison(
        name=f"{run.name}, its end",
        baselines=("its beginning",),
        rule=rule,
        changes=tuple(sorted(_answers(questions, rule), key=lambda one: one.metric)),
    )


def _of_trend(metric: str, series: Series, shift: Shift, rule: Rule) -> _Question:
    middle = median(series.values)
    before, after = middle - shift.change / 2, middle + shift.change / 2
    return _Question(
        metric=metric,
        kind="values",
        test="trend",
        unit=series.unit,
        better=series.better,
        before=before,
        after=after,
        counts=(len(series.values), len(series.values)),
        matter=max(series.floor, rule.matters * abs(middle)),
        shift=shift,
    )


def _names(sets: Sequence[SeriesSet]) -> set[str]:
    values = {name for one in sets for name, series in one.series.items() if series.values}
    return values | {name for one in sets for name, counts in one.rates.items() if counts.trials}


def _values(baselines: Sequence[SeriesSet], metric: str) -> list[tuple[float, ...]]:
    """The values of each baseline that has any."""
    return [
        one.series[metric].values for one in baselines if metric in one.series and one.series[metric].values
    ]


def _rates(baselines: Sequence[SeriesSet], metric: str) -> Tally:
    return sum((one.rates[metric] for one in baselines if metric in one.rates), Tally())


def _honest(new: SeriesSet, baselines: Sequence[SeriesSet], rule: Rule) -> list[Change]:
    questions = [
        _of_values(name, series, runs, rule)
        for name, series in new.series.items()
        if series.values and (runs := _values(baselines, name))
    ]
    questions += [
        _of_rate(name, before, after, rule)
        for name, after in new.rates.items()
        if after.trials and (before := _rates(baselines, name)).trials
    ]
    return _answers(questions, rule)


def _answers(questions: Sequence[_Question], rule: Rule) -> list[Change]:
    speaking = [one for one in questions if not one.silent]
    corrected = dict(zip(map(id, speaking), holm([one.shift.p for one in speaking]), strict=True))
    return [_answer(one, corrected.get(id(one), 1.0), rule, max(1, len(speaking))) for one in questions]


def _of_values(metric: str, series: Series, runs: Sequence[tuple[float, ...]], rule: Rule) -> _Question:
    """Enough runs: by the band of their medians. Fewer: by the ranks of all values."""
    medians = [median(one) for one in runs]
    banded = band_shift(medians, median(series.values), rule.alpha, rule.window)
    last = medians[-rule.window :] if banded else [value for one in runs for value in one]
    before = median(last)
    shift = banded or _rank_shift(last, series.values, medians, rule)
    return _Question(
        metric=metric,
        kind="values",
        test="band" if banded else "rank",
        unit=series.unit,
        better=series.better,
        before=before,
        after=median(series.values),
        counts=(len(last), len(series.values)),
        matter=max(series.floor, rule.matters * abs(before)),
        shift=shift,
        silent=shift.least > rule.alpha,
    )


def _rank_shift(
    before: Sequence[float], after: Sequence[float], medians: Sequence[float], rule: Rule
) -> Shift:
    """Runs differ by more than their cycles tell. How much, few baselines do not know either: it is allowed for."""
    seen = stdev(medians) if len(medians) > 1 else 0.0
    spread = max(seen, rule.between * abs(median(before))) * math.sqrt(1 + 1 / len(medians))
    return allow(rank_shift(before, after, rule.alpha), spread, rule.alpha)


def _of_rate(metric: str, before: Tally, after: Tally, rule: Rule) -> _Question:
    whole = before + after
    return _Question(
        metric=metric,
        kind="rate",
        test="fisher",
        unit="",
        better=Direction.HIGHER,
        before=before.passed / before.trials,
        after=after.passed / after.trials,
        counts=(before.trials, after.trials),
        matter=rule.points,
        shift=rate_shift(before, after, rule.alpha),
        silent=whole.trials in (whole.passed, whole.failed),
    )


def _answer(question: _Question, adjusted: float, rule: Rule, family: int) -> Change:
    decision = decide(
        question.shift, adjusted, question.better, matter=question.matter, alpha=rule.alpha, family=family
    )
    return question.answered(decision, adjusted)


def _by_ratio(new: SeriesSet, baselines: Sequence[SeriesSet], rule: Rule) -> list[Change]:
    changes = []
    for name, after in new.series.items():
        runs = _values(baselines, name)
        if after.values and runs:
            pooled = tuple(value for one in runs for value in one)
            before = after.model_copy(update={"values": pooled})
            changes.append(_ratio_of_values(name, before, after, rule))
    for name, late in new.rates.items():
        early = _rates(baselines, name)
        if late.trials and early.trials:
            question = _of_rate(name, early, late, rule)
            changes.append(_plain(question, ratio.judge_rate(early, late, rule)))
    return changes


def _ratio_of_values(name: str, before: Series, after: Series, rule: Rule) -> Change:
    old, new = ratio.statistic(before), ratio.statistic(after)
    question = _Question(
        metric=name,
        kind="values",
        test="ratio",
        unit=after.unit,
        better=after.better,
        before=old,
        after=new,
        counts=(len(before.values), len(after.values)),
        matter=abs(old) * (rule.ratio - 1),
        shift=Shift(new - old, None, None, 1, 1),
    )
    return _plain(question, ratio.judge_values(before, after, rule))


def _plain(question: _Question, decision: Decision) -> Change:
    change = question.answered(decision, None)
    return change.model_copy(update={"test": "ratio", "change": question.after - question.before})
