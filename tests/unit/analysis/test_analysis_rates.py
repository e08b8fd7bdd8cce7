"""Rates: exact intervals, the plain sentence, flake rates, and two rates compared."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from e2e_ansible.analysis.beta import beta_share, student_quantile, student_tails
from e2e_ansible.analysis.flake import Steadiness, flakes, tally
from e2e_ansible.analysis.lines import flake_line, rate_sentence
from e2e_ansible.analysis.proportion import Tally, at_least, at_most, proportion, trials_needed
from e2e_ansible.analysis.rate import fisher, rate_shift

# ---- distributions


@pytest.mark.parametrize(
    ("freedom", "tails", "expected"),
    # Student's t as every table prints it, for instance Fisher and Yates (1938), table III.
    [(1, 0.05, 12.706), (5, 0.01, 4.032), (10, 0.05, 2.228), (30, 0.01, 2.750), (120, 0.05, 1.980)],
)
def test_student_t_is_that_of_the_tables(freedom: int, tails: float, expected: float) -> None:
    assert student_quantile(tails, freedom) == pytest.approx(expected, abs=0.0006)
    assert student_tails(student_quantile(tails, freedom), freedom) == pytest.approx(tails)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.001, 0.999))
def test_the_beta_share_is_a_tail_of_the_binomial(a: int, b: int, x: float) -> None:
    n = a + b - 1
    tail = math.fsum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))
    assert beta_share(x, a, b) == pytest.approx(tail, rel=1e-9, abs=1e-14)


def test_a_beta_distribution_needs_parameters_above_0() -> None:
    assert beta_share(-1, 1, 1) == 0
    assert beta_share(2, 1, 1) == 1
    with pytest.raises(ValueError, match="parameters above 0, not 0 and 1"):
        beta_share(0.5, 0, 1)


def test_a_share_that_cannot_be_computed_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert beta_share(0.5, 5000, 5000) == pytest.approx(0.5, abs=1e-9)
    monkeypatch.setattr("e2e_ansible.analysis.beta._TERMS", 20)
    with pytest.raises(ValueError, match="parameters 5000 and 5000 is too narrow"):
        beta_share(0.5, 5000, 5000)


# ---- intervals


@pytest.mark.parametrize(
    ("passed", "trials", "low", "high"),
    # Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I,
    # method 5.
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_intervals_are_those_of_newcombe(passed: int, trials: int, low: float, high: float) -> None:
    found = proportion(Tally(passed=passed, failed=trials - passed))
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.integers(1, 500), st.floats(0.5, 0.999))
def test_all_failed_is_all_passed_from_the_other_side(passed: int, more: int, level: float) -> None:
    trials = passed + more
    assert at_least(passed, trials, level) == pytest.approx(1 - at_most(more, trials, level), abs=1e-12)


@pytest.mark.parametrize("trials", [1, 20, 59, 300])
def test_bounds_without_a_failure_have_a_closed_form(trials: int) -> None:
    assert at_least(trials, trials) == pytest.approx(0.05 ** (1 / trials))
    assert at_most(0, trials) == pytest.approx(1 - 0.05 ** (1 / trials))


def covered(truth: float, trials: int, low: list[float], high: list[float]) -> float:
    """The exact chance that the bounds enclose the truth."""
    return math.fsum(
        math.comb(trials, k) * truth**k * (1 - truth) ** (trials - k)
        for k in range(trials + 1)
        if low[k] <= truth <= high[k]
    )


@settings(max_examples=8, deadline=None)
@given(st.floats(0, 1), st.integers(1, 25), st.sampled_from([0.8, 0.95, 0.99]))
def test_bounds_cover_at_least_their_level(truth: float, trials: int, level: float) -> None:
    found = [proportion(Tally(passed=k, failed=trials - k), level) for k in range(trials + 1)]
    low, high = [one.low for one in found], [one.high for one in found]
    nothing, everything = [0.0] * (trials + 1), [1.0] * (trials + 1)
    assert covered(truth, trials, low, high) >= level - 1e-9
    assert covered(truth, trials, [one.at_least for one in found], everything) >= level - 1e-9
    assert covered(truth, trials, nothing, [one.at_most for one in found]) >= level - 1e-9


def test_a_shortcut_would_not_cover() -> None:
    """The check above is not blind: the textbook interval of the normal curve fails it."""
    trials, low, high = 20, [], []
    for k in range(trials + 1):
        half = 1.96 * math.sqrt(k / trials * (1 - k / trials) / trials)
        low.append(k / trials - half)
        high.append(k / trials + half)
    assert covered(0.95, trials, low, high) < 0.7


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 200), st.integers(0, 200))
def test_more_passes_are_better_and_more_failures_worse(passed: int, failed: int) -> None:
    here = proportion(Tally(passed=passed, failed=failed))
    better = proportion(Tally(passed=passed + 1, failed=failed))
    worse = proportion(Tally(passed=passed, failed=failed + 1))
    assert worse.at_least <= here.at_least <= better.at_least
    assert worse.high <= here.high <= better.high
    assert here.rate is None or here.low <= here.at_least <= here.rate <= here.at_most <= here.high


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_what_is_not_known_encloses_both_ends(passed: int, failed: int, unknown: int) -> None:
    found = proportion(Tally(passed=passed, failed=failed, unknown=unknown))
    assert found.low == proportion(Tally(passed=passed, failed=failed + unknown)).low
    assert found.high == proportion(Tally(passed=passed + unknown, failed=failed)).high


def test_ten_thousand_cycles_are_no_trouble() -> None:
    assert proportion(Tally(passed=999_990, failed=10)).at_least == pytest.approx(0.999983, abs=1e-6)


@pytest.mark.parametrize(
    ("passed", "trials", "level", "message"),
    [(3, 2, 0.9, "3 of 2 is no rate"), (-1, 2, 0.9, "-1 of 2"), (1, 2, 1, "between 0 and 1, not at 1")],
)
def test_what_is_no_rate_is_refused(passed: int, trials: int, level: float, message: str) -> None:
    for bound in (at_least, at_most):
        with pytest.raises(ValueError, match=message):
            bound(passed, trials, level)


def test_a_tally_has_no_negative_counts() -> None:
    with pytest.raises(ValidationError):
        Tally(passed=-1)


# ---- the sentence


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (Tally(passed=20), "20 of 20 shows at least 86 %, not 95 %; 39 more in a row would"),
        (Tally(passed=58), "58 of 58 shows at least 94 %, not 95 %; 1 more in a row would"),
        (Tally(passed=59), "59 of 59 shows at least 95 %"),
        (Tally(passed=10, failed=10), "10 of 20 shows at most 70 %, less than 95 %"),
        (Tally(failed=20), "0 of 20 shows at most 14 %, less than 95 %"),
        (Tally(passed=9999, failed=1), "9999 of 10000 shows at least 99.95 %"),
        (
            Tally(passed=18, unknown=2),
            "18 of 20 (2 not known) shows at least 71 %, not 95 %; 104 more in a row would",
        ),
        (Tally(), "0 of 0 shows nothing, not 95 %"),
    ],
)
def test_the_sentence(counts: Tally, sentence: str) -> None:
    assert rate_sentence(proportion(counts)) == sentence


def test_nothing_shows_that_it_always_works() -> None:
    assert rate_sentence(proportion(Tally(passed=20)), 1) == "20 of 20 shows at least 86 %, not 100 %"


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 5), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_trials_needed_are_the_fewest(failures: int, asked: float) -> None:
    needed = trials_needed(asked, failures)
    assert at_least(needed - failures, needed) >= asked
    assert needed == failures + 1 or at_least(needed - 1 - failures, needed - 1) < asked


@pytest.mark.parametrize(("asked", "message"), [(1, "not 1"), (0, "not 0"), (1 - 1e-12, "more than 10")])
def test_some_rates_cannot_be_shown(asked: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trials_needed(asked)


# ---- flakes


def test_flakes_are_sorted_and_told() -> None:
    found = flakes(
        {
            "never": Tally(unknown=1),
            "deploy": Tally(passed=40),
            "stop": tally([True] * 38 + [False] * 2 + [None]),
            "start": Tally(failed=3),
        }
    )
    assert [one.steadiness for one in found] == [
        Steadiness.BROKEN,
        Steadiness.FLAKY,
        Steadiness.STEADY,
        Steadiness.UNKNOWN,
    ]
    assert [flake_line(one) for one in found] == [
        "start: broken, 3 of 3 failed, at least 36 %",
        "stop: flaky, 2 of 40 failed, between 0.6 % and 17 %, 1 not known",
        "deploy: steady, 0 of 40 failed, at most 8 %",
        "never: unknown, 1 not known",
    ]


def test_a_step_that_was_never_run_is_unknown() -> None:
    assert flake_line(flakes({"stop": Tally()})[0]) == "stop: unknown, never run"


# ---- two rates


def test_fisher_and_the_lady_who_tasted_tea() -> None:
    """Fisher, The Design of Experiments (1935): three of four cups right; both tails together 34 of 70."""
    assert fisher(3, 4, 1, 4) == pytest.approx(34 / 70)
    assert fisher(4, 4, 0, 4) == pytest.approx(2 / 70)
    with pytest.raises(ValueError, match="5 of 4 and 0 of 4 are no rates"):
        fisher(5, 4, 0, 4)


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_fisher_does_not_care_about_sides(a: int, b: int, c: int, d: int) -> None:
    p = fisher(a, a + b, c, c + d)
    assert 0 < p <= 1
    assert fisher(c, c + d, a, a + b) == pytest.approx(p)
    assert fisher(b, a + b, d, c + d) == pytest.approx(p)


def test_rates_that_fell() -> None:
    found = rate_shift(Tally(passed=100), Tally(passed=60, failed=40), 0.01)
    assert found.change == pytest.approx(-0.4)
    assert found.p < 1e-9
    assert found.low is not None and found.high is not None
    assert -0.62 < found.low < -0.4 < found.high < -0.15


def test_what_is_not_known_decides_nothing() -> None:
    """If all 40 passed nothing changed; if all failed much did."""
    found = rate_shift(Tally(passed=100), Tally(passed=60, unknown=40), 0.01)
    assert found.p == 1
    assert found.high is not None and found.high >= 0
    half = rate_shift(Tally(passed=100), Tally(passed=60, failed=30, unknown=10), 0.01)
    assert half.change == pytest.approx(-0.3)
    assert half.p == fisher(100, 100, 70, 100)


def test_no_trials_have_no_shift() -> None:
    with pytest.raises(ValueError, match="between 0 and 3 trials"):
        rate_shift(Tally(), Tally(passed=3), 0.01)


def test_a_step_that_passed_once_is_not_said_to_fail_always() -> None:
    (found,) = flakes({"load": tally([True] + [False] * 4)})
    assert flake_line(found) == "load: flaky, 4 of 5 failed, between 28 % and 99.5 %"


def test_of_one_trial_no_interval_is_told() -> None:
    found = flakes({"a": Tally(passed=1), "b": Tally(failed=1)})
    assert sorted(map(flake_line, found)) == ["a: steady, 0 of 1 failed", "b: broken, 1 of 1 failed"]
