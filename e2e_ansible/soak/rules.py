"""What comes next in a soak, and why it ends: pure functions of what was asked for and of what has happened.

The order is that of the original. Before a cycle: is the time over? After it: count, decide whether the contexts swap,
save the state, then ask whether to stop, then cool down unless that was the last cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.soak import Tally
from e2e_ansible.report.words import stamp
from e2e_ansible.soak.options import SoakOptions
from e2e_ansible.soak.parts import ACTIVATION
from e2e_ansible.suite.model import Contexts
from e2e_ansible.verdict import Cause, Status, Verdict

__all__ = [
    "INFRASTRUCTURE_IN_A_ROW",
    "Outcome",
    "State",
    "Stop",
    "UnderWay",
    "after",
    "cooldown",
    "iso",
    "swaps",
    "why_not_begin",
    "why_stop",
]

#: So many cycles one after the other that infrastructure or harness have spoiled end a soak: they show nothing.
INFRASTRUCTURE_IN_A_ROW = 3

_HOUR = 3600.0
_RAN = (Status.COMPLETED, Status.FAILED, Status.INTERRUPTED, Status.RUNNING)


class Stop(StrEnum):
    """Why a soak has ended. Only `cycles` and `time` are ends that were asked for."""

    CYCLES = "cycles"
    TIME = "time"
    STOP_ON_FAILURE = "stop_on_failure"
    MAX_FAILURES = "max_failures"
    INFRASTRUCTURE = "infrastructure"
    INTERRUPTED = "interrupted"
    SET_UP = "set_up"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class UnderWay(_Model):
    """The part that has begun and is not counted yet; `cycle` is 0 in the set-up, in the end the last one plus one."""

    part: Literal["setup", "cycle", "end"]
    cycle: int


class State(_Model):
    """Where a soak stands: `soak.json`. Times are epoch seconds; the names of the seed stand beside ours.

    `rows` are those that each client had acknowledged in all cycles and that were not found lost. `failed`: the last
    cycle did not pass. `in_a_row` counts the last cycles that infrastructure or harness have spoiled. `setup` and
    `end`: these parts are over. `abandoned`: a second interrupt has left everything as it was.
    """

    run_id: str
    started: float
    updated: float
    dry_run: bool = False
    last_completed_cycle: int = 0
    contexts: Annotated[Contexts | None, Field(strict=False)] = None
    under_way: UnderWay | None = None
    tally: Tally = Tally()
    swaps: int = 0
    in_a_row: int = 0
    failed: bool = False
    rows: Mapping[str, int] = Field(default_factory=dict)
    plans: Mapping[str, str] = Field(default_factory=dict)
    setup: bool = False
    end: bool = False
    stopped: Stop | None = None
    clean_up: str = ""
    clean_up_ok: bool = True
    kept: bool = False
    abandoned: bool = False
    over: bool = False

    @property
    def failures(self) -> int:
        """Cycles that did not pass; one that an interrupt cut off is none."""
        return self.tally.failed + self.tally.unknown - self.tally.interrupted

    def to_json(self) -> str:
        """The text of `soak.json`."""
        seeds = {
            "current_primary": self.contexts[0] if self.contexts else "",
            "current_secondary": self.contexts[1] if self.contexts else "",
            "success_count": None if self.dry_run else self.tally.passed,
            "failure_count": None if self.dry_run else self.failures,
            "start_time": iso(self.started),
            "updated_at": iso(self.updated),
        }
        return _Written(**dict(self), **seeds).model_dump_json(indent=1) + "\n"


class _Written(State):
    current_primary: str
    current_secondary: str
    success_count: int | None
    failure_count: int | None
    start_time: str
    updated_at: str


class Outcome(_Model):
    """What a cycle came to; the verdict is None of a rehearsal. `rows` are acknowledged less lost ones, by client."""

    verdict: Verdict | None
    cause: Cause | None = None
    swap: bool = False
    rows: Mapping[str, int] = Field(default_factory=dict)


def iso(at: float) -> str:
    """A time in ISO 8601, UTC."""
    return stamp(at)


def swaps(phases: Sequence[str], steps: Iterable[StepResult]) -> bool:
    """Whether the other site is primary now: every step of `activation` passed, or a later phase was begun.

    `phases` are those of the cycle in their order; without that phase nothing swaps.
    """
    if ACTIVATION not in phases:
        return False
    later = phases[phases.index(ACTIVATION) + 1 :]
    found = list(steps)
    if any(step.phase in later and step.status in _RAN for step in found):
        return True
    own = [step for step in found if step.phase == ACTIVATION]
    return all(step.verdict is Verdict.PASS or step.status is Status.OMITTED for step in own)


def after(state: State, outcome: Outcome, now: float) -> State:
    """The state after the cycle under way: counted, and with the contexts of the next one."""
    contexts = state.contexts
    if contexts and outcome.swap:
        contexts = (contexts[1], contexts[0])
    spoiled = outcome.cause in (Cause.INFRASTRUCTURE, Cause.HARNESS)
    names = {*state.rows, *outcome.rows}
    return state.model_copy(
        update={
            "updated": now,
            "last_completed_cycle": state.last_completed_cycle + 1,
            "contexts": contexts,
            "under_way": None,
            "tally": state.tally.add(outcome.verdict, outcome.cause),
            "swaps": state.swaps + bool(contexts and outcome.swap),
            "failed": outcome.verdict not in (None, Verdict.PASS) and outcome.cause is not Cause.INTERRUPT,
            "in_a_row": state.in_a_row + 1 if spoiled else 0,
            "rows": {
                name: max(0, state.rows.get(name, 0) + outcome.rows.get(name, 0)) for name in sorted(names)
            },
        }
    )


def why_not_begin(options: SoakOptions, state: State, now: float) -> Stop | None:
    """Why no other cycle begins at this moment. Hours count from the original start, resumptions included."""
    if options.cycles is not None and state.last_completed_cycle >= options.cycles:
        return Stop.CYCLES
    if options.run_hours is not None and now - state.started >= options.run_hours * _HOUR:
        return Stop.TIME
    return None


def why_stop(options: SoakOptions, state: State, *, interrupted: bool = False) -> Stop | None:
    """Why the soak ends after the last cycle, whose state is saved."""
    if interrupted:
        return Stop.INTERRUPTED
    if options.stop_on_failure and state.failed:
        return Stop.STOP_ON_FAILURE
    if options.max_failures is not None and state.failures >= options.max_failures:
        return Stop.MAX_FAILURES
    if state.in_a_row >= INFRASTRUCTURE_IN_A_ROW:
        return Stop.INFRASTRUCTURE
    if options.cycles is not None and state.last_completed_cycle >= options.cycles:
        return Stop.CYCLES
    return None


def cooldown(options: SoakOptions, state: State, now: float) -> float:
    """Seconds to wait before the next cycle; what a dead run has waited since its last cycle counts."""
    first = state.last_completed_cycle == 0
    last = options.cycles is not None and state.last_completed_cycle >= options.cycles
    return 0.0 if first or last or state.dry_run else max(0.0, options.cooldown - (now - state.updated))
