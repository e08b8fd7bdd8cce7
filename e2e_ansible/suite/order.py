"""Which steps of a list wait for which: by `needs` for those that it names, without it for all before. Pure.

An item stands for its place in the list, counted from 0. What it needs stands before it, so there is no circle.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["behind", "direct"]

Needs = Sequence[str] | None


def direct(names: Sequence[str], needs: Sequence[Needs]) -> tuple[frozenset[int], ...]:
    """The places that each item waits for itself. `names` has '' where an item has no name.

    A name that stands nowhere before is left out: whoever reads the names complains.
    """
    places: dict[str, int] = {}
    found = []
    for place, (name, its) in enumerate(zip(names, needs, strict=True)):
        every = range(place) if its is None else (places[each] for each in its if each in places)
        found.append(frozenset(every))
        if name:
            places[name] = place
    return tuple(found)


def behind(waits: Sequence[frozenset[int]]) -> tuple[frozenset[int], ...]:
    """All places that have certainly begun, and but for the background passed, when each item begins."""
    found: list[frozenset[int]] = []
    for its in waits:
        found.append(its.union(*(found[place] for place in its)))
    return tuple(found)
