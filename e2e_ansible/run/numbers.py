"""The numbers of tests: how long they and their steps took, what their loads measured, and how long clients waited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from e2e_ansible.analysis.flake import tally
from e2e_ansible.analysis.load_series import Missing, load_metrics, why_not_counted
from e2e_ansible.analysis.proportion import Tally
from e2e_ansible.analysis.series import Series
from e2e_ansible.analysis.soak_analysis import FLOOR
from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.load.result import LoadResult
from e2e_ansible.verdict import Verdict

__all__ = ["Numbers", "load_words", "numbers", "step_name", "verdicts"]

_PASSES: Mapping[Verdict, bool] = {Verdict.PASS: True, Verdict.FAIL: False}


@dataclass
class Numbers:
    """All metrics by name; of a test that was run several times, each has a value for each of its repetitions.

    `rates` are of repeated tests and their steps. `missing` says why a metric has no value. `loads` tells by step what
    was run, and `of_loads` which metrics are from it.
    """

    series: dict[str, Series] = field(default_factory=dict)
    rates: dict[str, Tally] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    loads: dict[str, str] = field(default_factory=dict)
    of_loads: dict[str, set[str]] = field(default_factory=dict)

    def add(self, name: str, series: Series) -> None:
        """More values of a metric."""
        before = self.series.get(name)
        values = (*before.values, *series.values) if before else series.values
        self.series[name] = series.model_copy(update={"values": values})

    def add_load(self, step: str, load: LoadResult) -> None:
        """What a load measured, if it counts."""
        self.loads[step] = load_words(load)
        why = why_not_counted(load)
        mine = self.of_loads.setdefault(step, set())
        for one in load_metrics(load):
            name = f"{step} {one.name}"
            mine.add(name)
            if isinstance(one, Missing) or why:
                self.missing[name] = why or (one.why if isinstance(one, Missing) else "")
            else:
                self.add(name, one.series)


def numbers(tests: Iterable[TestResult]) -> Numbers:
    """The numbers of all tests of a run."""
    found = Numbers()
    repeated: dict[str, list[Verdict]] = {}
    for test in tests:
        for name, series in _lengths(test, found.missing):
            found.add(name, series)
        for step in test.workflow_steps:
            if step.load is not None:
                found.add_load(step_name(test, step), step.load)
        for name, series in _outages(test):
            found.add(name, series)
        if test.repetition:
            for name, verdict in _verdicts(test):
                repeated.setdefault(f"success of {name}", []).append(verdict)
    found.rates = {name: tally(map(_PASSES.get, some)) for name, some in repeated.items()}
    return found


def verdicts(tests: Iterable[TestResult]) -> Mapping[str, str]:
    """The verdict of each test and step that was run once; what was repeated has rates."""
    return {name: verdict.value for test in tests if not test.repetition for name, verdict in _verdicts(test)}


def step_name(test: TestResult, step: StepResult) -> str:
    """Under which name comparisons have a step."""
    return f"{test.test}: {step.id}"


def load_words(load: LoadResult) -> str:
    """What was run: `stroppy go, tpcc`. Numbers of two different ones are not compared."""
    return f"{' '.join(filter(None, (load.tool, load.dialect)))}, {load.workload}"


def _verdicts(test: TestResult) -> Iterator[tuple[str, Verdict]]:
    yield test.test, test.verdict
    for step in test.workflow_steps:
        if step.verdict is not None:
            yield step_name(test, step), step.verdict


def _lengths(test: TestResult, missing: dict[str, str]) -> Iterator[tuple[str, Series]]:
    """One that did not pass says nothing about how long it takes."""
    lengths = [(test.test, test.verdict, test.duration, True)]
    lengths += [
        (step_name(test, step), step.verdict, step.duration, False)
        for step in test.workflow_steps
        if step.verdict is not None
    ]
    for name, verdict, seconds, whole in lengths:
        if verdict is Verdict.PASS:
            yield name, Series(values=(seconds,), floor=FLOOR, whole=whole)
        else:
            missing[name] = f"it did not pass: {verdict}"


def _outages(test: TestResult) -> Iterator[tuple[str, Series]]:
    """How long clients got no answer in all; of a test that was cut off nobody knows how long it would have been."""
    if test.verdict is Verdict.UNKNOWN:
        return
    for client in test.clients:
        for kind, seconds in _of_client(client):
            name = f"{test.test}: {client.name} outage of {kind}"
            yield name, Series(values=(seconds,), floor=FLOOR, whole=True)


def _of_client(client: ClientResult) -> Iterator[tuple[str, float]]:
    if client.operations > client.reads:
        yield "writes", client.outage_writes
    if client.reads:
        yield "reads", client.outage_reads
