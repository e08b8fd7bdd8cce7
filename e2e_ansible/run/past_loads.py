"""The loads of the runs that there were: what each measured, and how that compares with the runs before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from e2e_ansible.analysis.band import WINDOW
from e2e_ansible.analysis.comparison import compare
from e2e_ansible.analysis.load_series import why_not_counted
from e2e_ansible.analysis.rule import Outcome, Rule
from e2e_ansible.analysis.series import SeriesSet
from e2e_ansible.judge.result import RunResult
from e2e_ansible.run.numbers import Numbers, load_words, step_name

__all__ = ["PastLoad", "PastLoads"]

_TRENDS = {
    Outcome.REGRESSION: "worse",
    Outcome.IMPROVEMENT: "better",
    Outcome.NO_CHANGE: "as before",
    Outcome.INCONCLUSIVE: "unclear",
}
_FIRST = "first"


class PastLoad(BaseModel):
    """One load of one run. Latencies are in milliseconds, `errors` 0 to 1; None is what the tool did not tell.

    `trend` says how it compares with the same load of up to 20 earlier runs of the suite, all its metrics together, and
    `trend_of` which of them moved. `error` says why it does not count; then it has no trend.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    what: str
    per_second: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    errors: float | None = None
    trend: str = ""
    trend_of: tuple[str, ...] = ()
    error: str = ""


class PastLoads:
    """The loads of runs, which are told oldest first."""

    def __init__(self) -> None:
        self._earlier: dict[tuple[str, str, str], list[SeriesSet]] = defaultdict(list)

    def of(self, suite: str, result: RunResult) -> tuple[PastLoad, ...]:
        """The loads of the next run. Repetitions of a test are one load after the other."""
        found = list(self._read(result))
        new: dict[tuple[str, str, str], list[SeriesSet]] = defaultdict(list)
        made = []
        for load, numbers in found:
            key = (suite, load.name, load.what)
            if load.error:
                made.append(load)
                continue
            outcome, moved = _trend(numbers, self._earlier[key])
            made.append(load.model_copy(update={"trend": outcome, "trend_of": moved}))
            new[key].append(numbers)
        for key, some in new.items():
            self._earlier[key] += some
        return tuple(made)

    def _read(self, result: RunResult) -> Iterator[tuple[PastLoad, SeriesSet]]:
        for test in result.tests:
            for step in test.workflow_steps:
                load = step.load
                if load is None:
                    continue
                name, numbers = step_name(test, step), Numbers()
                numbers.add_load(name, load)
                row = PastLoad(
                    name=name,
                    what=load_words(load),
                    per_second=load.per_second,
                    p50=load.latency.p50,
                    p95=load.latency.p95,
                    p99=load.latency.p99,
                    errors=load.error_rate,
                    error=why_not_counted(load),
                )
                yield row, SeriesSet(name=result.run_id, series=numbers.series)


def _trend(numbers: SeriesSet, earlier: Sequence[SeriesSet]) -> tuple[str, tuple[str, ...]]:
    if not earlier:
        return _FIRST, ()
    found = compare(numbers, earlier[-WINDOW:], Rule())
    said: Mapping[str, Outcome] = {one.metric: one.outcome for one in found.changes}
    moved = tuple(
        name
        for name, outcome in said.items()
        if outcome is found.outcome and outcome in (Outcome.REGRESSION, Outcome.IMPROVEMENT)
    )
    return _TRENDS[found.outcome], moved
