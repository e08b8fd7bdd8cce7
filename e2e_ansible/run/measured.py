"""What comparisons take of a run folder: a soak by its cycles, any other run by its tests, steps and loads."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import PurePath

from e2e_ansible.analysis.series import SeriesSet
from e2e_ansible.analysis.soak_analysis import to_compare
from e2e_ansible.judge.result import RunResult
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.numbers import numbers, step_name, verdicts
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.soak_numbers import is_soak, read_soak

__all__ = ["Measured", "measure", "measured", "suite_name"]


@dataclass(frozen=True)
class Measured:
    """The numbers of one run. `parts` are its phases, or the steps of its tests; `verdicts` are of an ordinary run.

    `missing` says why a metric has no value. `loads` tells by step what was run, `of_loads` the metrics from it.
    """

    suite: str
    soak: bool
    numbers: SeriesSet
    parts: frozenset[str]
    verdicts: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    loads: Mapping[str, str] = field(default_factory=dict)
    of_loads: Mapping[str, Set[str]] = field(default_factory=dict)


def suite_name(named: str) -> str:
    """A suite by the name of its file: where it lay says nothing about what it is. Of several, all of them."""
    return ", ".join(PurePath(one.strip()).name for one in named.split(","))


def measure(run: RunFolder) -> Measured:
    """The numbers of a run, made in cycles or not.

    Raises:
        HarnessError: a file cannot be read.
    """
    suite = suite_name(run.manifest().suite)
    if is_soak(run):
        series = read_soak(run).series
        return Measured(suite, True, to_compare(run.run_id, series), frozenset(series.phases))
    return measured(run.run_id, suite, read_run(run))


def measured(name: str, suite: str, result: RunResult) -> Measured:
    """The numbers of an ordinary run from its result."""
    found = numbers(result.tests)
    parts = frozenset(
        step_name(test, step)
        for test in result.tests
        for step in test.workflow_steps
        if step.verdict is not None
    )
    return Measured(
        suite,
        False,
        SeriesSet(name=name, series=found.series, rates=found.rates),
        parts,
        verdicts(result.tests),
        tuple(dict.fromkeys(test.test for test in result.tests)),
        found.missing,
        found.loads,
        found.of_loads,
    )
