"""Schedules that fail become as short as they can be: planted bugs in a simulator, kills, chance, and limits."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.soak.injection import draw
from e2e_ansible.soak.minimize import most_tries, reduce
from e2e_ansible.soak.options import PlannedInjection
from e2e_ansible.soak.shrink import (
    Attempt,
    Ending,
    Failure,
    Limits,
    Shrunk,
    Trial,
    first_failure,
    shrink,
)
from e2e_ansible.soak.shrink_notes import open_notes
from e2e_ansible.verdict import Cause, Verdict

LOST = Failure(verdict=Verdict.FAIL, cause=Cause.PRODUCT, step="check-rows")
OTHER = Failure(verdict=Verdict.FAIL, cause=Cause.PRODUCT, step="deploy")
SPOILED = Failure(verdict=Verdict.FAIL, cause=Cause.INFRASTRUCTURE, step="deploy")
SCENARIOS = ("pause_backup", "delay_restore", "kill_observability")
PHASES = ("preflight", "primary_prep", "activation", "post_activation", "finalization")
A, B = ("pause_backup", "activation"), ("kill_observability", "finalization")
Bug = Callable[[Trial], int]


def what(injection: PlannedInjection) -> tuple[str, str]:
    return injection.scenario, injection.phase


def pair(trial: Trial) -> int:
    """The planted bug: B in a later cycle than A. Returns the cycle that fails, 0 for none."""
    first = min((each.cycle for each in trial.schedule if what(each) == A), default=0)
    later = [each.cycle for each in trial.schedule if first and what(each) == B and each.cycle > first]
    return min(later, default=0)


class Simulator:
    """Runs trials by a bug instead of nodes, and counts how often it was asked for each."""

    def __init__(self, bug: Bug) -> None:
        self.bug = bug
        self.asked: Counter[Trial] = Counter()

    def __call__(self, attempt: Attempt) -> Failure | None:
        self.asked[attempt.trial] += 1
        return LOST if self.bug(attempt.trial) else None


def soaks(wanted: int, bug: Bug, first: int = 0) -> Iterator[Trial]:
    """Random soaks of 30 to 200 cycles that fail after 30 of them, up to the cycle that does."""
    found = 0
    for seed in count(first):
        cycles = random.Random(seed).randint(30, 200)
        whole = tuple(draw(seed, cycle, SCENARIOS, PHASES) for cycle in range(1, cycles + 1))
        failing = bug(Trial(cycles=cycles, schedule=whole))
        if failing and failing >= 30:
            found += 1
            yield Trial(cycles=failing, schedule=whole[:failing])
        if found == wanted:
            return


def shrunk(trial: Trial, bug: Bug) -> tuple[Shrunk, Simulator]:
    simulator = Simulator(bug)
    return shrink(trial, LOST, simulator), simulator


@pytest.mark.parametrize("first", range(0, 20_000, 1000))
def test_a_bug_of_two_failures_is_shrunk_to_exactly_these_two(first: int) -> None:
    """A hundred soaks in all, five from each thousand of seeds."""
    most: dict[int, int] = {}
    for trial in soaks(5, pair, first):
        found, simulator = shrunk(trial, pair)
        assert found.trial is not None
        assert (found.ending, found.trial.cycles) == (Ending.SHRUNK, 2)
        assert [what(each) for each in found.trial.schedule] == [A, B]
        assert max(simulator.asked.values()) == 1
        assert found.tries == sum(simulator.asked.values()) <= most_tries(trial.cycles)
        most[trial.cycles] = found.tries
    print(f"{min(most)} to {max(most)} cycles; tries at most {max(most.values())}, allowed {most_tries(200)}")


def apart(trial: Trial) -> int:
    """B exactly four cycles after A, whatever is between."""
    at = {each.cycle: what(each) for each in trial.schedule}
    return next((cycle + 4 for cycle, it in at.items() if it == A and at.get(cycle + 4) == B), 0)


def test_cycles_between_two_failures_stay_if_they_are_needed_but_nothing_is_injected_into_them() -> None:
    for trial in soaks(5, apart):
        found, _ = shrunk(trial, apart)
        assert found.trial is not None
        assert found.trial.cycles == 5
        assert [(each.cycle, what(each)) for each in found.trial.schedule] == [(1, A), (5, B)]


def test_nothing_can_be_left_out_of_what_is_found() -> None:
    """Also of a bug that is no subset of another: an even number of failures of one kind."""

    def odd(trial: Trial) -> int:
        return sum(what(each) == A for each in trial.schedule) % 2

    for trial in soaks(20, pair):
        if not odd(trial):
            continue
        found, _ = shrunk(trial, odd)
        assert found.trial is not None
        slots = found.trial.slots
        for place in range(len(slots)):
            blank = (*slots[:place], None, *slots[place + 1 :])
            assert not odd(Trial.of(blank))
            assert len(slots) == 1 or not odd(Trial.of((*slots[:place], *slots[place + 1 :])))


def test_one_that_fails_without_any_failure_is_told_to() -> None:
    (trial,) = soaks(1, pair)
    found, _ = shrunk(trial, lambda each: each.cycles >= 3)
    assert found.trial == Trial(cycles=3)


def test_a_failure_that_does_not_come_back_is_not_invented() -> None:
    (trial,) = soaks(1, pair)
    simulator = Simulator(lambda _: 0)
    found = shrink(trial, LOST, simulator, limits=Limits(repeat=3))
    assert found == Shrunk(Ending.NOT_REPRODUCED, None, 3, 0, 3)


def test_another_failure_is_not_the_same_one() -> None:
    (trial,) = soaks(1, pair)
    assert shrink(trial, LOST, lambda _: OTHER).ending is Ending.NOT_REPRODUCED
    assert LOST.model_copy(update={"step": ""}).is_like(LOST)
    assert not LOST.is_like(LOST.model_copy(update={"step": "look"}))
    assert not LOST.is_like(LOST.model_copy(update={"verdict": Verdict.UNKNOWN}))


def test_a_run_that_machines_have_spoiled_is_done_again() -> None:
    (trial,) = soaks(1, pair)
    chance = random.Random(3)

    def spoiled(attempt: Attempt) -> Failure | None:
        if chance.random() < 0.15:
            return SPOILED
        return LOST if pair(attempt.trial) else None

    found = shrink(trial, LOST, spoiled)
    assert found.trial is not None and [what(each) for each in found.trial.schedule] == [A, B]
    always = shrink(trial, LOST, lambda _: SPOILED)
    assert (always.ending, always.tries, always.unclear) == (Ending.NOT_REPRODUCED, 3, 1)


def test_a_failure_that_comes_only_sometimes_is_tried_again() -> None:
    (trial,) = soaks(1, pair)
    chance = random.Random(5)

    def sometimes(attempt: Attempt) -> Failure | None:
        return LOST if pair(attempt.trial) and chance.random() < 0.4 else None

    found = shrink(trial, LOST, sometimes, limits=Limits(tries=1000, repeat=20))
    assert found.trial is not None and [what(each) for each in found.trial.schedule] == [A, B]
    assert (found.failed, found.runs >= 1) == (1, True)


@pytest.mark.parametrize("limits", [Limits(tries=9), Limits(hours=9 / 3600)])
def test_limits_end_it_with_the_best_so_far(limits: Limits) -> None:
    (trial,) = soaks(1, pair)
    seconds = count()
    found = shrink(trial, LOST, Simulator(pair), limits=limits, clock=lambda: float(next(seconds)))
    assert (found.ending, found.tries) == (Ending.EXHAUSTED, 9)
    assert found.trial is not None and 2 < found.trial.cycles < trial.cycles and pair(found.trial)


def test_without_any_try_nothing_is_said() -> None:
    with pytest.raises(UsageError, match="at least one try"):
        shrink(Trial(cycles=1), LOST, Simulator(pair), limits=Limits(tries=0))


@pytest.mark.parametrize("dies_at", [1, 2, 7, 15])
def test_one_that_was_killed_goes_on_and_tries_nothing_twice(tmp_path: Path, dies_at: int) -> None:
    (trial,) = soaks(1, pair)
    whole, _ = shrunk(trial, pair)
    simulator = Simulator(pair)
    path = tmp_path / "tries.jsonl"

    def dies(attempt: Attempt) -> Failure | None:
        if attempt.number == dies_at:
            raise KeyboardInterrupt
        return simulator(attempt)

    with open_notes(path, trial, LOST) as notes, pytest.raises(KeyboardInterrupt):
        shrink(trial, LOST, dies, notes=notes)
    with path.open("a") as file:
        file.write('{"number": 99, "tri')  # a line that the kill has torn
    with open_notes(path, trial, LOST) as notes:
        assert [each.number for each in notes.attempts if each.seconds is None] == [dies_at]
        found = shrink(trial, LOST, simulator, notes=notes)
    assert found.trial == whole.trial
    assert set(simulator.asked.values()) == {1}
    assert found.tries == whole.tries + 1


def test_notes_of_another_failure_are_refused(tmp_path: Path) -> None:
    (trial,) = soaks(1, pair)
    path = tmp_path / "tries.jsonl"
    with open_notes(path, trial, LOST):
        pass
    with pytest.raises(UsageError, match="notes of another one"), open_notes(path, trial, OTHER):
        pass
    path.write_text("[]\n")
    with pytest.raises(HarnessError, match="line 1"), open_notes(path, trial, LOST):
        pass


def test_the_first_cycle_that_failed_is_what_is_shrunk() -> None:
    injections = {cycle: draw(1, cycle, SCENARIOS, PHASES) for cycle in (1, 3, 4, 9)}
    trial, failure = first_failure([(7, OTHER), (4, LOST)], injections)
    assert (trial.cycles, [each.cycle for each in trial.schedule], failure) == (4, [1, 3, 4], LOST)
    with pytest.raises(UsageError, match="no cycle of this run failed"):
        first_failure([], injections)


@pytest.mark.parametrize("needed", [set(), {0}, {7}, {0, 7}, {2, 3, 4}, set(range(8))])
def test_reduce_finds_what_is_needed(needed: set[int]) -> None:
    assert set(reduce(range(8), lambda some: needed <= set(some))) == needed
