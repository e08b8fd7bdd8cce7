"""What the run wrote down about a test while it happened; with the plan and the events, all that a judge gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, Field

from e2e_ansible.engine.protocol import Ended
from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.entry import (
    AttemptEnded,
    AttemptStarted,
    CleanUpEnded,
    Entry,
    Evidence,
    FaultsHealed,
    Interrupted,
    QuotaReleased,
    QuotaReserved,
    Resumed,
    StepEnded,
    StepOmitted,
    StepResumed,
    StepStarted,
    TestEnded,
    TestStarted,
    TimeUp,
    Trouble,
)

__all__ = ["AttemptRecord", "StepRecord", "TestRecord", "fold_entry", "records", "take_up"]


class AttemptRecord(BaseModel):
    """One attempt; `ended` is None when the run died in it. `cut`: it was taken up by a later one."""

    number: int
    started: float
    ended: AttemptEnded | None = None
    cut: bool = False

    @property
    def whole(self) -> bool:
        """Whether it came to an end of its own."""
        return self.ended is not None and self.ended.outcome.ended is not Ended.CANCELED


class StepRecord(BaseModel):
    """One step that was begun; `ended` is None when the run died in it. `omitted` says why it was left out.

    `dead` are the seconds between `started` and `ended` in which there was no run.
    """

    step: str
    started: float
    ended: float | None = None
    omitted: str = ""
    dead: float = 0.0
    resumed: list[StepResumed] = Field(default_factory=list)
    attempts: list[AttemptRecord] = Field(default_factory=list)
    troubles: list[Trouble] = Field(default_factory=list)


class TestRecord(BaseModel):
    """A whole test, as far as it came."""

    __test__ = False

    deployment: str = ""
    plan_hash: str = ""
    started: float | None = None
    ended: float | None = None
    steps: dict[str, StepRecord] = Field(default_factory=dict)
    evidence: list[Evidence] = Field(default_factory=list)
    troubles: list[Trouble] = Field(default_factory=list)
    healed: FaultsHealed | None = None
    interrupted: bool = False
    time_up: TimeUp | None = None
    quota: QuotaReserved | None = None
    clean_up: CleanUpEnded | None = None
    resumed: list[Resumed] = Field(default_factory=list)
    last: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is left to do; what a second interrupt has left as it was can go on."""
        left = self.clean_up is not None and self.clean_up.kept and not self.clean_up.ok
        return self.ended is not None and not left


def records(entries: Iterable[Entry]) -> TestRecord:
    """Fold a journal. Pure; the same entries give the same record.

    Raises:
        HarnessError: something ends that never began, so entries are missing in the middle.
    """
    record = TestRecord()
    for entry in entries:
        try:
            fold_entry(record, entry)
        except LookupError as error:
            text = f"the journal has {entry.kind} at {entry.at:.3f}, but not how that began"
            raise HarnessError(text) from error
    return record


def fold_entry(record: TestRecord, entry: Entry) -> None:
    """Add one entry to a record."""
    record.last = entry.at
    match entry:
        case TestStarted():
            record.deployment, record.plan_hash, record.started = entry.deployment, entry.plan_hash, entry.at
        case Evidence():
            record.evidence.append(entry)
        case FaultsHealed():
            record.healed = entry
        case Trouble():
            step = record.steps.get(entry.step)
            (step.troubles if step else record.troubles).append(entry)
        case Interrupted():
            record.interrupted = True
        case QuotaReserved():
            record.quota = entry
        case QuotaReleased():
            record.quota = None
        case TimeUp():
            record.time_up = record.time_up or entry
        case Resumed():
            _resume(record, entry)
        case CleanUpEnded():
            record.clean_up = entry
        case TestEnded():
            record.ended = entry.at
        case _:
            _fold_step(record.steps, entry)


def _resume(record: TestRecord, entry: Resumed) -> None:
    """What ended the run before is over."""
    record.resumed.append(entry)
    record.interrupted, record.clean_up, record.ended = False, None, None
    record.troubles = [trouble for trouble in record.troubles if not trouble.refusal]
    if record.healed is not None and record.healed.left:
        record.healed = None
    for step in record.steps.values():
        step.dead += entry.dead if step.ended is None else 0.0


def _fold_step(
    steps: dict[str, StepRecord],
    entry: StepStarted | AttemptStarted | AttemptEnded | StepEnded | StepOmitted | StepResumed,
) -> None:
    match entry:
        case StepResumed():
            take_up(steps[entry.step], entry)
        case StepOmitted():
            steps[entry.step] = StepRecord(
                step=entry.step, started=entry.at, ended=entry.at, omitted=entry.reason
            )
        case StepStarted():
            steps[entry.step] = StepRecord(step=entry.step, started=entry.at)
        case AttemptStarted():
            steps[entry.step].attempts.append(AttemptRecord(number=entry.attempt, started=entry.at))
        case AttemptEnded():
            _attempt(steps[entry.step].attempts, entry.attempt).ended = entry
        case _:  # StepEnded
            steps[entry.step].ended = entry.at


def take_up(step: StepRecord, entry: StepResumed) -> None:
    """The step goes on; attempts that the death of the run has cut off decide nothing any more."""
    step.resumed.append(entry)
    if step.ended is not None:  # by a second interrupt
        step.dead += entry.at - step.ended
        step.ended = None
    for attempt in step.attempts:
        attempt.cut = attempt.cut or entry.how == "anew" or not attempt.whole


def _attempt(attempts: Sequence[AttemptRecord], number: int) -> AttemptRecord:
    return [attempt for attempt in attempts if attempt.number == number][-1]
