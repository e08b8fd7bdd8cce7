"""Pieces of a load over time, put together where they are too many or too short to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LoadPoint", "merged", "without_stubs"]


@dataclass(frozen=True)
class LoadPoint:
    """A piece of a load in epoch seconds; latencies in milliseconds, None where nothing tells them."""

    at: float
    seconds: float
    count: int
    failed: int | None
    usual: float | None
    slow: float | None

    @property
    def rate(self) -> float:
        """Transactions that succeeded, per second."""
        return self.count / self.seconds


def merged(points: Sequence[LoadPoint], most: int) -> list[LoadPoint]:
    """At most so many, neighbours put together: usual latencies by their weight, of slow ones the worst."""
    size = -(-len(points) // most)
    return [_together(points[place : place + size]) for place in range(0, len(points), max(1, size))]


def without_stubs(points: list[LoadPoint]) -> list[LoadPoint]:
    """The first and the last piece are what is left of an interval: too short to have a rate of their own."""
    if len(points) > 2 and _is_stub(points[0], points[1]):
        points = [_together(points[:2]), *points[2:]]
    if len(points) > 2 and _is_stub(points[-1], points[-2]):
        points = [*points[:-2], _together(points[-2:])]
    return points


def _is_stub(point: LoadPoint, neighbour: LoadPoint) -> bool:
    """Whether it is drawn as a part of its neighbour; where nothing succeeded stays as it is."""
    return point.seconds < neighbour.seconds / 2 and bool(point.count) and bool(neighbour.count)


def _together(some: Sequence[LoadPoint]) -> LoadPoint:
    if len(some) == 1:
        return some[0]
    known = [(one.usual, max(1, one.count)) for one in some if one.usual is not None]
    failed = [one.failed for one in some if one.failed is not None]
    slow = [one.slow for one in some if one.slow is not None]
    return LoadPoint(
        at=some[0].at,
        seconds=sum(one.seconds for one in some),
        count=sum(one.count for one in some),
        failed=sum(failed) if failed else None,
        usual=sum(value * weight for value, weight in known) / sum(weight for _, weight in known)
        if known
        else None,
        slow=max(slow, default=None),
    )
