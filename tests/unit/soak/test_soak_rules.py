"""What comes next in a soak and why it ends: every rule, and their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from e2e_ansible.judge.result import StepResult
from e2e_ansible.soak.options import SoakOptions
from e2e_ansible.soak.rules import (
    INFRASTRUCTURE_IN_A_ROW,
    Outcome,
    State,
    Stop,
    after,
    cooldown,
    swaps,
    why_not_begin,
    why_stop,
)
from e2e_ansible.suite.model import SourceRef
from e2e_ansible.verdict import Cause, Status, Verdict

PASS = Outcome(verdict=Verdict.PASS)
FAIL = Outcome(verdict=Verdict.FAIL, cause=Cause.PRODUCT)
UNKNOWN = Outcome(verdict=Verdict.UNKNOWN, cause=Cause.PRODUCT)
MACHINES = Outcome(verdict=Verdict.UNKNOWN, cause=Cause.INFRASTRUCTURE)
HARNESS = Outcome(verdict=Verdict.FAIL, cause=Cause.HARNESS)
CUT = Outcome(verdict=Verdict.UNKNOWN, cause=Cause.INTERRUPT)
REHEARSED = Outcome(verdict=None)
START = 1000.0


def state(*outcomes: Outcome, **more: Any) -> State:
    """The state after these cycles, one every ten seconds."""
    made = State(run_id="r", started=START, updated=START, **more)
    for number, outcome in enumerate(outcomes, start=1):
        made = after(made, outcome, START + 10 * number)
    return made


@pytest.mark.parametrize(
    ("options", "outcomes", "interrupted", "expected"),
    [
        ({"cycles": 3}, [PASS, PASS], False, None),
        ({"cycles": 3}, [PASS, PASS, PASS], False, Stop.CYCLES),
        ({"cycles": 3}, [FAIL, PASS], False, None),
        ({"cycles": 3, "stop_on_failure": True}, [PASS, FAIL], False, Stop.STOP_ON_FAILURE),
        ({"cycles": 3, "stop_on_failure": True}, [PASS, UNKNOWN], False, Stop.STOP_ON_FAILURE),
        ({"cycles": 3, "stop_on_failure": True}, [FAIL, PASS], False, None),
        ({"cycles": 2, "stop_on_failure": True}, [PASS, FAIL], False, Stop.STOP_ON_FAILURE),
        ({"cycles": 9, "max_failures": 2}, [FAIL, PASS], False, None),
        ({"cycles": 9, "max_failures": 2}, [FAIL, PASS, UNKNOWN], False, Stop.MAX_FAILURES),
        ({"cycles": 9, "max_failures": 1, "stop_on_failure": True}, [FAIL], False, Stop.STOP_ON_FAILURE),
        ({"cycles": 1, "max_failures": 1}, [FAIL], False, Stop.MAX_FAILURES),
        ({"cycles": 9, "max_failures": 1}, [CUT], False, None),
        ({"cycles": 9}, [MACHINES] * (INFRASTRUCTURE_IN_A_ROW - 1), False, None),
        ({"cycles": 9}, [MACHINES, HARNESS] * INFRASTRUCTURE_IN_A_ROW, False, Stop.INFRASTRUCTURE),
        ({"cycles": 9}, [MACHINES, PASS] * INFRASTRUCTURE_IN_A_ROW, False, None),
        ({"cycles": 9}, [FAIL] * 2 * INFRASTRUCTURE_IN_A_ROW, False, None),
        ({"cycles": 1, "stop_on_failure": True}, [FAIL], True, Stop.INTERRUPTED),
        ({"run_hours": 1}, [PASS] * 50, False, None),
        ({"cycles": 2, "max_failures": 1}, [REHEARSED], False, None),
        ({"cycles": 2, "stop_on_failure": True}, [REHEARSED] * 2, False, Stop.CYCLES),
    ],
)
def test_a_soak_stops_after_a_cycle(
    options: Mapping[str, Any], outcomes: Sequence[Outcome], interrupted: bool, expected: Stop | None
) -> None:
    """In the order of the original: failure, then too many, then all done; an interrupt before any of them."""
    assert why_stop(SoakOptions(**options), state(*outcomes), interrupted=interrupted) is expected


@pytest.mark.parametrize(
    ("options", "now", "expected"),
    [
        ({"run_hours": 1}, START + 3599, None),
        ({"run_hours": 1}, START + 3600, Stop.TIME),
        ({"run_hours": 0.01, "cycles": 9}, START + 36, Stop.TIME),
        ({"run_hours": 1, "cycles": 2}, START + 20, Stop.CYCLES),
        ({"cycles": 3}, START + 1e9, None),
    ],
)
def test_time_is_asked_for_before_a_cycle(
    options: Mapping[str, Any], now: float, expected: Stop | None
) -> None:
    """It counts from the original start: a state that was saved before a kill has it."""
    kept = State.model_validate_json(state(PASS, PASS).to_json())
    assert why_not_begin(SoakOptions(**options), kept, now) is expected


@pytest.mark.parametrize(
    ("outcomes", "now", "expected"),
    [
        ([], START, 0),
        ([PASS], START + 10, 30),
        ([PASS], START + 25, 15),
        ([PASS], START + 500, 0),
        ([PASS, PASS], START + 20, 0),
    ],
)
def test_cooldown(outcomes: Sequence[Outcome], now: float, expected: float) -> None:
    """None before the first and none after the last; after a kill only what is left of it."""
    assert cooldown(SoakOptions(cycles=2, cooldown=30), state(*outcomes), now) == expected


def test_a_rehearsal_does_not_cool_down() -> None:
    """It goes through everything at once."""
    assert cooldown(SoakOptions(cycles=2), state(REHEARSED, dry_run=True), START + 10) == 0


def test_counts_go_over_a_kill() -> None:
    """What was counted is in the file, with the names of the seed beside ours."""
    before = state(PASS, FAIL, UNKNOWN, CUT, contexts=("site_a", "site_b"))
    text = before.to_json()
    again = State.model_validate_json(text)
    assert again == before
    assert again.failures == 2
    assert (again.tally.passed, again.tally.failed, again.tally.unknown) == (1, 1, 2)
    for words in ('"current_primary": "site_a"', '"failure_count": 2', '"start_time": "1970-01-01T00:16:40'):
        assert words in text


def test_contexts_swap_and_rows_add_up() -> None:
    """A cycle after which the other site is primary turns them; lost rows are asked for once only."""
    one = Outcome(verdict=Verdict.PASS, swap=True, rows={"load": 50})
    two = Outcome(verdict=Verdict.FAIL, cause=Cause.PRODUCT, rows={"load": -20, "other": 7})
    made = state(one, two, contexts=("site_a", "site_b"))
    assert made.contexts == ("site_b", "site_a")
    assert (made.swaps, dict(made.rows)) == (1, {"load": 30, "other": 7})


def step(phase: str, verdict: Verdict | None, status: Status = Status.COMPLETED) -> StepResult:
    """A step of a phase."""
    return StepResult(
        index=1,
        id=phase,
        step_type="x",
        description="",
        phase=phase,
        status=status,
        verdict=verdict,
        source=SourceRef(file="s", line=1, column=1),
    )


ACTIVATED = step("activation", Verdict.PASS)
NOT = step("activation", Verdict.FAIL, Status.FAILED)
LATER = step("post_activation", None, Status.SKIPPED)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([ACTIVATED, LATER], True),
        ([ACTIVATED, NOT, LATER], False),
        ([ACTIVATED, step("activation", None, Status.SKIPPED)], False),
        ([ACTIVATED, step("activation", None, Status.OMITTED)], True),
        ([step("activation", Verdict.UNKNOWN)], False),
        ([NOT, step("post_activation", Verdict.FAIL, Status.FAILED)], True),
        ([NOT, step("post_activation", None, Status.OMITTED)], False),
        ([step("preflight", Verdict.FAIL, Status.FAILED), step("activation", None, Status.SKIPPED)], False),
    ],
)
def test_contexts_swap_only_if_activation_passed(steps: Sequence[StepResult], expected: bool) -> None:
    """Or if a later phase was begun, as then the other site is primary whatever was said of the phase."""
    assert swaps(("preflight", "activation", "post_activation"), steps) is expected


def test_without_activation_nothing_swaps() -> None:
    """A suite without that phase has not moved anything."""
    assert not swaps(("preflight",), [step("preflight", Verdict.PASS)])
