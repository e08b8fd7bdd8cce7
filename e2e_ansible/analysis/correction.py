"""Many questions to the same data: the chances are corrected so that asking more does not alarm more."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["holm"]


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Each chance as it is after Holm's correction (1979), in the order given.

    If all of a family are compared with `alpha`, the chance of even one false alarm in it is at most `alpha`, however
    the metrics depend on each other.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    adjusted = [1.0] * len(ps)
    largest = 0.0
    for done, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        largest = max(largest, min(1.0, ps[place] * (len(ps) - done)))
        adjusted[place] = largest
    return tuple(adjusted)
