"""Which parts of a failing schedule are needed: delta debugging, until nothing more can be left out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from e2e_ansible.soak.options import PlannedInjection

__all__ = ["Slots", "minimize", "most_tries", "reduce"]

#: One entry a cycle, None for a cycle into which nothing is injected.
Slots = tuple[PlannedInjection | None, ...]
T = TypeVar("T")


def reduce(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> tuple[T, ...]:
    """The items without which it still fails left out: none of what is left can be left out alone.

    Chunks are left out, half as large each time; the last ones are single items, again and again until all stay.
    """
    kept = tuple(items)
    size = (len(kept) + 1) // 2
    while kept and size:
        before = len(kept)
        place = 0
        while place < len(kept):
            rest = (*kept[:place], *kept[place + size :])
            if fails(rest):
                kept = rest
            else:
                place += size
        if size == 1 and len(kept) == before:
            break
        size = max(1, min(size // 2, len(kept)))
    return kept


def minimize(slots: Slots, fails: Callable[[Slots], bool]) -> Slots:
    """The shortest soak that was found to fail: no cycle can be left out, and no failure be taken from its cycle.

    Whole cycles are left out first, as that makes every further try shorter; then failures, whose cycles stay.
    """
    while True:
        shorter = reduce(slots, lambda some: bool(some) and fails(tuple(some)))
        filled = [index for index, slot in enumerate(shorter) if slot]
        kept = reduce(filled, lambda some, of=shorter: fails(_only(of, some)))  # type: ignore[misc]
        found = _only(shorter, kept)
        if found == slots:
            return found
        slots = found


def _only(slots: Slots, kept: Sequence[int]) -> Slots:
    """The same cycles, with failures only in these."""
    return tuple(slot if index in kept else None for index, slot in enumerate(slots))


def most_tries(cycles: int) -> int:
    """Tries that are enough for two failures which fail together, in a soak of so many cycles.

    At each of log2(cycles) sizes at most two chunks are needed, so at most five are tried at the next one.
    """
    return 5 * max(1, cycles.bit_length()) + 8
