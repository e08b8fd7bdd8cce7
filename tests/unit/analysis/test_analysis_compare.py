"""Comparisons: which answer, why, in which words; one planted change of each sort, and none."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from e2e_ansible.analysis.change import Comparison
from e2e_ansible.analysis.comparison import compare, drift
from e2e_ansible.analysis.lines import comparison_lines
from e2e_ansible.analysis.proportion import Tally
from e2e_ansible.analysis.rule import Method, Outcome, Rule, decide, worst_outcome
from e2e_ansible.analysis.series import Direction, Series, SeriesSet, over_runs
from e2e_ansible.analysis.shift import Shift
from e2e_ansible.analysis.trend import trend_shift

RATIO = Rule(method=Method.RATIO)
SAME = Rule(between=0)


def cycles(centre: float, seed: int, count: int = 20, noise: float = 0.03) -> tuple[float, ...]:
    random = Random(seed)
    return tuple(centre * random.gauss(1, noise) for _ in range(count))


def run(name: str, *values: float, **more: object) -> SeriesSet:
    return SeriesSet(name=name, series={"activation": Series(values=values, **more)})


def runs(count: int, centre: float = 10) -> list[SeriesSet]:
    return [run(f"b{one}", *cycles(centre, one)) for one in range(count)]


def only(found: Comparison) -> Outcome:
    (change,) = found.changes
    return change.outcome


# ---- planted changes


@pytest.mark.parametrize(("baselines", "test"), [(1, "rank"), (3, "rank"), (8, "band"), (30, "band")])
@pytest.mark.parametrize(
    ("better", "slower", "faster"),
    [
        (Direction.LOWER, Outcome.REGRESSION, Outcome.IMPROVEMENT),
        (Direction.HIGHER, Outcome.IMPROVEMENT, Outcome.REGRESSION),
    ],
)
def test_a_planted_change_is_found_in_the_right_direction(
    baselines: int, test: str, better: Direction, slower: Outcome, faster: Outcome
) -> None:
    for centre, expected in ((15, slower), (6.5, faster)):
        found = compare(run("new", *cycles(centre, 99), better=better), runs(baselines))
        assert only(found) == expected
        assert found.changes[0].test == test


def test_without_a_change_there_is_no_change() -> None:
    assert only(compare(run("new", *cycles(10, 99)), runs(20))) is Outcome.NO_CHANGE
    assert only(compare(run("new", *cycles(10, 99)), runs(1), SAME)) is Outcome.NO_CHANGE


def test_one_baseline_does_not_know_how_runs_differ() -> None:
    """The same 15 %: found if runs are known not to differ, open if they may, found again by many baselines."""
    new = run("new", *cycles(11.5, 99))
    assert only(compare(new, runs(1), SAME)) is Outcome.REGRESSION
    assert only(compare(new, runs(1))) is Outcome.INCONCLUSIVE
    assert only(compare(new, runs(20))) is Outcome.REGRESSION


def test_few_baselines_that_differ_more_allow_for_more() -> None:
    def against(*centres: float) -> Outcome:
        baselines = [run(str(place), *cycles(one, place)) for place, one in enumerate(centres)]
        return only(compare(run("new", *cycles(15.5, 99)), baselines))

    assert against(12, 12.1, 11.9, 12, 11.9, 12.1, 12) is Outcome.REGRESSION
    assert against(12, 14, 10, 13, 11, 14, 10) is Outcome.INCONCLUSIVE


def test_too_few_values_show_nothing() -> None:
    found = compare(run("new", 30, 31, 29), [run("old", 10, 11, 9)])
    assert only(found) is Outcome.INCONCLUSIVE
    assert found.changes[0].reason == "too few values to show anything"
    assert (found.changes[0].low, found.changes[0].high) == (None, None)
    assert found.exit_code == 3


def test_noise_that_is_too_wide_is_told() -> None:
    found = compare(run("new", *cycles(10, 5, noise=0.4)), [run("old", *cycles(10, 6, noise=0.4))])
    assert found.changes[0].reason == "the noise is wider than the change that matters"


def test_a_change_that_does_not_matter_is_none() -> None:
    new = run("new", *cycles(10.3, 99, 200, 0.01))
    (change,) = compare(new, [run("old", *cycles(10, 1, 200, 0.01))], SAME).changes
    assert change.p is not None and change.p < 1e-6
    assert change.outcome is Outcome.NO_CHANGE


def test_below_the_floor_nothing_matters() -> None:
    assert (
        only(compare(run("new", *cycles(0.2, 9), floor=1), [run("old", *cycles(0.1, 1))]))
        is Outcome.NO_CHANGE
    )


def test_a_baseline_of_0_has_changes_too() -> None:
    """No alert in ten runs, then some in each cycle; and still none."""
    quiet = [run(f"b{one}", *[0.0] * 20, unit="") for one in range(1)]
    found = compare(run("new", *[1.0, 2.0] * 10, unit=""), quiet, SAME)
    assert only(found) is Outcome.REGRESSION
    assert "0 to 1.5 (+1.5" in next(line for line in comparison_lines(found) if "activation" in line)
    assert only(compare(run("new", *[0.0] * 20), quiet * 10)) is Outcome.NO_CHANGE


# ---- rates


def rated(name: str, **counts: int) -> SeriesSet:
    return SeriesSet(name=name, rates={"cycle": Tally(**counts)})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"passed": 100}, {"passed": 70, "failed": 30}, Outcome.REGRESSION),
        ({"passed": 70, "failed": 30}, {"passed": 100}, Outcome.IMPROVEMENT),
        ({"passed": 20}, {"passed": 18, "failed": 2}, Outcome.INCONCLUSIVE),
        ({"passed": 20}, {"passed": 20}, Outcome.INCONCLUSIVE),
        ({"passed": 500}, {"passed": 500}, Outcome.NO_CHANGE),
        ({"passed": 100}, {"passed": 70, "unknown": 30}, Outcome.INCONCLUSIVE),
    ],
)
def test_rates(before: dict[str, int], after: dict[str, int], expected: Outcome) -> None:
    assert only(compare(rated("new", **after), [rated("old", **before)])) is expected


# ---- many metrics


def test_the_same_change_among_many_metrics_must_be_clearer() -> None:
    def many(name: str, centre: float, metrics: int) -> SeriesSet:
        series = {
            str(one): Series(values=cycles(centre if not one else 10, len(name) * 100 + one, 6))
            for one in range(metrics)
        }
        return SeriesSet(name=name, series=series)

    alone, among = (compare(many("new", 13, count), [many("before", 10, count)], SAME) for count in (1, 30))
    assert alone.changes[0].p == among.changes[0].p
    assert (alone.outcome, among.changes[0].outcome) == (Outcome.REGRESSION, Outcome.INCONCLUSIVE)
    assert among.changes[0].reason == "too few values to show anything"


def test_rates_at_which_nothing_ever_failed_cost_the_others_nothing() -> None:
    def with_rates(name: str, centre: float, rates: dict[str, Tally]) -> SeriesSet:
        return SeriesSet(name=name, series={"m": Series(values=cycles(centre, len(name)))}, rates=rates)

    def adjusted(new: dict[str, Tally], old: dict[str, Tally]) -> float | None:
        found = compare(with_rates("new", 10.3, new), [with_rates("before", 10, old)], SAME)
        return next(one.adjusted for one in found.changes if one.metric == "m")

    many = {str(number): Tally(passed=30) for number in range(20)}
    failed = {name: Tally(passed=29, failed=1) for name in many}
    alone = adjusted({}, {})
    assert alone is not None and alone < 0.04
    assert adjusted(many, many) == alone
    costly = adjusted(failed, many)
    assert costly is not None and costly == pytest.approx(21 * alone)
    found = compare(with_rates("new", 10, many), [with_rates("before", 10, many)], SAME)
    assert {one.outcome for one in found.changes if one.kind == "rate"} == {Outcome.INCONCLUSIVE}


@pytest.mark.parametrize("rule", [Rule(), RATIO])
def test_what_only_one_side_has_is_told_and_not_judged(rule: Rule) -> None:
    old = SeriesSet(name="old", series={"gone": Series(values=(1,)), "empty": Series(values=())})
    new = SeriesSet(name="new", series={"empty": Series(values=(1,))}, rates={"cycle": Tally(passed=1)})
    found = compare(new, [old], rule)
    assert (found.only_before, found.only_after, found.changes) == (("gone",), ("cycle", "empty"), ())
    assert (found.outcome, found.exit_code) == (Outcome.INCONCLUSIVE, 3)
    assert "  only in the baseline: gone" in list(comparison_lines(found))
    with pytest.raises(ValueError, match="at least one baseline"):
        compare(new, [])


# ---- the ratio rule


@pytest.mark.parametrize(
    ("whole", "factor", "expected"),
    [
        (False, 1.21, Outcome.REGRESSION),
        (False, 1.19, Outcome.NO_CHANGE),
        (False, 0.83, Outcome.IMPROVEMENT),
        (False, 0.84, Outcome.NO_CHANGE),
        (True, 1.21, Outcome.REGRESSION),
        (True, 0.5, Outcome.NO_CHANGE),
    ],
)
def test_the_ratio_rule_is_that_of_the_original(whole: bool, factor: float, expected: Outcome) -> None:
    found = compare(run("new", 10 * factor, whole=whole), [run("old", 10, whole=whole)], RATIO)
    assert only(found) is expected
    assert found.changes[0].test == "ratio"
    assert (found.changes[0].p, found.changes[0].low) == (None, None)


def test_the_ratio_rule_takes_the_mean_of_cycles_and_the_p95_of_phases() -> None:
    old, new = [10.0] * 20, [10.0] * 19 + [90.0]
    phase = compare(run("new", *new), [run("old", *old)], RATIO).changes[0]
    cycle = compare(run("new", *new, whole=True), [run("old", *old, whole=True)], RATIO).changes[0]
    assert (phase.before, phase.after) == (10, pytest.approx(14))
    assert (cycle.before, cycle.after) == (10, 14)


def test_the_ratio_rule_knows_no_ratio_to_0_and_turns_round_what_is_better_higher() -> None:
    assert only(compare(run("new", 5), [run("old", 0)], RATIO)) is Outcome.NO_CHANGE
    higher = {"better": Direction.HIGHER}
    assert only(compare(run("new", 5, **higher), [run("old", 10, **higher)], RATIO)) is Outcome.REGRESSION
    assert only(compare(run("new", 0, **higher), [run("old", 10, **higher)], RATIO)) is Outcome.REGRESSION


@pytest.mark.parametrize(("passed", "expected"), [(94, Outcome.REGRESSION), (95, Outcome.NO_CHANGE)])
def test_the_ratio_rule_lets_a_rate_fall_by_5_points(passed: int, expected: Outcome) -> None:
    new, old = rated("new", passed=passed, failed=100 - passed), rated("old", passed=100)
    found = compare(new, [old], RATIO)
    assert only(found) is expected
    assert found.changes[0].change == pytest.approx(passed / 100 - 1)


# ---- drift


def test_a_drift_inside_a_run_is_found_and_none_is_none() -> None:
    drifting = [one * (1 + place / 100) for place, one in enumerate(cycles(10, 7, 60))]
    found = drift(run("new", *drifting))
    assert (only(found), found.changes[0].test) == (Outcome.REGRESSION, "trend")
    assert found.changes[0].change == pytest.approx(5.9, abs=0.6)
    assert only(drift(run("new", *reversed(drifting)))) is Outcome.IMPROVEMENT
    assert only(drift(run("new", *cycles(10, 7, 60)))) is Outcome.NO_CHANGE
    assert drift(run("new", 1)).changes == ()


def test_a_drift_over_runs_that_moves_the_baseline_along() -> None:
    found = [run(str(one), *cycles(10 * (1 + one / 100), one)) for one in range(21)]
    assert only(compare(found[-1], found[:-1])) is Outcome.INCONCLUSIVE
    assert only(drift(over_runs([*found, run("empty")], "history"))) is Outcome.REGRESSION


def test_a_trend_by_hand() -> None:
    found = trend_shift([10, 15, 14, 20], 0.05)
    assert found is not None
    # Slopes 5, 2, 10/3, -1, 5/2 and 6: five up, one down, so S is 4, with variance 4 * 3 * 13 / 18 and z 3 / 2.944.
    assert found.change == pytest.approx(3 * (2.5 + 10 / 3) / 2)
    assert found.p == pytest.approx(0.3082, abs=2e-4)
    assert (found.low, found.high) == (None, None)


def test_cycles_that_lean_on_each_other_are_seldom_a_trend() -> None:
    """Without the correction far more of these would be one."""
    random, alarms = Random(11), 0
    for _ in range(200):
        values = [random.gauss(0, 1)]
        for _ in range(39):
            values.append(0.6 * values[-1] + random.gauss(0, 0.8))
        found = trend_shift(values, 0.01)
        alarms += found is not None and found.p <= 0.01
    assert alarms <= 14


def test_ten_thousand_cycles_have_a_trend_too() -> None:
    found = trend_shift([place / 1000 + place % 7 for place in range(10_000)], 0.01)
    assert found is not None and found.low is not None and found.high is not None
    assert found.change == pytest.approx(10, rel=0.01)
    assert found.low <= found.change <= found.high
    still = trend_shift([3.0] * 10, 0.01)
    assert still is not None and (still.p, still.change) == (1, 0)


# ---- what always holds

VALUES = st.lists(st.integers(1, 1000), min_size=1, max_size=15)


@settings(max_examples=20, deadline=None)
@given(VALUES, st.lists(VALUES, min_size=1, max_size=9), st.integers(-8, 8), st.sampled_from([Rule(), RATIO]))
def test_the_unit_does_not_matter(new: list[int], baselines: list[list[int]], power: int, rule: Rule) -> None:
    def answers(factor: float) -> tuple[Outcome, float | None]:
        sets = [
            run(str(place), *(factor * one for one in part)) for place, part in enumerate([new, *baselines])
        ]
        (change,) = compare(sets[0], sets[1:], rule).changes
        return change.outcome, None if change.p is None else round(change.p, 9)

    assert answers(1) == answers(2.0**power)


@settings(max_examples=20, deadline=None)
@given(VALUES, st.lists(VALUES, min_size=1, max_size=9))
def test_better_higher_is_the_opposite_of_better_lower(new: list[int], baselines: list[list[int]]) -> None:
    def answer(better: Direction) -> Outcome:
        sets = [run(str(place), *part, better=better) for place, part in enumerate([new, *baselines])]
        return only(compare(sets[0], sets[1:]))

    opposite = {Outcome.REGRESSION: Outcome.IMPROVEMENT, Outcome.IMPROVEMENT: Outcome.REGRESSION}
    lower = answer(Direction.LOWER)
    assert answer(Direction.HIGHER) is opposite.get(lower, lower)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1), st.floats(-9, 9), st.floats(0, 9), st.floats(0, 9), st.floats(0, 9))
def test_no_change_is_said_only_where_the_interval_says_so(
    p: float, change: float, below: float, above: float, matter: float
) -> None:
    shift = Shift(change, change - below, change + above, p, 0)
    outcome = decide(shift, p, Direction.LOWER, matter=matter, alpha=0.01).outcome
    if outcome is Outcome.NO_CHANGE:
        assert -matter <= change - below and change + above <= matter
    if outcome in {Outcome.REGRESSION, Outcome.IMPROVEMENT}:
        assert p <= 0.01 and abs(change) >= matter
    open_ = decide(Shift(change, None, None, p, 0), p, Direction.LOWER, matter=matter, alpha=0.01)
    assert open_.outcome is not Outcome.NO_CHANGE


def test_it_moved_but_not_surely_by_enough() -> None:
    found = decide(Shift(0.9, 0.5, 1.3, 0.001, 0), 0.001, Direction.LOWER, matter=1, alpha=0.01)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.reason == "it moved, but whether by enough to matter is not decided"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        Series(values=(1, value))


def test_the_worst_answer_decides() -> None:
    assert worst_outcome(Outcome) is Outcome.REGRESSION
    assert worst_outcome([Outcome.NO_CHANGE, Outcome.IMPROVEMENT]) is Outcome.IMPROVEMENT
    assert worst_outcome([Outcome.IMPROVEMENT, Outcome.INCONCLUSIVE]) is Outcome.INCONCLUSIVE


# ---- words


def test_a_comparison_in_lines_and_back_from_json() -> None:
    old = SeriesSet(
        name="old",
        series={"stop": Series(values=cycles(10, 1)), "start": Series(values=cycles(5, 2))},
        rates={"cycle": Tally(passed=20)},
    )
    new = SeriesSet(
        name="new",
        series={"stop": Series(values=cycles(16, 3)), "start": Series(values=cycles(5, 4))},
        rates={"cycle": Tally(passed=18, failed=2)},
    )
    found = compare(new, [old], SAME)
    lines = list(comparison_lines(found))
    assert lines[0] == "regression: new against old"
    assert lines[1].startswith("  regression: stop 10s to 15.9s (+59.3 %, +53.8 to +65.1): ")
    assert lines[1].endswith("the change is larger than chance makes it, and large enough to matter")
    assert lines[2].startswith("  inconclusive: cycle 100.0 % to 90.0 % (-10.0 points, -")
    assert lines[3].startswith("  no change: start ")
    assert lines[4].startswith(
        "what matters: 10 %, of rates 5 points; at most 1 of 100 comparisons alarm falsely"
    )
    assert (found.exit_code, [one.metric for one in found.regressions]) == (1, ["stop"])
    assert Comparison.model_validate(json.loads(found.model_dump_json())) == found
    assert list(comparison_lines(compare(new, [old], RATIO)))[-1].startswith(
        "ratio rule: 1.2 times as long or 5 points"
    )


def test_models_do_not_change() -> None:
    found = compare(run("new", 1), [run("old", 1)])
    with pytest.raises(ValidationError):
        found.name = "other"
