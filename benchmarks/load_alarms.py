"""How often comparisons of loads alarm, and what they find, measured on simulated loads whose truth is known.

    python -m benchmarks.load_alarms [--trials N]

Writes its table into `docs/statistics.md`. The same seed gives the same table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from random import Random

from benchmarks.measure import table
from e2e_ansible.analysis.comparison import compare
from e2e_ansible.analysis.load_series import Metric, load_metrics
from e2e_ansible.analysis.rule import Outcome
from e2e_ansible.analysis.series import SeriesSet
from e2e_ansible.load.result import Interval, Latency, LoadResult

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
BEGIN = "<!-- Made by python -m benchmarks.load_alarms: from here -->"
END = "<!-- Made by python -m benchmarks.load_alarms: to here -->"
SEED = 20
TRIALS = 300
SECONDS = 60
RATE, MILLISECONDS = 800.0, 5.0
#: How many baselines, and by what share whole runs differ.
CASES = tuple((count, between) for count in (1, 8, 20) for between in (0.02, 0.05))
#: What becomes of throughput and latency.
CHANGES = ((1.0, 1.0), (0.8, 1.0), (0.7, 1.0), (0.5, 1.0), (1.0, 1.5))
HEAD = (
    "baselines",
    "runs differ by",
    "nothing changed, called worse",
    "-20 % throughput found",
    "-30 % throughput found",
    "-50 % throughput found",
    "+50 % latency found",
)


def _load(random: Random, rate: float, milliseconds: float) -> LoadResult:
    """One minute; each second has some 4 % of noise."""
    intervals = tuple(
        Interval(
            start=float(second),
            seconds=1.0,
            count=max(0, round(rate * random.gauss(1, 0.04))),
            latency=Latency(average=milliseconds * random.gauss(1, 0.05)),
        )
        for second in range(SECONDS)
    )
    count = sum(one.count for one in intervals)
    latency = Latency(
        average=milliseconds,
        p50=milliseconds,
        p90=2 * milliseconds,
        p95=3 * milliseconds,
        p99=5 * milliseconds,
    )
    return LoadResult(
        tool="simulated",
        workload="none",
        transactions=count,
        per_second=count / SECONDS,
        failed=max(0, round(random.gauss(20, 4))),
        retried=max(0, round(random.gauss(40, 8))),
        latency=latency,
        intervals=intervals,
        complete=True,
    )


def _run(random: Random, between: float, rate: float = 1.0, latency: float = 1.0) -> SeriesSet:
    """A run whose throughput and whose latency differ from those of other runs, each by its own chance."""
    load = _load(
        random, RATE * rate * random.gauss(1, between), MILLISECONDS * latency * random.gauss(1, between)
    )
    found = {one.name: one.series for one in load_metrics(load) if isinstance(one, Metric)}
    return SeriesSet(name="run", series=found)


def worse(count: int, between: float, change: tuple[float, float], trials: int, seed: int = SEED) -> float:
    """Per cent of comparisons in which something is called worse."""
    random = Random(f"{seed} {count} {between} {change}")
    alarms = 0
    for _ in range(trials):
        new = _run(random, between, *change)
        found = compare(new, [_run(random, between) for _ in range(count)])
        alarms += found.outcome is Outcome.REGRESSION
    return 100 * alarms / trials


def rows(trials: int) -> Iterator[tuple[str, ...]]:
    """The table without its head."""
    for count, between in CASES:
        numbers = (worse(count, between, change, trials) for change in CHANGES)
        yield (str(count), f"{between * 100:g} %", *(f"{number:.1f}" for number in numbers))


def main() -> None:
    """Simulate, and write the table."""
    parser = argparse.ArgumentParser(description="Measure what comparisons of loads find.")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"per number, {TRIALS} for the page")
    trials = parser.parse_args().trials
    about = f"Seed {SEED}, {trials} comparisons per number."
    found = f"{about}\n\n{table(HEAD, list(rows(trials)))}"
    print(found)
    if trials == TRIALS:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
