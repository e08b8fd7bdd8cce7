"""The time axis that all that is drawn of a test has in common. Places on it are in per cent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.report.words import duration

__all__ = ["Axis", "Place", "Tick", "axis_of", "end_of"]

_TICK_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_MOST_TICKS = 6
_NARROWEST = 0.25
_SHORTEST = 0.001


@dataclass(frozen=True)
class Place:
    """Where something lies, from `left` on for `width`, both in per cent of the axis."""

    left: float
    width: float

    @property
    def right(self) -> float:
        """Where it ends."""
        return round(self.left + self.width, 2)


@dataclass(frozen=True)
class Tick:
    """A mark on the axis, in per cent of it."""

    left: float
    words: str


@dataclass(frozen=True)
class Axis:
    """From `begin` (epoch seconds) on for `seconds`, which are more than none."""

    begin: float
    seconds: float

    @classmethod
    def over(cls, spans: Iterable[tuple[float, float]]) -> Axis:
        """The axis that holds all of these."""
        known = list(spans)
        begin = min((start for start, _ in known), default=0.0)
        return cls(begin, max(max((end for _, end in known), default=0.0) - begin, _SHORTEST))

    @property
    def end(self) -> float:
        """Its end, in epoch seconds."""
        return self.begin + self.seconds

    def at(self, moment: float) -> float:
        """Where a moment lies; one before or after the axis is at its end."""
        return round(min(100.0, max(0.0, 100 * (moment - self.begin) / self.seconds)), 2)

    def place(self, start: float, end: float | None, *, narrowest: float = _NARROWEST) -> Place:
        """Where a span lies; what has no end lasts until that of the axis, and nothing is too narrow to be seen."""
        left, right = self.at(start), self.at(self.end if end is None else end)
        width = max(right - left, narrowest)
        return Place(round(min(left, 100 - width), 2), round(width, 2))

    def merged(self, spans: Iterable[tuple[float, float]]) -> Iterator[Place]:
        """Spans as places; those that cannot be told apart are one, so that there are never many."""
        low = high = None
        for start, end in sorted(spans):
            left, right = self.at(start), self.at(end)
            if high is not None and low is not None and left - high < 2 * _NARROWEST:
                high = max(high, right)
                continue
            if high is not None and low is not None:
                yield Place(low, round(max(high - low, 0.1), 2))
            low, high = left, right
        if high is not None and low is not None:
            yield Place(low, round(max(high - low, 0.1), 2))

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """At most a few marks at round times since the beginning."""
        whole = self.seconds
        every = next((step for step in _TICK_SECONDS if whole / step <= _MOST_TICKS), whole / 4)
        return tuple(
            Tick(round(100 * number * every / whole, 2), duration(number * every) if number else "0")
            for number in range(int(whole / every) + 1)
        )


def end_of(step: StepResult) -> float:
    """When a step that was begun ended, dead time of the run included; its last word if it never did."""
    return step.ended if step.ended is not None else (step.started or 0.0) + step.duration


def axis_of(test: TestResult) -> Axis:
    """The axis over all that happened in a test: its steps, its faults and what its clients did."""
    spans = [(step.started, end_of(step)) for step in test.workflow_steps if step.started is not None]
    spans += [(fault.intended, fault.healed or fault.injected or fault.intended) for fault in test.faults]
    for client in test.clients:
        if client.started is not None:
            spans.append((client.started, client.ended or client.started))
    return Axis.over(spans)
