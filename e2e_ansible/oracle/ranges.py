"""Set arithmetic on row numbers kept as inclusive ranges: millions of rows cost a few pairs of numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Ranges", "contains", "count", "describe", "difference", "merge", "to_ranges"]

Ranges = Sequence[tuple[int, int]]
_Merged = tuple[tuple[int, int], ...]


def to_ranges(ids: Iterable[int]) -> _Merged:
    """Row numbers, in any order and with repeats, as sorted inclusive ranges that do not touch.

    >>> to_ranges([5, 1, 2, 2, 3])
    ((1, 3), (5, 5))
    """
    return tuple(_runs(sorted(ids)))


def _runs(ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    if not ids:
        return
    first = last = ids[0]
    for number in ids:
        if number > last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


def merge(*parts: Ranges) -> _Merged:
    """The union of several sets, whose ranges may be unsorted, overlap or touch.

    Raises:
        ValueError: a range ends before it begins.
    """
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pair for part in parts for pair in part):
        if low > high:
            raise ValueError(f"the range {low}-{high} ends before it begins")
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def difference(wanted: Ranges, present: Ranges) -> _Merged:
    """What is in `wanted` and not in `present`. Empty means that nothing is missing.

    >>> difference([(1, 10)], [(1, 4), (6, 10)])
    ((5, 5),)
    """
    holes: list[tuple[int, int]] = []
    have = merge(present)
    index = 0
    for low, high in merge(wanted):
        while index < len(have) and have[index][1] < low:
            index += 1
        start, probe = low, index
        while probe < len(have) and have[probe][0] <= high:
            if have[probe][0] > start:
                holes.append((start, have[probe][0] - 1))
            start = have[probe][1] + 1
            probe += 1
        index = max(index, probe - 1)
        if start <= high:
            holes.append((start, high))
    return tuple(holes)


def contains(ranges: Ranges, number: int) -> bool:
    """Whether one row number is in the set; `ranges` must be sorted and apart, as `merge` returns them."""
    at = bisect_right(ranges, number, key=lambda pair: pair[0])
    return at > 0 and ranges[at - 1][1] >= number


def count(ranges: Ranges) -> int:
    """How many row numbers the set has."""
    return sum(high - low + 1 for low, high in merge(ranges))


def describe(ranges: Ranges, limit: int = 5) -> str:
    """The first `limit` ranges for people, such as `17, 40-41 and 3 more ranges`; `none` when empty."""
    merged = merge(ranges)
    shown = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in merged[:limit])
    more = len(merged) - limit
    if more > 0:
        return f"{shown} and {more} more range{'s' if more > 1 else ''}"
    return shown or "none"
