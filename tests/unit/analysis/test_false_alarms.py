"""The tables of the page are what the rules do: a short simulation with another seed agrees within its error."""

from __future__ import annotations

import re

import pytest

from benchmarks.false_alarms import (
    AMONG,
    AMONG_HEAD,
    AMONG_KINDS,
    BEGIN,
    DRIFT_HEAD,
    DRIFTS,
    END,
    FAMILY_HEAD,
    KINDS,
    PAGE,
    SEED,
    STEP_HEAD,
    TRIALS,
    WAYS,
    among_row,
    drift_row,
    family_row,
    step_row,
)
from e2e_ansible.analysis.rate import fisher

#: Chances below this are no chance. There are some 200 numbers.
IMPOSSIBLE = 1e-5
SHORT = 25
OTHER_SEED = SEED + 1


def made() -> str:
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def written(head: tuple[str, ...]) -> list[list[str]]:
    """The rows of the table with this head."""
    lines = made().splitlines()
    start = lines.index(f"| {' | '.join(head)} |") + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([part.strip() for part in line.strip("|").split("|")])
    return rows


def agrees(told: str, found: str, trials: int) -> bool:
    """Whether two percents may be of the same truth, one of many comparisons, the other of a few."""
    if not told or not found:
        return told == found
    many, few = round(float(told) * TRIALS / 100), round(float(found) * trials / 100)
    return fisher(many, TRIALS, few, trials) > IMPOSSIBLE


def disagreements(told: list[str], found: list[str], trials: int, names: int) -> list[tuple[str, str]]:
    assert told[:names] == found[:names]
    pairs = zip(told[names:], found[names:], strict=True)
    return [(one, two) for one, two in pairs if not agrees(one, two, trials)]


def test_the_page_has_every_row_and_says_how_it_was_made() -> None:
    assert [row[:2] for row in written(STEP_HEAD)] == [[way, kind] for way in WAYS for kind in KINDS]
    assert [row[0] for row in written(DRIFT_HEAD)] == list(DRIFTS)
    assert [row[0] for row in written(FAMILY_HEAD)] == list(KINDS)
    assert [row[:2] for row in written(AMONG_HEAD)] == [
        [str(count), kind] for count in AMONG for kind in AMONG_KINDS
    ]
    assert re.search(rf"Seed {SEED}, {TRIALS} comparisons per number", made())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_the_first_table_is_what_comes_out(way: str, kind: str) -> None:
    told = next(row for row in written(STEP_HEAD) if row[:2] == [way, kind])
    assert disagreements(told, step_row(way, kind, SHORT, OTHER_SEED), SHORT, 2) == []


@pytest.mark.parametrize("drift", DRIFTS)
def test_the_table_of_drifts_is_what_comes_out(drift: str) -> None:
    told = next(row for row in written(DRIFT_HEAD) if row[0] == drift)
    assert disagreements(told, drift_row(drift, SHORT, OTHER_SEED), SHORT, 1) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_many_metrics_is_what_comes_out(kind: str) -> None:
    told = next(row for row in written(FAMILY_HEAD) if row[0] == kind)
    assert disagreements(told, family_row(kind, SHORT, OTHER_SEED), SHORT, 1) == []


@pytest.mark.parametrize("kind", AMONG_KINDS)
@pytest.mark.parametrize("baselines", AMONG)
def test_the_table_of_a_whole_comparison_is_what_comes_out(baselines: int, kind: str) -> None:
    told = next(row for row in written(AMONG_HEAD) if row[:2] == [str(baselines), kind])
    few = 5
    assert disagreements(told, among_row(baselines, kind, few, OTHER_SEED), few, 2) == []


def test_the_same_seed_gives_the_same_numbers() -> None:
    (way, *_), (kind, *_) = WAYS, KINDS
    assert step_row(way, kind, 5) == step_row(way, kind, 5)
    assert drift_row(next(iter(DRIFTS)), 5) == drift_row(next(iter(DRIFTS)), 5)


def test_a_table_of_something_else_is_noticed() -> None:
    """The check is not blind: a rule told to be far better or worse than it is does not pass."""
    way, kind = "honest, 20 baselines", "normal"
    found = step_row(way, kind, SHORT, OTHER_SEED)
    told = next(row for row in written(STEP_HEAD) if row[:2] == [way, kind])
    for place, lie in ((2, "50.0"), (-1, "40.0"), (-2, "30.0")):
        wrong = [*told]
        wrong[place] = lie
        assert len(disagreements(wrong, found, SHORT, 2)) == 1


def test_the_honest_rule_keeps_its_promise_where_its_assumptions_hold() -> None:
    """At most 1 % of alarms, both ways, and three standard errors of the simulation."""
    limit = 1 + 3 * (1 * 99 / TRIALS) ** 0.5
    assert all(float(alarms) <= limit for _, _, alarms, *_ in written(AMONG_HEAD))
    for way, kind, regression, improvement, *_ in written(STEP_HEAD):
        known = kind in {"normal", "heavy tails"} or "5 baselines" in way
        if way.startswith("honest") and known:
            assert float(regression) + float(improvement) <= limit, (way, kind)
