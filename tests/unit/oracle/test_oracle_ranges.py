"""Range arithmetic says the same as sets of numbers do, and stays fast for millions."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ansible.oracle.ranges import contains, count, describe, difference, merge, to_ranges

ids = st.sets(st.integers(-5, 60))
pairs = st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair))))


def numbers(ranges: tuple[tuple[int, int], ...] | list[tuple[int, int]]) -> set[int]:
    return {number for low, high in ranges for number in range(low, high + 1)}


def apart(ranges: tuple[tuple[int, int], ...]) -> bool:
    whole = all(low <= high for low, high in ranges)
    return whole and all(one[1] + 1 < two[0] for one, two in pairwise(ranges))


@given(st.lists(st.integers(-5, 60)))
def test_to_ranges_keeps_the_set(some: list[int]) -> None:
    ranges = to_ranges(some)
    assert numbers(ranges) == set(some)
    assert apart(ranges)


@given(pairs, pairs)
def test_merge_is_the_union(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    merged = merge(one, two)
    assert numbers(merged) == numbers(one) | numbers(two)
    assert apart(merged)


@given(pairs, pairs)
def test_difference_is_the_difference(wanted: list[tuple[int, int]], present: list[tuple[int, int]]) -> None:
    holes = difference(wanted, present)
    assert numbers(holes) == numbers(wanted) - numbers(present)
    assert apart(holes)


@given(ids, st.integers(-6, 61))
def test_contains_is_membership(some: set[int], number: int) -> None:
    assert contains(to_ranges(some), number) == (number in some)


@given(pairs)
def test_count_counts_each_number_once(some: list[tuple[int, int]]) -> None:
    assert count(some) == len(numbers(some))


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="5-4"):
        merge([(5, 4)])


@pytest.mark.parametrize(
    ("ranges", "text"),
    [
        ([], "none"),
        ([(17, 17)], "17"),
        ([(40, 41), (1, 1)], "1, 40-41"),
        ([(i, i) for i in range(0, 10, 2)], "0, 2, 4, 6, 8"),
        ([(i, i) for i in range(0, 12, 2)], "0, 2, 4, 6, 8 and 1 more range"),
        ([(i, i) for i in range(0, 14, 2)], "0, 2, 4, 6, 8 and 2 more ranges"),
    ],
)
def test_describe(ranges: list[tuple[int, int]], text: str) -> None:
    assert describe(ranges) == text


def test_millions_of_rows_with_many_holes_take_seconds_at_most() -> None:
    began = time.perf_counter()
    rows = to_ranges(number for number in range(3_000_000) if number % 10)
    holes = difference([(0, 2_999_999)], rows)
    assert count(holes) == 300_000
    assert contains(rows, 2_999_999)
    assert time.perf_counter() - began < 20
