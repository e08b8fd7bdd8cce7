"""The runs that there were, oldest first: what each came to, and whether it was slower than those before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.analysis.band import WINDOW
from e2e_ansible.analysis.comparison import compare
from e2e_ansible.analysis.rule import Outcome, Rule
from e2e_ansible.analysis.series import Series, SeriesSet
from e2e_ansible.analysis.soak_analysis import FLOOR
from e2e_ansible.analysis.soak_series import CYCLE, SoakSeries
from e2e_ansible.analysis.standing import Standing
from e2e_ansible.errors import E2EError
from e2e_ansible.judge.latency import percentile
from e2e_ansible.judge.result import RunResult
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.measured import suite_name
from e2e_ansible.run.past_loads import PastLoad, PastLoads
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.soak_numbers import is_soak, read_soak
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["PastRun", "past_runs"]

_TRENDS = {
    Outcome.REGRESSION: "slower",
    Outcome.IMPROVEMENT: "faster",
    Outcome.NO_CHANGE: "as before",
    Outcome.INCONCLUSIVE: "unclear",
}
_FIRST = "first"


class PastRun(BaseModel):
    """One run. `cycles` are those of a soak, else tests; times are in seconds, `started` in epoch seconds.

    `trend` says how its cycles compare with those of up to 20 earlier runs of its suite; empty if it has none. `error`
    says why it cannot be read. `loads` are those of a run that is no soak, each with a trend of its own.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    started: float | None = None
    suite: str = ""
    soak: bool = False
    verdict: Verdict | None = None
    cause: Cause | None = None
    cycles: int = 0
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    apart: int = 0
    p50: float | None = None
    p95: float | None = None
    outage: float | None = None
    trend: str = ""
    loads: tuple[PastLoad, ...] = ()
    error: str = ""


def past_runs(runs: Path) -> Iterator[PastRun]:
    """All runs below a folder, oldest first, without dry ones. One that cannot be read is told with its error."""
    found = [RunFolder.open(path.parent) for path in runs.glob("*/run.json") if path.is_file()]
    earlier: dict[tuple[str, bool], list[SeriesSet]] = defaultdict(list)
    loads = PastLoads()
    for run in sorted(found, key=lambda one: one.begun):
        try:
            if run.manifest().dry_run:
                continue
            row, values = _soak(run) if is_soak(run) else _ordinary(run, loads)
        except E2EError as error:
            yield PastRun(run_id=run.run_id, error=str(error))
            continue
        before = earlier[row.suite, row.soak]
        yield row.model_copy(update={"trend": _trend(run.run_id, values, before)})
        if values:
            before.append(_numbers(run.run_id, values))


def _soak(run: RunFolder) -> tuple[PastRun, Sequence[float]]:
    manifest, series = run.manifest(), read_soak(run).series
    values, tally = series.cycles.good, series.tally()
    verdict, cause = _of_soak(run, series)
    row = PastRun(
        run_id=run.run_id,
        started=manifest.started,
        suite=suite_name(manifest.suite),
        soak=True,
        verdict=verdict,
        cause=cause,
        cycles=len(series.cycles),
        passed=tally.passed,
        failed=tally.failed,
        unknown=tally.unknown,
        apart=series.count(Standing.APART),
        p50=_at(values, 0.5),
        p95=_at(values, 0.95),
        outage=_at(series.outages["writes"].values, 0.5),
    )
    return row, values


def _ordinary(run: RunFolder, loads: PastLoads) -> tuple[PastRun, Sequence[float]]:
    manifest, result = run.manifest(), _result(run) or read_run(run)
    values = (result.duration,) if result.verdict is Verdict.PASS else ()
    row = PastRun(
        run_id=run.run_id,
        started=manifest.started,
        suite=suite_name(manifest.suite),
        loads=loads.of(suite_name(manifest.suite), result),
        verdict=result.verdict,
        cause=result.cause,
        cycles=result.total_tests,
        passed=result.passed,
        failed=result.failed,
        unknown=result.unknown,
        p50=result.duration if values else None,
    )
    return row, values


def _result(run: RunFolder) -> RunResult | None:
    """The result as it was written; None where there is none to read: then the run is judged again."""
    try:
        return RunResult.model_validate_json((run.path / "result.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _of_soak(run: RunFolder, series: SoakSeries) -> tuple[Verdict, Cause | None]:
    """As its result says, else as its cycles do: one that has not ended or was killed has no result."""
    result = _result(run)
    if result is not None:
        return result.verdict, result.cause
    tally = series.tally()
    if tally.failed:
        return Verdict.FAIL, Cause.PRODUCT
    return (Verdict.UNKNOWN, None) if tally.unknown or not tally.passed else (Verdict.PASS, None)


def _at(values: Sequence[float], share: float) -> float | None:
    return percentile(sorted(values), share) if values else None


def _numbers(name: str, values: Sequence[float]) -> SeriesSet:
    return SeriesSet(name=name, series={CYCLE: Series(values=tuple(values), floor=FLOOR, whole=True)})


def _trend(name: str, values: Sequence[float], earlier: Sequence[SeriesSet]) -> str:
    if not values:
        return ""
    if not earlier:
        return _FIRST
    return _TRENDS[compare(_numbers(name, values), earlier[-WINDOW:], Rule()).outcome]
