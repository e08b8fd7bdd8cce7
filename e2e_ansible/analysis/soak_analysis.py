"""A soak from its numbers: how often it works, how long it takes, whether it got slower, what happened on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from e2e_ansible.analysis.advice import advice
from e2e_ansible.analysis.alerts import count_alerts
from e2e_ansible.analysis.column import Column
from e2e_ansible.analysis.comparison import drift
from e2e_ansible.analysis.flake import flakes
from e2e_ansible.analysis.lines import rate_sentence
from e2e_ansible.analysis.percentiles import percentiles
from e2e_ansible.analysis.proportion import Tally, proportion
from e2e_ansible.analysis.rule import Rule
from e2e_ansible.analysis.series import Series, SeriesSet
from e2e_ansible.analysis.soak_result import (
    CycleCounts,
    InjectionCount,
    Losses,
    OutageFigures,
    PhaseFigures,
    SoakAnalysis,
    Source,
    Success,
    VerdictCount,
)
from e2e_ansible.analysis.soak_series import CYCLE, SoakSeries
from e2e_ansible.analysis.standing import Standing, standing
from e2e_ansible.verdict import Verdict

__all__ = ["FLOOR", "analyze_soak", "metric_of", "success", "to_compare"]

#: A change of less than this matters to nobody, in seconds: no look and no poll is finer.
FLOOR = 0.1
_MOST_EPISODES = 200


def success(tally: Tally) -> Success:
    """A rate with its bounds and its sentence."""
    found = proportion(tally)
    return Success(found=found, sentence=rate_sentence(found))


def metric_of(name: str) -> str:
    """Under which name comparisons have a phase: one may be named `cycle`."""
    return f"phase {name}"


def to_compare(name: str, series: SoakSeries) -> SeriesSet:
    """What comparisons take of a soak: durations of what passed, outages of cycles that passed, and rates.

    Outages are compared only if there was one at all.
    """
    found = {CYCLE: Series(values=series.cycles.good, floor=FLOOR, whole=True)}
    found |= {metric_of(phase): _series(column) for phase, column in series.phases.items()}
    found |= {f"outage of {kind}": _series(column) for kind, column in _seen_outages(series).items()}
    rates = {"success": series.tally()}
    rates |= {f"success of {phase}": series.phase_tally(phase) for phase in series.phases}
    return SeriesSet(name=name, series=found, rates=rates)


def analyze_soak(run_id: str, suite: str, series: SoakSeries, source: Source) -> SoakAnalysis:
    """Everything that the numbers of one soak show."""
    tally, episodes = series.tally(), series.alerts.episodes
    apart = series.count(Standing.APART)
    calm, rough = series.tally(disturbed=False), series.tally(disturbed=True)
    both = bool(calm.trials and rough.trials)
    found = SoakAnalysis(
        run_id=run_id,
        suite=suite,
        first=series.first,
        last=series.last,
        source=source,
        cycles=_counts(series, tally, apart),
        verdicts=_verdicts(series),
        success=success(tally),
        success_of_all=success(series.tally(apart=True)) if apart else None,
        undisturbed=success(calm) if both else None,
        disturbed=success(rough) if both else None,
        whole=_figures(CYCLE, series.cycles, tally),
        phases=tuple(
            _figures(phase, column, series.phase_tally(phase)) for phase, column in series.phases.items()
        ),
        outages=tuple(_outage(kind, column) for kind, column in _seen_outages(series).items()),
        losses=_losses(series),
        flakes=flakes(_step_tallies(series, disturbed=not calm.trials)),
        flakes_disturbed=not calm.trials,
        drift=drift(to_compare(run_id, series), Rule()),
        alerts=count_alerts(episodes),
        episodes=episodes[:_MOST_EPISODES],
        episodes_left_off=max(0, len(episodes) - _MOST_EPISODES),
        injections=_injections(series),
        failures=tuple(series.failures.found),
        failures_left_off=series.failures.left_off,
        looks=series.looks,
        blind_looks=series.blind_looks,
    )
    return found.model_copy(update={"advice": advice(found)})


def _series(column: Column) -> Series:
    return Series(values=column.good, floor=FLOOR)


def _seen_outages(series: SoakSeries) -> Mapping[str, Column]:
    return {kind: column for kind, column in series.outages.items() if any(column.values)}


def _counts(series: SoakSeries, tally: Tally, apart: int) -> CycleCounts:
    return CycleCounts(
        ended=len(series.cycles),
        passed=tally.passed,
        failed=tally.failed,
        unknown=tally.unknown,
        apart=apart,
        swapped=series.swapped,
        unfinished=tuple(series.unfinished),
    )


def _verdicts(series: SoakSeries) -> tuple[VerdictCount, ...]:
    """The most frequent first."""
    counts = [
        VerdictCount(
            verdict=verdict,
            cause=cause,
            standing=standing(verdict is Verdict.PASS, verdict, cause),
            cycles=number,
        )
        for (verdict, cause), number in series.verdicts.items()
    ]
    return tuple(sorted(counts, key=lambda one: (-one.cycles, one.verdict or "", one.cause or "")))


def _figures(name: str, column: Column, tally: Tally) -> PhaseFigures:
    return PhaseFigures(name=name, seconds=percentiles(column.good), success=success(tally))


def _outage(kind: str, column: Column) -> OutageFigures:
    worst_cycle, worst = column.worst or (0, 0.0)
    found = percentiles(tuple(column.values))
    middle = found.at(0.5)
    return OutageFigures(
        kind=kind,
        seconds=found,
        median=middle.value if middle else 0.0,
        worst=worst,
        worst_cycle=worst_cycle,
        cycles_without=sum(not one for one in column.values),
    )


def _losses(series: SoakSeries) -> Losses | None:
    if not any(len(column) for column in series.outages.values()):
        return None
    return Losses(rows=sum(series.lost.values()), cycles=series.lost, not_examined=series.not_examined)


def _step_tallies(series: SoakSeries, *, disturbed: bool) -> Mapping[str, Tally]:
    return {
        step: Tally(passed=one[Verdict.PASS], failed=one[Verdict.FAIL], unknown=one[Verdict.UNKNOWN])
        for step, one in series.steps[disturbed].items()
    }


def _injections(series: SoakSeries) -> tuple[InjectionCount, ...]:
    """By scenario and phase, in order of name."""
    ends = {number: series.standing(place) for place, number in enumerate(series.cycles.cycles)}
    found: dict[tuple[str, str], list[tuple[int, bool | None, bool | None]]] = {}
    for (cycle, scenario, phase, _), (taken, undone) in series.injections.items():
        found.setdefault((scenario, phase), []).append((cycle, taken, undone))
    return tuple(_injection(name, found[name], ends) for name in sorted(found))


def _injection(
    name: tuple[str, str],
    seen: list[tuple[int, bool | None, bool | None]],
    ends: Mapping[int, Standing],
) -> InjectionCount:
    taken = {cycle for cycle, took, _ in seen if took}
    stands = Counter(ends.get(cycle, Standing.APART) for cycle in taken)
    tally = Tally(
        passed=stands[Standing.PASSED], failed=stands[Standing.FAILED], unknown=stands[Standing.UNKNOWN]
    )
    return InjectionCount(
        scenario=name[0],
        phase=name[1],
        tried=len(seen),
        taken=sum(took is True for _, took, _ in seen),
        not_taken=sum(took is False for _, took, _ in seen),
        undone=sum(undone is True for _, _, undone in seen),
        not_undone=sum(undone is False for _, _, undone in seen),
        cycles=success(tally),
    )
