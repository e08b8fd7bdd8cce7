"""One run against earlier ones of the same suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from e2e_ansible.analysis.rule import Rule
from e2e_ansible.analysis.sheet import Sheet, sheet, verdict_rows
from e2e_ansible.errors import UsageError
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.measured import Measured, measure

__all__ = ["compare_measured", "compare_runs"]

_MOST_NAMED = 5


def compare_runs(run: RunFolder, baselines: Sequence[RunFolder], rule: Rule) -> Sheet:
    """A run against baselines, in whatever order they are named: the oldest counts as the first.

    Raises:
        UsageError: they cannot be compared: another suite, a soak against no soak, or nothing in common.
        HarnessError: a file cannot be read.
    """
    chosen = sorted({one.path: one for one in baselines}.values(), key=lambda one: one.begun)
    if not chosen:
        raise UsageError("there is no baseline to compare with", hint="name one run or more after the first")
    if any(one.path == run.path for one in chosen):
        raise UsageError(f"{run.run_id} is its own baseline", hint="name earlier runs after the first")
    new, before = measure(run), [measure(one) for one in chosen]
    for one in (new, *before):
        _examine(one)
    for one in before:
        _match(new, one)
    return compare_measured(new, before, rule)


def compare_measured(new: Measured, before: Sequence[Measured], rule: Rule) -> Sheet:
    """Numbers of a run against those of earlier ones of its suite, oldest first."""
    verdicts = tuple(verdict_rows(new.verdicts, [one.verdicts for one in before], new.tests))
    others = [_of_the_same_loads(new, one) for one in before]
    return sheet(
        new.numbers,
        [one.numbers for one in others],
        rule,
        suite=new.suite,
        verdicts=verdicts,
        missing=_missing(new, others),
    )


def _of_the_same_loads(new: Measured, old: Measured) -> Measured:
    """The baseline without what another tool or another workload measured under the same name."""
    others = {
        step: f"{old.numbers.name} had {words}, {new.numbers.name} {new.loads[step]}"
        for step, words in old.loads.items()
        if new.loads.get(step, words) != words
    }
    names = {name: why for step, why in others.items() for name in old.of_loads[step]}
    kept = {name: series for name, series in old.numbers.series.items() if name not in names}
    numbers = old.numbers.model_copy(update={"series": kept})
    return replace(old, numbers=numbers, missing={**old.missing, **names})


def _missing(new: Measured, before: Sequence[Measured]) -> Mapping[str, str]:
    """Why one side does not have a metric, as far as that is known; what the new run says comes first."""
    gone = {
        name: f"there was no test {test}"
        for one in before
        for name in one.numbers.series
        if (test := name.partition(": ")[0]) not in new.tests and not new.soak
    }
    known: dict[str, str] = {}
    for one in before:
        known |= one.missing
    return {**known, **gone, **new.missing}


def _examine(one: Measured) -> None:
    counted = any(series.values for series in one.numbers.series.values())
    if not counted and not any(tally.trials for tally in one.numbers.rates.values()) and not one.verdicts:
        what = "cycle" if one.soak else "test"
        raise UsageError(
            f"no {what} of {one.numbers.name} has ended: there is nothing to compare",
            hint="see e2e-ansible history",
        )


def _match(new: Measured, old: Measured) -> None:
    name, other = new.numbers.name, old.numbers.name
    if new.soak != old.soak:
        soak, single = (name, other) if new.soak else (other, name)
        raise UsageError(
            f"{soak} is a soak and {single} is not", hint="compare runs of one kind: e2e-ansible history"
        )
    if new.suite != old.suite:
        raise UsageError(
            f"{name} is of {new.suite}, {other} of {old.suite}",
            hint=f"see which are of one suite: e2e-ansible history --suite {new.suite}",
        )
    if new.parts and old.parts and not new.parts & old.parts:
        what = "phase" if new.soak else "step"
        raise UsageError(
            f"{name} and {other} have no {what} in common: {_named(new)}; {_named(old)}",
            hint="the suite was changed in between: take a baseline from after that",
        )


def _named(one: Measured) -> str:
    names = sorted(one.parts)
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
