"""The table of the page is what comparisons of loads do: a short simulation with another seed agrees with it."""

from __future__ import annotations

import pytest

from benchmarks.load_alarms import BEGIN, CASES, CHANGES, END, HEAD, PAGE, SEED, TRIALS, worse
from e2e_ansible.analysis.rate import fisher

IMPOSSIBLE = 1e-5
SHORT = 10


def told() -> dict[tuple[int, float], list[float]]:
    """The numbers of the page by baselines and by how much runs differ."""
    lines = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].splitlines()
    start = lines.index(f"| {' | '.join(HEAD)} |") + 2
    cells = [
        [part.strip() for part in line.strip("|").split("|")]
        for line in lines[start:]
        if line.startswith("|")
    ]
    return {(int(row[0]), float(row[1].split()[0]) / 100): [float(one) for one in row[2:]] for row in cells}


def test_the_page_has_every_case() -> None:
    assert set(told()) == set(CASES)


@pytest.mark.parametrize("change", range(len(CHANGES)))
@pytest.mark.parametrize("case", [CASES[0], CASES[3]])
def test_a_short_simulation_agrees(case: tuple[int, float], change: int) -> None:
    found = worse(*case, CHANGES[change], SHORT, SEED + 1)
    many, few = round(told()[case][change] * TRIALS / 100), round(found * SHORT / 100)
    assert fisher(many, TRIALS, few, SHORT) > IMPOSSIBLE


def test_unchanged_loads_hardly_ever_alarm() -> None:
    assert all(numbers[0] <= 1.5 for numbers in told().values())
