"""Values: percentiles with ranges, ranks, the band, and what a shift means."""

from __future__ import annotations

import math
from itertools import combinations
from random import Random
from statistics import median, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ansible.analysis.band import FEWEST, band, band_shift, noise
from e2e_ansible.analysis.correction import holm
from e2e_ansible.analysis.lines import percentile_line
from e2e_ansible.analysis.percentiles import SHARES, percentiles
from e2e_ansible.analysis.rank import inflation, rank_shift
from e2e_ansible.analysis.shift import Shift, allow

NUMBERS = st.integers(-1000, 1000)
FEW = st.lists(NUMBERS, min_size=1, max_size=12)
# Both: Hollander and Wolfe, Nonparametric Statistical Methods (1973), p. 69: permeability of a membrane.
AT_TERM = (0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)
EARLY = (1.15, 0.88, 0.90, 0.74, 1.21)

# ---- percentiles


def test_percentiles_lie_on_a_straight_line_between_neighbours() -> None:
    found = percentiles([4, 1, 3, 2])
    assert [one.name for one in found.all] == ["P50", "P90", "P95", "P99"]
    assert [one.value for one in found.all] == pytest.approx([2.5, 3.7, 3.85, 3.97])
    assert (found.least, found.most, found.mean, found.count) == (1, 4, 2.5, 4)
    assert found.at(0.5) == found.all[0]
    assert found.at(0.7) is None


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # David and Nagaraja, Order Statistics (2003), section 7.1: the median lies between these, with 95 % or more.
    [(5, None, None), (6, 1, 6), (10, 2, 9), (15, 4, 12), (20, 6, 15), (25, 8, 18)],
)
def test_the_range_of_a_median_is_that_of_the_sign_test(
    count: int, low: int | None, high: int | None
) -> None:
    found = percentiles(range(1, count + 1), (0.5,)).all[0]
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(("share", "fewest"), [(0.9, 36), (0.95, 72), (0.99, 368)])
def test_a_high_percentile_has_an_upper_bound_only_with_many_values(share: float, fewest: int) -> None:
    assert percentiles(range(fewest - 1), (share,)).all[0].high is None
    assert percentiles(range(fewest), (share,)).all[0].high == fewest - 1


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=200))
def test_percentiles_are_in_order_and_in_their_ranges(values: list[int]) -> None:
    found = percentiles(values)
    numbers = [one.value for one in found.all]
    assert numbers == sorted(numbers)
    assert min(values) <= numbers[0] and numbers[-1] <= max(values)
    for one in found.all:
        assert one.low is None or one.low <= one.value
        assert one.high is None or one.value <= one.high


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=60), st.integers(-8, 8))
def test_percentiles_have_the_unit_of_the_values(values: list[int], power: int) -> None:
    factor = 2.0**power
    scaled = percentiles([factor * one for one in values])
    assert [one.value for one in scaled.all] == [factor * one.value for one in percentiles(values).all]


def test_no_values_have_no_percentiles() -> None:
    assert percentiles([]).all == ()
    assert percentile_line("stop", percentiles([])) == "stop  no values"
    with pytest.raises(ValueError, match=r"no percentile 1\.5"):
        percentiles([1], [1.5])
    assert percentiles([1, 2], [0, 1]).all[1].high is None


def test_percentiles_in_a_line() -> None:
    line = percentile_line("stop", percentiles([*range(20)], (0.5, 0.99)))
    assert line == "stop  P50 9.5s (5 to 14)  P99 18.8s (18 to ?)  of 20"


# ---- ranks


def test_a_shift_is_that_of_hollander_and_wolfe() -> None:
    """One-sided p 0.1272; shift 0.305, and its interval, as also R's wilcox.test prints them."""
    found = rank_shift(EARLY, AT_TERM, 0.05)
    assert inflation(EARLY, AT_TERM) == 1
    assert found.p == pytest.approx(2 * 0.1272, abs=2e-4)
    assert found.change == pytest.approx(0.305)
    assert (found.low, found.high) == (pytest.approx(-0.15), pytest.approx(0.76))


@pytest.mark.parametrize(
    ("size", "critical"),
    # Mann and Whitney's U, two sides, 5 %: Auble (1953), as in Siegel (1956), table K.
    [(4, 0), (5, 2), (8, 13), (10, 23), (15, 64), (20, 127)],
)
def test_critical_values_are_those_of_the_tables(size: int, critical: int) -> None:
    def p(u: int) -> float:
        """Of two samples in a row of which u pairs were exchanged, each sample in an order without lean."""
        before, after = list(range(size)), list(range(size, 2 * size))
        for _ in range(u):
            place = next(one for one in before if one + 1 in after)
            before[before.index(place)], after[after.index(place + 1)] = place + 1, place
        return rank_shift(zigzag(before), zigzag(after), 0.05).p

    assert p(critical) <= 0.05 < p(critical + 1)


def zigzag(values: list[int]) -> list[int]:
    """Low and high in turn: neighbours lean away from each other, so nothing is taken off."""
    ordered = sorted(values)
    return [ordered[place // 2] if place % 2 else ordered[-1 - place // 2] for place in range(len(ordered))]


@pytest.mark.parametrize(("few", "many"), [(1, 1), (2, 3), (3, 3), (3, 5)])
def test_chances_are_those_of_all_orders(few: int, many: int) -> None:
    """Every way to deal the ranks, one by one: p of at most alpha comes with at most that chance."""
    places = set(range(few + many))
    ps = [
        rank_shift(list(one), sorted(places - set(one)), 0.05).p for one in combinations(sorted(places), few)
    ]
    for alpha in sorted(set(ps)):
        assert sum(p <= alpha for p in ps) / len(ps) <= alpha + 1e-12


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=40, unique=True), st.integers(1, 39), st.floats(0.001, 0.4))
def test_the_interval_excludes_0_just_when_p_is_small(values: list[int], cut: int, alpha: float) -> None:
    before, after = values[: cut % (len(values) - 1) + 1], values[cut % (len(values) - 1) + 1 :]
    found = rank_shift(before, after, alpha)
    outside = found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)
    if abs(found.p - alpha) > 1e-9:
        assert outside == (found.p <= alpha)


@settings(max_examples=50, deadline=None)
@given(FEW, FEW, st.integers(-8, 8), NUMBERS)
def test_a_shift_has_the_unit_of_the_values(
    before: list[int], after: list[int], power: int, more: int
) -> None:
    factor = 2.0**power
    plain = rank_shift(before, after, 0.05)
    scaled = rank_shift([factor * one for one in before], [factor * (one + more) for one in after], 0.05)
    moved = rank_shift(before, [one + more for one in after], 0.05)
    assert scaled.p == moved.p
    assert scaled.change == factor * moved.change
    assert moved.change == plain.change + more


@settings(max_examples=50, deadline=None)
@given(FEW, FEW)
def test_the_other_way_round_is_the_other_sign(before: list[int], after: list[int]) -> None:
    there, back = rank_shift(before, after, 0.05), rank_shift(after, before, 0.05)
    assert there.p == pytest.approx(back.p)
    assert there.change == -back.change
    assert (there.low is None) == (back.high is None)
    assert there.low is None or (back.high is not None and there.low == -back.high)
    assert there.least <= there.p + 1e-12


def test_equal_values_show_nothing() -> None:
    found = rank_shift([3] * 30, [3] * 30, 0.01)
    assert (found.change, found.p, found.least) == (0, 1, 1)
    with pytest.raises(ValueError, match="between 0 and 1 values"):
        rank_shift([], [1], 0.05)


def test_leaning_cycles_are_worth_fewer() -> None:
    random = Random(1)
    free = [random.gauss(0, 1) for _ in range(200)]
    leaning = [0.0]
    for one in free:
        leaning.append(0.8 * leaning[-1] + one)
    assert inflation(free, free) < 1.4
    assert 5 < inflation(leaning, leaning) < 15
    shuffled = random.sample(leaning, len(leaning))
    moved = [one + 0.5 for one in shuffled]
    assert rank_shift(leaning, [one + 0.5 for one in leaning], 0.01).p > rank_shift(shuffled, moved, 0.01).p


def test_long_samples_give_what_their_differences_give() -> None:
    random = Random(2)
    before = [random.gauss(10, 1) for _ in range(400)]
    after = [random.gauss(10.5, 1) for _ in range(300)]
    found = rank_shift(before, after, 0.01)
    assert found.change == pytest.approx(median(b - a for a in before for b in after), abs=1e-4)
    assert found.low is not None and found.high is not None
    assert 0.2 < found.low < found.change < found.high < 0.9


# ---- an allowance


def test_an_allowance_widens_and_never_sharpens() -> None:
    plain = Shift(1, 0.5, 1.5, 0.001, 0.0001)
    wide = allow(plain, 0.4, 0.01)
    assert wide.p > plain.p
    assert wide.low is not None and wide.high is not None
    assert wide.low < 0 < 2 < wide.high
    assert allow(plain, 0, 0.01) == Shift(1, 0.5, 1.5, pytest.approx(0.001), 0.0001)
    still = allow(Shift(0, 0, 0, 1, 0.1), 0.4, 0.01)
    assert (still.p, still.low, still.high) == (
        1,
        pytest.approx(-1.03, abs=0.01),
        pytest.approx(1.03, abs=0.01),
    )
    assert allow(Shift(1, None, None, 0.3, 0.3), 0.4, 0.01).low is None


# ---- the band


def test_the_noise_is_that_of_most_values() -> None:
    """For many normal values it is their standard deviation; a quarter of nonsense does not move it far."""
    random = Random(3)
    values = [random.gauss(10, 2) for _ in range(500)]
    assert noise(values) == pytest.approx(2, rel=0.1)
    nonsense = [*values[:300], *([1e6] * 90)]
    assert noise(nonsense) < 4 < stdev(nonsense)


def test_half_equal_values_have_some_noise_and_all_equal_ones_none() -> None:
    assert noise([1] * 6 + [2, 3]) == pytest.approx(1.2533 * 3 / 8)
    assert noise([1] * 8) == 0


def test_one_bad_run_in_the_baseline_hides_nothing() -> None:
    runs = [10.0, 10.1, 9.9, 10.05, 9.95, 10.02, 9.98, 10.1, 9.9, 10.0, 60.0]
    found = band_shift(runs, 12, 0.01)
    assert found is not None and found.low is not None
    assert found.p < 0.01
    assert found.low > 0


def test_the_baseline_rolls() -> None:
    """After a step that stays, ten runs of a window of twenty are flagged; then the new level is the baseline."""
    random = Random(4)
    runs = [random.gauss(10, 0.1) for _ in range(20)] + [random.gauss(13, 0.1) for _ in range(30)]
    flagged = [
        place
        for place in range(20, 50)
        if (found := band_shift(runs[:place], runs[place], 0.01)) and found.p < 0.01
    ]
    assert flagged[:8] == list(range(20, 28))
    assert not [place for place in flagged if place > 31]


def test_few_runs_have_no_band() -> None:
    assert band([1.0] * (FEWEST - 1), 0.01) is None
    assert band_shift([1.0] * (FEWEST - 1), 2, 0.01) is None


def test_equal_runs_tell_only_that_one_is_odd() -> None:
    odd, same = band_shift([1.0] * 9, 2, 0.01), band_shift([1.0] * 9, 1, 0.01)
    assert odd is not None and same is not None
    assert (odd.p, odd.least, same.p) == (0.1, 0.1, 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, min_size=FEWEST, max_size=30), NUMBERS, st.integers(-8, 8), st.floats(0.001, 0.3))
def test_the_band_has_the_unit_of_the_values(values: list[int], new: int, power: int, alpha: float) -> None:
    factor = 2.0**power
    plain, scaled = (
        band_shift(values, new, alpha),
        band_shift([factor * one for one in values], factor * new, alpha),
    )
    assert plain is not None and scaled is not None
    assert scaled.p == pytest.approx(plain.p)
    assert scaled.change == factor * plain.change


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, min_size=FEWEST, max_size=30), st.floats(0.001, 0.3))
def test_at_the_edges_of_the_band_the_chance_is_alpha(values: list[int], alpha: float) -> None:
    around = band(values, alpha)
    assert around is not None
    if around.noise:
        for edge in (around.low, around.high):
            found = band_shift(values, edge, alpha)
            assert found is not None and found.p == pytest.approx(alpha, rel=1e-6)


@pytest.mark.parametrize("count", [8, 20])
def test_the_next_normal_run_leaves_the_band_as_often_as_was_said(count: int) -> None:
    random, outside = Random(count), 0
    for _ in range(2000):
        *runs, new = (random.gauss(10, 1) for _ in range(count + 1))
        around = band(runs, 0.05)
        assert around is not None
        outside += not around.low <= new <= around.high
    assert 0.03 < outside / 2000 < 0.065


# ---- many metrics


def test_holm_by_hand() -> None:
    """Holm, A Simple Sequentially Rejective Multiple Test Procedure (1979): smallest times m, next times m - 1, ..."""
    assert holm([0.01, 0.02, 0.03, 0.5]) == pytest.approx((0.04, 0.06, 0.06, 0.5))
    assert holm([]) == ()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12), st.randoms())
def test_holm_only_raises_and_knows_no_order(ps: list[float], random: Random) -> None:
    adjusted = holm(ps)
    assert all(p <= corrected <= 1 for p, corrected in zip(ps, adjusted, strict=True))
    order = random.sample(range(len(ps)), len(ps))
    assert sorted(holm([ps[one] for one in order])) == sorted(adjusted)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(SHARES), st.integers(20, 80))
def test_ranges_of_percentiles_cover_at_least_their_level(share: float, count: int) -> None:
    """Exactly: the number of values below the true percentile is binomial."""
    found = percentiles(range(count), (share,)).all[0]
    low = -1 if found.low is None else int(found.low)
    high = count if found.high is None else int(found.high)
    inside = math.fsum(
        math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(low + 1, high + 1)
    )
    assert inside >= 0.95 - 1e-9
