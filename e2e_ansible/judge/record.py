"""What the run wrote down about a test while it happened; with the plan and the events, all that a judge gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.errors import HarnessError
from e2e_ansible.load.result import LoadResult

__all__ = [
    "AttemptEnded",
    "AttemptRecord",
    "AttemptStarted",
    "CleanUpEnded",
    "CustomOutcome",
    "Entry",
    "Evidence",
    "FaultsHealed",
    "Interrupted",
    "QuotaReleased",
    "QuotaReserved",
    "Resumed",
    "StepEnded",
    "StepOmitted",
    "StepRecord",
    "StepResumed",
    "StepStarted",
    "TestEnded",
    "TestRecord",
    "TestStarted",
    "TimeUp",
    "Trouble",
    "fold_entry",
    "records",
    "take_up",
]


class _Entry(BaseModel):
    """One line of the journal; `at` is in epoch seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: float


class TestStarted(_Entry):
    """The test has its deployment id; nothing was created yet."""

    __test__ = False
    kind: Literal["test_started"] = "test_started"
    deployment: str
    plan_hash: str


class StepStarted(_Entry):
    """Intent: the step is about to act."""

    kind: Literal["step_started"] = "step_started"
    step: str


class AttemptStarted(_Entry):
    """Its playbook is about to be run, for the nth time."""

    kind: Literal["attempt_started"] = "attempt_started"
    step: str
    attempt: int


class CustomOutcome(BaseModel):
    """What a check that is not built in said when it ran; a later judge may not have its code."""

    model_config = ConfigDict(frozen=True)

    passed: bool | None
    message: str
    infrastructure: bool = False
    allow_failure: bool = False


class AttemptEnded(_Entry):
    """How the playbook ended, and what was known at that moment beside the events."""

    kind: Literal["attempt_ended"] = "attempt_ended"
    step: str
    attempt: int
    outcome: Outcome
    acknowledged: tuple[tuple[int, int], ...] | None = None
    histories: Mapping[str, int] = Field(
        default_factory=dict, description="Bytes that the history of each client had at this moment"
    )
    last_fault: tuple[float, str] | None = Field(
        None, description="When the last fault was there, in epoch seconds, and which on which node"
    )
    custom: Mapping[str, CustomOutcome] = Field(default_factory=dict)
    load: LoadResult | None = Field(None, description="What a load tool from elsewhere made of its output")

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = handler(self)
        return made if self.load is not None else {key: made[key] for key in made if key != "load"}


class StepEnded(_Entry):
    """The step is over."""

    kind: Literal["step_ended"] = "step_ended"
    step: str


class StepOmitted(_Entry):
    """The step is left out, because its condition or that of its group did not hold."""

    kind: Literal["step_omitted"] = "step_omitted"
    step: str
    reason: str


class Resumed(_Entry):
    """A run that had died goes on: it was dead for so many seconds."""

    kind: Literal["resumed"] = "resumed"
    dead: float


class StepResumed(_Entry):
    """A step that was under way when the run died is taken up.

    `again`: it is played once more, and what it may do only once is looked for first. `whole`: its last attempt had
    ended, and nothing is played for that once more. `never`: it may not be repeated, and nobody knows how far it came.
    """

    kind: Literal["step_resumed"] = "step_resumed"
    step: str
    how: Literal["again", "whole", "never"]
    reason: str = ""


class Evidence(_Entry):
    """Logs of nodes were collected into `folder`, relative to the test's folder."""

    kind: Literal["evidence"] = "evidence"
    folder: str
    message: str


class Trouble(_Entry):
    """The harness failed outside a playbook: the writer could not be started, a disk is full."""

    kind: Literal["trouble"] = "trouble"
    message: str
    step: str = ""
    infrastructure: bool = False


class FaultsHealed(_Entry):
    """Faults that were open after the steps are healed (`ok`), or may still be there.

    `by_hand`: by the command `heal`, after the run had died. `left`: a second interrupt left them as they are.
    """

    kind: Literal["faults_healed"] = "faults_healed"
    ok: bool
    message: str
    by_hand: bool = False
    left: bool = False


class Interrupted(_Entry):
    """The user asked to stop."""

    kind: Literal["interrupted"] = "interrupted"


class QuotaReserved(_Entry):
    """What the test costs was reserved, in the units of the ledger, after a wait of `waited` seconds."""

    kind: Literal["quota_reserved"] = "quota_reserved"
    nodes: int
    millicpus: int
    memory_mb: int
    disk_mb: int
    waited: float


class QuotaReleased(_Entry):
    """What was reserved was given back."""

    kind: Literal["quota_released"] = "quota_released"


class TimeUp(_Entry):
    """The time of the test's class was over: `limit` seconds, of which it had used `used`; no other step begins.

    `step` is the one that was ended by it, '' if it was over between two steps.
    """

    kind: Literal["time_up"] = "time_up"
    time_class: str
    limit: float
    used: float
    step: str = ""


class CleanUpEnded(_Entry):
    """The deployment was removed (`ok`), kept on purpose (`kept`), or could not be removed."""

    kind: Literal["clean_up_ended"] = "clean_up_ended"
    ok: bool
    kept: bool
    message: str


class TestEnded(_Entry):
    """Nothing more will be written."""

    __test__ = False
    kind: Literal["test_ended"] = "test_ended"


Entry = Annotated[
    TestStarted
    | StepStarted
    | AttemptStarted
    | AttemptEnded
    | StepEnded
    | StepOmitted
    | Resumed
    | StepResumed
    | Evidence
    | FaultsHealed
    | Trouble
    | Interrupted
    | TimeUp
    | QuotaReserved
    | QuotaReleased
    | CleanUpEnded
    | TestEnded,
    Field(discriminator="kind"),
]


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
        attempt.cut = not attempt.whole


def _attempt(attempts: Sequence[AttemptRecord], number: int) -> AttemptRecord:
    return [attempt for attempt in attempts if attempt.number == number][-1]
