"""The axis of a soak: its cycles, one after the other. Many of them share a bin, so that a page never grows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from e2e_ansible.report.axis import Place, Tick

__all__ = ["Bin", "CycleAxis"]

_MOST_BINS = 240
_MOST_TICKS = 8
_NARROWEST = 0.25


@dataclass(frozen=True)
class Bin:
    """Some cycles that follow one another: `first` to `last`, at a place in per cent."""

    first: int
    last: int
    place: Place

    @property
    def words(self) -> str:
        """`cycle 7`, `cycles 1 to 42`."""
        return f"cycle {self.first}" if self.first == self.last else f"cycles {self.first} to {self.last}"


@dataclass(frozen=True)
class CycleAxis:
    """From cycle 1 to the last; there is at least one."""

    last: int

    @property
    def size(self) -> int:
        """How many cycles share a bin."""
        return math.ceil(self.last / _MOST_BINS)

    @property
    def bins(self) -> Iterator[Bin]:
        """All bins in order."""
        for first in range(1, self.last + 1, self.size):
            last = min(first + self.size - 1, self.last)
            yield Bin(first, last, self.place(first, last, narrowest=0))

    def bin_of(self, cycle: int) -> int:
        """The number of the bin, from 0, of a cycle."""
        return (min(max(cycle, 1), self.last) - 1) // self.size

    def place(self, first: int, last: int | None, *, narrowest: float = _NARROWEST) -> Place:
        """Where some cycles lie; what has no end lasts until that of the axis."""
        begin = min(max(first, 1), self.last)
        end = self.last if last is None else min(max(last, begin), self.last)
        left = 100 * (begin - 1) / self.last
        width = max(100 * (end - begin + 1) / self.last, narrowest)
        return Place(round(min(left, 100 - width), 2), round(width, 2))

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """At most a few marks at round numbers, and one at the first cycle."""
        every = next(step for step in _steps() if self.last / step <= _MOST_TICKS)
        numbers = [1, *range(every, self.last + 1, every)]
        return tuple(Tick(round(100 * (one - 1) / self.last, 2), f"{one}") for one in dict.fromkeys(numbers))


def _steps() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10
