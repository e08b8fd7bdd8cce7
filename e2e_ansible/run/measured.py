"""What comparisons take of a run folder: a soak by its cycles, any other run by its tests and steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from e2e_ansible.analysis.series import Series, SeriesSet
from e2e_ansible.analysis.soak_analysis import FLOOR, to_compare
from e2e_ansible.judge.result import RunResult, TestResult
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.soak_numbers import is_soak, read_soak
from e2e_ansible.verdict import Verdict

__all__ = ["Measured", "measure", "suite_name"]


@dataclass(frozen=True)
class Measured:
    """The numbers of one run. `parts` are its phases, or the steps of its tests; `verdicts` are of an ordinary run."""

    suite: str
    soak: bool
    numbers: SeriesSet
    parts: frozenset[str]
    verdicts: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[str, ...] = ()


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
        numbers = to_compare(run.run_id, series)
        return Measured(suite, True, numbers, frozenset(series.phases))
    return _ordinary(run.run_id, suite, read_run(run))


def _ordinary(name: str, suite: str, result: RunResult) -> Measured:
    """How long tests and steps took that passed; one that did not pass says nothing about how long it takes."""
    series = {
        part: Series(values=(value,), floor=FLOOR, whole=whole) for part, value, whole in _lengths(result)
    }
    verdicts = dict(_verdicts(result))
    tests = tuple(test.name for test in result.tests)
    parts = frozenset(verdicts) - {*tests}
    return Measured(suite, False, SeriesSet(name=name, series=series), parts, verdicts, tests)


def _lengths(result: RunResult) -> Iterator[tuple[str, float, bool]]:
    for test in result.tests:
        if test.verdict is Verdict.PASS:
            yield test.name, test.duration, True
        for step in test.workflow_steps:
            if step.verdict is Verdict.PASS:
                yield _step(test, step.id), step.duration, False


def _verdicts(result: RunResult) -> Iterator[tuple[str, str]]:
    for test in result.tests:
        yield test.name, test.verdict.value
        for step in test.workflow_steps:
            if step.verdict is not None:
                yield _step(test, step.id), step.verdict.value


def _step(test: TestResult, step: str) -> str:
    return f"{test.name}: {step}"
