"""One run against earlier ones of the same suite."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.analysis.rule import Rule
from e2e_ansible.analysis.sheet import Sheet, sheet, verdict_rows
from e2e_ansible.errors import UsageError
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.measured import Measured, measure

__all__ = ["compare_runs"]

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
    verdicts = tuple(verdict_rows(new.verdicts, [one.verdicts for one in before], new.tests))
    return sheet(new.numbers, [one.numbers for one in before], rule, suite=new.suite, verdicts=verdicts)


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
