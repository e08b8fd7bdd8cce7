"""Finds the shortest schedule of failures with which a soak still fails. Runs nothing by itself: it is given a runner.

A try is a soak of some cycles with some failures. What was tried is kept, so nothing is tried twice, also not by the
next process after this one was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from e2e_ansible.errors import UsageError
from e2e_ansible.soak.minimize import Slots, minimize
from e2e_ansible.soak.options import PlannedInjection
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["Attempt", "Ending", "Failure", "Limits", "Notes", "Shrunk", "Trial", "first_failure", "shrink"]

_HOUR = 3600.0
_SPOILED = 3  # so many runs of a trial may be spoiled before it counts as not failing


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Failure(_Model):
    """How a cycle failed. `step` is the name of the step that decided; '' where any step will do."""

    verdict: Verdict
    cause: Cause | None = None
    step: str = ""

    def is_like(self, other: Failure) -> bool:
        """Whether it is the same failure, by what this one says."""
        return (self.verdict, self.cause) == (other.verdict, other.cause) and self.step in ("", other.step)

    def __str__(self) -> str:
        cause = f" ({self.cause.value})" if self.cause else ""
        return f"{self.verdict.value}{cause}{f' in step {self.step}' if self.step else ''}"


class Trial(_Model):
    """A soak that may be tried: its cycles, and what is injected into some of them."""

    cycles: int
    schedule: tuple[PlannedInjection, ...] = ()

    @classmethod
    def of(cls, slots: Slots) -> Trial:
        """The soak with these cycles; the failures get the numbers of their places."""
        made = [slot.model_copy(update={"cycle": number}) for number, slot in enumerate(slots, 1) if slot]
        return cls(cycles=len(slots), schedule=tuple(made))

    @property
    def slots(self) -> Slots:
        """One entry a cycle."""
        by_cycle = {each.cycle: each for each in self.schedule}
        return tuple(by_cycle.get(number) for number in range(1, self.cycles + 1))


class Attempt(_Model):
    """One run of a trial, over or not: `seconds` is None of one that a kill has cut off."""

    number: int
    trial: Trial
    failure: Failure | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Limits:
    """When to give up. A trial is run up to `repeat` times, and fails if it failed in one of them."""

    tries: int = 200
    hours: float | None = None
    repeat: int = 1


class Ending(StrEnum):
    """What it came to."""

    SHRUNK = "shrunk"
    EXHAUSTED = "exhausted"
    NOT_REPRODUCED = "not reproduced"


@dataclass(frozen=True)
class Shrunk:
    """The shortest trial that failed, None if none did; `failed` of `runs` runs of it. `tries` are all runs.

    `unclear` trials were spoiled each time by something else than the product, and counted as not failing.
    """

    ending: Ending
    trial: Trial | None
    tries: int
    failed: int = 0
    runs: int = 0
    unclear: int = 0


@dataclass
class Notes:
    """What was tried so far. `write` keeps an attempt when it begins, and again when it has ended."""

    attempts: list[Attempt] = field(default_factory=list)
    write: Callable[[Attempt], None] = lambda attempt: None

    @property
    def seconds(self) -> float:
        """How long all tries took."""
        return sum(each.seconds or 0.0 for each in self.attempts)

    def of(self, trial: Trial) -> Sequence[Attempt]:
        """The runs of a trial that came to their end."""
        return [each for each in self.attempts if each.trial == trial and each.seconds is not None]

    def keep(self, attempt: Attempt) -> None:
        """Note it; one with the same number is replaced."""
        self.write(attempt)
        self.attempts = [each for each in self.attempts if each.number != attempt.number] + [attempt]


Runner = Callable[[Attempt], Failure | None]


class _GivenUp(Exception):
    """No more tries are allowed."""


class _Trying:
    """Runs trials within limits, and remembers the shortest one that failed."""

    def __init__(
        self, failure: Failure, run: Runner, limits: Limits, notes: Notes, clock: Callable[[], float]
    ) -> None:
        self._failure = failure
        self._run = run
        self._limits = limits
        self._notes = notes
        self._clock = clock
        self.best: Trial | None = None
        self.unclear: set[Trial] = set()

    def fails(self, slots: Slots) -> bool:
        """Whether it failed in one of its runs.

        Raises:
            _GivenUp: it is not known, and no more tries are allowed.
        """
        trial = Trial.of(slots)
        while not self._failed(trial) and self._is_open(trial):
            self._try(trial)
        if self._failed(trial):
            self.best = trial
        return self._failed(trial)

    def _is_open(self, trial: Trial) -> bool:
        """Whether another run of it may tell more; one that something else has spoiled tells nothing."""
        runs = self._notes.of(trial)
        spoiled = sum(_is_spoiled(each.failure) for each in runs)
        if spoiled >= _SPOILED:
            self.unclear.add(trial)
            return False
        return len(runs) - spoiled < self._limits.repeat

    def _failed(self, trial: Trial) -> bool:
        return any(_is_it(each, self._failure) for each in self._notes.of(trial))

    def _try(self, trial: Trial) -> None:
        hours = self._limits.hours
        if len(self._notes.attempts) >= self._limits.tries:
            raise _GivenUp
        if hours is not None and self._notes.seconds >= hours * _HOUR:
            raise _GivenUp
        begun = Attempt(number=len(self._notes.attempts) + 1, trial=trial)
        self._notes.keep(begun)
        start = self._clock()
        found = self._run(begun)
        seconds = self._clock() - start
        self._notes.keep(begun.model_copy(update={"failure": found, "seconds": seconds}))


def _is_spoiled(failure: Failure | None) -> bool:
    """Whether machines or the tool itself failed, so that it is not known what the product would have done."""
    return failure is not None and failure.cause in (Cause.INFRASTRUCTURE, Cause.HARNESS, Cause.CLEAN_UP)


def _is_it(attempt: Attempt, failure: Failure) -> bool:
    return attempt.failure is not None and failure.is_like(attempt.failure)


def shrink(
    original: Trial,
    failure: Failure,
    run: Runner,
    *,
    limits: Limits | None = None,
    notes: Notes | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Shrunk:
    """The shortest soak with which `failure` still comes, beginning with the `original` one.

    Raises:
        UsageError: the limits allow not a single try.
        Exception: whatever the runner raises; what was tried before is in the notes.
    """
    limits, notes = limits or Limits(), notes or Notes()
    if min(limits.tries, limits.repeat) < 1:
        raise UsageError("at least one try is needed")
    trying = _Trying(failure, run, limits, notes, clock)
    ending = Ending.SHRUNK
    try:
        if trying.fails(original.slots):
            minimize(original.slots, trying.fails)
        else:
            ending = Ending.NOT_REPRODUCED
    except _GivenUp:
        ending = Ending.EXHAUSTED
    runs = notes.of(trying.best or original)
    failed = sum(_is_it(each, failure) for each in runs)
    return Shrunk(ending, trying.best, len(notes.attempts), failed, len(runs), len(trying.unclear))


def first_failure(
    ends: Sequence[tuple[int, Failure]], injections: Mapping[int, PlannedInjection]
) -> tuple[Trial, Failure]:
    """The trial up to the first cycle that failed, and how it did.

    Raises:
        UsageError: no cycle failed.
    """
    if not ends:
        raise UsageError("no cycle of this run failed", hint="there is nothing to shrink")
    number, failure = min(ends, key=lambda each: each[0])
    before = tuple(injections[cycle] for cycle in sorted(injections) if cycle <= number)
    return Trial(cycles=number, schedule=before), failure
