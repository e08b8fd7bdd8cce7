"""What a client measures about itself: the steps of its clock, what noting costs, how late it was."""

from __future__ import annotations

import random
import time
from itertools import pairwise
from pathlib import Path

__all__ = ["Sample", "boot", "resolution"]

_SIZE = 10_000


class Sample:
    """A fair choice of at most ten thousand of the numbers that it was given, and the highest of all."""

    def __init__(self) -> None:
        self._kept: list[int] = []
        self._random = random.Random(0)
        self._seen = 0
        self.highest = 0

    def add(self, number: int) -> None:
        """One more."""
        self._seen += 1
        self.highest = max(self.highest, number)
        if len(self._kept) < _SIZE:
            self._kept.append(number)
            return
        place = self._random.randrange(self._seen)
        if place < _SIZE:
            self._kept[place] = number

    def share(self, part: float) -> int:
        """The number that this part of them does not exceed; 0.5 is the median. 0 without any."""
        if not self._kept:
            return 0
        return sorted(self._kept)[min(int(part * len(self._kept)), len(self._kept) - 1)]


def resolution(times: int = 1000) -> int:
    """The smallest step of the monotonic clock that this process can see, in nanoseconds."""
    seen = [time.monotonic_ns() for _ in range(times)]
    return min((two - one for one, two in pairwise(seen) if two > one), default=0)


def boot() -> str:
    """The id of this boot of the machine; '' where the kernel does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
