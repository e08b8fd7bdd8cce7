"""The lines of a test's journal: what the run writes down while it happens, each before or after what it tells of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from e2e_ansible.engine.protocol import Outcome
from e2e_ansible.load.result import LoadResult

__all__ = [
    "HINT",
    "AttemptEnded",
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
    "StepResumed",
    "StepStarted",
    "TestEnded",
    "TestStarted",
    "TimeUp",
    "Trouble",
]


#: How the last line of a trouble begins that tells what to do.
HINT = "hint: "


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
    `anew`: it had ended, and is done once more after what went on before it; what it came to decides nothing any more.
    """

    kind: Literal["step_resumed"] = "step_resumed"
    step: str
    how: Literal["again", "whole", "never", "anew"]
    reason: str = ""


class Evidence(_Entry):
    """Logs of nodes were collected into `folder`, relative to the test's folder."""

    kind: Literal["evidence"] = "evidence"
    folder: str
    message: str


class Trouble(_Entry):
    """The harness failed outside a playbook: the writer could not be started, a disk is full.

    `refusal`: the test could not begin or go on because of it. When it goes on all the same, that is over.
    """

    kind: Literal["trouble"] = "trouble"
    message: str
    step: str = ""
    infrastructure: bool = False
    refusal: bool = False


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
