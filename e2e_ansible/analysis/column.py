"""One metric of a soak: a value per cycle that has one, and whether it belongs to a pass. 17 bytes a value."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Column"]


@dataclass
class Column:
    """Values in the order of their cycles; `passed` is 1 where what was measured passed."""

    cycles: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    passed: array[int] = field(default_factory=lambda: array("b"))

    def add(self, cycle: int, value: float, passed: bool) -> None:
        """One more value, of a later cycle than all before it.

        Raises:
            ValueError: it is no number of seconds.
        """
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{value} is no number of seconds")
        self.cycles.append(cycle)
        self.values.append(value)
        self.passed.append(passed)

    def __len__(self) -> int:
        return len(self.cycles)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        """Each cycle with its value."""
        return zip(self.cycles, self.values, strict=True)

    @property
    def good(self) -> tuple[float, ...]:
        """The values of what passed: a phase that was cut off says nothing about how long it takes."""
        return tuple(value for value, passed in zip(self.values, self.passed, strict=True) if passed)

    @property
    def worst(self) -> tuple[int, float] | None:
        """The cycle with the largest value, the first of equal ones."""
        return max(self, key=lambda one: (one[1], -one[0]), default=None)
