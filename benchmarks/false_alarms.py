"""How often the rules for regressions are wrong, measured on simulated runs whose truth is known.

    python -m benchmarks.false_alarms [--trials N]

Writes its tables into `docs/statistics.md`. The same seed gives the same tables.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.measure import table
from e2e_ansible.analysis.change import Comparison
from e2e_ansible.analysis.comparison import compare, drift
from e2e_ansible.analysis.rule import Method, Outcome, Rule
from e2e_ansible.analysis.series import Series, SeriesSet, over_runs

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
BEGIN = "<!-- Made by python -m benchmarks.false_alarms: from here -->"
END = "<!-- Made by python -m benchmarks.false_alarms: to here -->"
SEED = 20
TRIALS = 1000
CYCLES = 20
SAME_RUN = Rule(between=0)
STEPS = (0.0, 0.1, 0.2, 0.5)
METRICS = 10

#: Makes the cycles of one run that takes about a second each.
Kind = Callable[[Random], list[float]]


def _normal(random: Random) -> list[float]:
    return [random.gauss(1, 0.1) for _ in range(CYCLES)]


def _heavy(random: Random) -> list[float]:
    """Student's t with 3 degrees of freedom as an exponent: now and then a cycle takes twice as long."""
    return [
        math.exp(0.1 * random.gauss(0, 1) / math.sqrt(random.gammavariate(1.5, 2) / 3)) for _ in range(CYCLES)
    ]


def _bimodal(random: Random) -> list[float]:
    """Three of ten cycles take half as long again."""
    return [random.gauss(1, 0.05) + (0.5 if random.random() < 0.3 else 0) for _ in range(CYCLES)]


def _leaning(random: Random) -> list[float]:
    """Each cycle leans on the one before it, with a correlation of 0.6."""
    last, found = random.gauss(0, 0.1), []
    for _ in range(CYCLES):
        last = 0.6 * last + random.gauss(0, 0.08)
        found.append(1 + last)
    return found


def _by_run(random: Random) -> list[float]:
    """A whole run is faster or slower, by 5 % or so, as another machine would make it."""
    factor = random.gauss(1, 0.05)
    return [factor * one for one in _normal(random)]


KINDS: Mapping[str, Kind] = {
    "normal": _normal,
    "heavy tails": _heavy,
    "two modes": _bimodal,
    "autocorrelated": _leaning,
    "runs differ": _by_run,
}


@dataclass(frozen=True)
class Way:
    """A rule, and how many baselines it gets."""

    baselines: int
    rule: Rule


WAYS: Mapping[str, Way] = {
    "honest, 1 baseline, `between` 0": Way(1, SAME_RUN),
    "honest, 1 baseline": Way(1, Rule()),
    "honest, 5 baselines": Way(5, Rule()),
    "honest, 20 baselines": Way(20, Rule()),
    "ratio, 1 baseline": Way(1, Rule(method=Method.RATIO)),
}


@dataclass(frozen=True)
class Cell:
    """How many of `trials` comparisons gave each answer; `chance`: how many had a p of at most alpha."""

    trials: int
    regressions: int
    improvements: int
    unchanged: int
    chance: int

    def percent(self, count: int) -> str:
        """A count as percent of all."""
        return f"{100 * count / self.trials:.1f}"


def _run(name: str, cycles: Mapping[str, Sequence[float]], factor: float = 1) -> SeriesSet:
    """The ratio rule takes the P95 of phases, so every metric is that of a phase."""
    series = {metric: Series(values=[factor * one for one in values]) for metric, values in cycles.items()}
    return SeriesSet(name=name, series=series)


def one_trial(way: Way, kind: Kind, step: float, random: Random) -> Comparison:
    """Baselines of one kind, and a run of the same kind that takes longer by a share."""
    baselines = [_run(f"b{number}", {"phase": kind(random)}) for number in range(way.baselines)]
    return compare(_run("new", {"phase": kind(random)}, 1 + step), baselines, way.rule)


def cell(trial: Callable[[Random], Comparison], trials: int, random: Random) -> Cell:
    """Many trials of comparisons with one metric."""
    changes = [trial(random).changes[0] for _ in range(trials)]
    answers = [one.outcome for one in changes]
    return Cell(
        trials=trials,
        regressions=answers.count(Outcome.REGRESSION),
        improvements=answers.count(Outcome.IMPROVEMENT),
        unchanged=answers.count(Outcome.NO_CHANGE),
        chance=sum(one.adjusted is not None and one.adjusted <= Rule().alpha for one in changes),
    )


def step_cell(way: str, kind: str, step: float, trials: int, seed: int = SEED) -> Cell:
    """One cell of the first table; its randomness depends on nothing but its own name and the seed."""
    random = Random(f"{seed}/{way}/{kind}/{step}")
    return cell(lambda source: one_trial(WAYS[way], KINDS[kind], step, source), trials, random)


STEP_HEAD = (
    "rule",
    "series",
    "false regression",
    "false improvement",
    "p of 1 % or less",
    "`no change`",
    *(f"step of {step:.0%} found" for step in STEPS[1:]),
)


def step_row(way: str, kind: str, trials: int, seed: int = SEED) -> list[str]:
    """Percents: what it says without a step, then how often it finds each step."""
    same, *stepped = (step_cell(way, kind, step, trials, seed) for step in STEPS)
    chance = "" if WAYS[way].rule.method is Method.RATIO else same.percent(same.chance)
    quiet = [
        same.percent(same.regressions),
        same.percent(same.improvements),
        chance,
        same.percent(same.unchanged),
    ]
    return [way, kind, *quiet, *(one.percent(one.regressions) for one in stepped)]


def within(share: float, kind: Kind) -> Callable[[Random], Comparison]:
    """Forty cycles of one run, each slower than the one before it by a share of the first."""

    def trial(random: Random) -> Comparison:
        cycles = [(1 + share * place) * one for place, one in enumerate([*kind(random), *kind(random)])]
        return drift(_run("run", {"phase": cycles}))

    return trial


def _drifting(share: float, random: Random) -> list[SeriesSet]:
    """Twenty-one runs, each slower than the one before it."""
    return [_run(f"r{place}", {"phase": _normal(random)}, 1 + share * place) for place in range(21)]


def over(share: float) -> Callable[[Random], Comparison]:
    """The trend of the medians of such runs."""
    return lambda random: drift(over_runs(_drifting(share, random), "history"))


def newest(share: float, baselines: int) -> Callable[[Random], Comparison]:
    """The newest of such runs against those before it."""

    def trial(random: Random) -> Comparison:
        runs = _drifting(share, random)
        return compare(runs[-1], runs[-1 - baselines : -1])

    return trial


DRIFTS: Mapping[str, Callable[[Random], Comparison]] = {
    "none: trend of 40 cycles, normal": within(0, _normal),
    "none: trend of 40 cycles, heavy tails": within(0, _heavy),
    "none: trend of 40 cycles, two modes": within(0, _bimodal),
    "none: trend of 40 cycles, autocorrelated": within(0, _leaning),
    "1 % per cycle: trend of 40 cycles": within(0.01, _normal),
    "none: trend of 21 runs": over(0),
    "1 % per run: trend of 21 runs": over(0.01),
    "1 % per run: the newest run against the 20 before it": newest(0.01, 20),
    "1 % per run: the newest run against the one before it": newest(0.01, 1),
}
DRIFT_HEAD = ("drift", "regression", "improvement", "`no change`", "inconclusive")


def drift_row(name: str, trials: int, seed: int = SEED) -> list[str]:
    """Percents of each answer."""
    found = cell(DRIFTS[name], trials, Random(f"{seed}/{name}"))
    open_ = trials - found.regressions - found.improvements - found.unchanged
    counts = (found.regressions, found.improvements, found.unchanged, open_)
    return [name, *(found.percent(count) for count in counts)]


FAMILY_HEAD = (
    "series",
    "each p by itself",
    "corrected",
    "corrected, and large enough to matter",
    "ratio rule",
)


def family_row(kind: str, trials: int, seed: int = SEED) -> list[str]:
    """Percents of comparisons of ten metrics, none of which changed, with at least one alarm either way."""
    random, alpha = Random(f"{seed}/family/{kind}"), Rule().alpha
    counts = [0, 0, 0, 0]
    for _ in range(trials):
        runs = [_run(name, {str(one): KINDS[kind](random) for one in range(METRICS)}) for name in "ab"]
        honest, ratio = (
            compare(runs[1], runs[:1], SAME_RUN),
            compare(runs[1], runs[:1], Rule(method=Method.RATIO)),
        )
        counts[0] += any((one.p or 0) <= alpha for one in honest.changes)
        counts[1] += any((one.adjusted or 0) <= alpha for one in honest.changes)
        for place, found in ((2, honest), (3, ratio)):
            alarms = {Outcome.REGRESSION, Outcome.IMPROVEMENT}
            counts[place] += any(one.outcome in alarms for one in found.changes)
    return [kind, *(f"{100 * count / trials:.1f}" for count in counts)]


#: How many baselines, for the table of a whole comparison.
AMONG = (1, 8, 10, 20)
AMONG_KINDS = ("normal", "runs differ")
AMONG_STEPS = (0.0, *STEPS[2:])
AMONG_HEAD = (
    "baselines",
    "series",
    "any alarm, none changed",
    *(f"step of {step:.0%} of one found" for step in AMONG_STEPS[1:]),
)


def among_row(baselines: int, kind: str, trials: int, seed: int = SEED) -> list[str]:
    """Percents of comparisons of ten metrics, of which none or one changed, by the rule as `compare` has it."""
    counts = []
    for step in AMONG_STEPS:
        random = Random(f"{seed}/among/{baselines}/{kind}/{step}")
        counts.append(sum(_among_trial(baselines, KINDS[kind], step, random) for _ in range(trials)))
    return [f"{baselines}", kind, *(f"{100 * count / trials:.1f}" for count in counts)]


def _among_trial(baselines: int, kind: Kind, step: float, random: Random) -> bool:
    """Whether the metric that changed is found; if none did, whether there is any alarm."""
    *before, after = ({str(one): kind(random) for one in range(METRICS)} for _ in range(baselines + 1))
    after["0"] = [(1 + step) * one for one in after["0"]]
    found = compare(_run("new", after), [_run(f"b{place}", one) for place, one in enumerate(before)])
    if step:
        return any(one.metric == "0" and one.outcome is Outcome.REGRESSION for one in found.changes)
    return any(one.outcome in (Outcome.REGRESSION, Outcome.IMPROVEMENT) for one in found.changes)


AMONG_WORDS = f"{METRICS} metrics by the honest rule as `compare` has it, of which none changed, or one:"


def tables(trials: int) -> str:
    """All four, with the seed and the number of trials."""
    steps = [step_row(way, kind, trials) for way in WAYS for kind in KINDS]
    drifts = [drift_row(name, trials) for name in DRIFTS]
    families = [family_row(kind, trials) for kind in KINDS]
    among = [among_row(count, kind, trials) for count in AMONG for kind in AMONG_KINDS]
    error = 196 * math.sqrt(0.25 / trials)
    return "\n\n".join(
        [
            f"Seed {SEED}, {trials} comparisons per number, runs of {CYCLES} cycles. All numbers are percents of "
            f"comparisons; the error of the simulation is at most {error:.1f} points.",
            table(STEP_HEAD, steps),
            "A slow drift, by the honest rule:",
            table(DRIFT_HEAD, drifts),
            f"At least one alarm among {METRICS} metrics, none of which changed, 1 baseline, `between` 0:",
            table(FAMILY_HEAD, families),
            AMONG_WORDS,
            table(AMONG_HEAD, among),
        ]
    )


def main() -> None:
    """Simulate, and write the tables."""
    parser = argparse.ArgumentParser(description="Measure the false alarms of the rules for regressions.")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"per number, {TRIALS} for the page")
    trials = parser.parse_args().trials
    found = tables(trials)
    print(found)
    if trials == TRIALS:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
