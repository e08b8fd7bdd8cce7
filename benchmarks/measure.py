"""Cases taken in turn (A B C A B C ...), so that a change of the machine's speed hits all alike; ratios of medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Times", "in_turn", "table"]

Case = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """Milliseconds of one case, in the order they were taken."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        return f"{self.median:.0f} ({min(self.values):.0f}-{max(self.values):.0f})"

    def times_faster_than(self, other: Times) -> str:
        """How much longer `other` takes: the ratio of the medians, and its spread over pairs of rounds."""
        pairs = [theirs / ours for theirs, ours in zip(other.values, self.values, strict=True)]
        return f"{other.median / self.median:.1f}x ({min(pairs):.1f}-{max(pairs):.1f})"


def in_turn(cases: Mapping[str, Case], rounds: int, *, unmeasured: int = 1) -> dict[str, Times]:
    """Every case `rounds` times, one after the other, after a round or more that do not count."""
    values: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(-unmeasured, rounds):
        for name, case in cases.items():
            begin = time.perf_counter()
            case()
            if number >= 0:
                values[name].append((time.perf_counter() - begin) * 1000)
    return {name: Times(tuple(taken)) for name, taken in values.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
