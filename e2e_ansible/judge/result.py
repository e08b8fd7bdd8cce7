"""The result of steps, tests and runs: the seed's field names, and ours beside them. Times are epoch seconds."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from e2e_ansible.analysis.repeats import RepeatResult
from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.graph_result import GraphResult
from e2e_ansible.load.result import LoadResult
from e2e_ansible.nodes.observation import Observation
from e2e_ansible.suite.model import SourceRef
from e2e_ansible.verdict import Cause, Status, Verdict, exit_code

__all__ = [
    "CheckResult",
    "Failure",
    "FaultResult",
    "GroupResult",
    "LeftOut",
    "Proof",
    "Resumption",
    "RunResult",
    "SoakResult",
    "StepResult",
    "TaskTiming",
    "TestResult",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class CheckResult(_Model):
    """One check after its last attempt; `passed` is None when the observations did not decide it."""

    check: str
    passed: bool | None
    attempts: int
    allow_failure: bool = False
    message: str = ""
    infrastructure: bool = False


class Failure(_Model):
    """One failed task on one host, back to the line of the generated playbook; `action` is its module.

    `changed`: it did not fail, but changed what had to be as it was already; the message tells what.

    `rc` is the exit status of a command that was run and ended badly, None of any other failure.
    """

    host: str
    task: str
    message: str
    kind: Literal["failed", "unreachable", "changed"]
    playbook: str = ""
    playbook_line: int = 0
    role: str = ""
    action: str = ""
    rc: int | None = None
    expected: bool = False


class Proof(_Model):
    """What a destructive act was shown to have done to a host."""

    host: str
    act: str
    proved: bool
    how: str = ""
    seconds: float = 0


class TaskTiming(_Model):
    """How long one task took on one host, in seconds."""

    host: str
    task: str
    seconds: float
    status: str


class Resumption(_Model):
    """The run had died and went on: when, and for how many seconds nobody had looked."""

    at: float
    dead: float


class StepResult(_Model):
    """One step. `duration` is in seconds; `log` is the path of Ansible's output, relative to the test's folder.

    `engine` ran its last attempt; `engine_reason` says why that was not the one asked for.
    """

    index: int
    id: str
    step_type: str
    description: str
    phase: str = ""
    status: Status
    verdict: Verdict | None = None
    cause: Cause | None = None
    started: float | None = None
    ended: float | None = None
    duration: float = 0
    error: str | None = None
    attempts: int = 0
    retried: tuple[str, ...] = Field((), description="What made it fail and passed by itself, try by try")
    validation_results: tuple[CheckResult, ...] = ()
    failures: tuple[Failure, ...] = ()
    proofs: tuple[Proof, ...] = ()
    slowest: tuple[TaskTiming, ...] = ()
    observation: Observation | None = None
    load: LoadResult | None = Field(None, description="What a load tool measured")
    registered: dict[str, object] | None = None
    omitted: str = Field("", description="Why it was left out: its condition did not hold")
    resumed: str = Field("", description="How it was taken up after the run had died in it")
    dead: float = Field(0, description="Seconds between its start and end without a run; not in `duration`")
    hosts: tuple[str, ...] = ()
    log: str = ""
    playbook: str = ""
    engine: str = ""
    engine_reason: str = ""
    source: SourceRef

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = handler(self)
        return {key: item for key, item in made.items() if item or key not in ("load", "retried")}


class GroupResult(_Model):
    """A group of steps. `steps` are the ids of all in it, in the order of the text; `depth` 0 is no part of another.

    Those of its rescue and its end, which are in `steps` too, are also told apart.
    """

    id: str
    name: str
    depth: int = 0
    parallel: bool = False
    steps: tuple[str, ...]
    rescue: tuple[str, ...] = ()
    final: tuple[str, ...] = ()


class FaultResult(_Model):
    """One fault on one node, as the ledger has it; None for what did not happen. `open`: it may still be there."""

    id: str
    fault: str
    node: str
    step: str = ""
    name: str = ""
    intended: float
    injected: float | None = None
    effect: float | None = None
    effect_proved: bool | None = None
    healed: float | None = None
    open: bool = False
    message: str = ""


class TestResult(_Model):
    """One test. `success` is True only for a pass that was earned.

    `duration` is in seconds, without those in which the run was dead.
    """

    __test__ = False

    deployment_id: str
    name: str
    provider: str
    description: str = ""
    success: bool
    verdict: Verdict
    cause: Cause | None = None
    error: str | None = None
    started: float | None = None
    ended: float | None = None
    duration: float = 0
    kept: bool = False
    clean_up: str = ""
    evidence: tuple[str, ...] = Field(
        (), description="Folders of collected logs, relative to the test's folder"
    )
    folder: str = Field("", description="The test's folder, relative to the run folder")
    plan_hash: str = ""
    time_class: str = Field("", description="How long its steps were to take together, by name")
    repetition: int = Field(
        0, description="Which one of several equal runs it is, from 1 on; 0 of a single one"
    )
    workflow_steps: tuple[StepResult, ...] = ()
    resumptions: tuple[Resumption, ...] = ()
    clients: tuple[ClientResult, ...] = ()
    groups: tuple[GroupResult, ...] = ()
    faults: tuple[FaultResult, ...] = ()
    graph: GraphResult | None = Field(
        None, description="Of a test in which anything ran beside anything else"
    )

    @property
    def test(self) -> str:
        """The name in the suite, also of a repetition."""
        return self.name.removesuffix(f"#{self.repetition}") if self.repetition else self.name

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = handler(self)
        return {
            key: item
            for key, item in made.items()
            if item or key not in ("graph", "time_class", "repetition")
        }


class SoakResult(_Model):
    """The cycles of a soak, counted. `stopped` is why it ended, '' while it runs and for ever if it was killed.

    `asked` is None for as many cycles as the time allows. `left_out` are cycles that did not pass and are not among
    the tests of the run: their folders are. Of a rehearsal (`dry_run`) nothing was tested.
    """

    asked: int | None = None
    cycles: int = 0
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    swaps: int = 0
    left_out: int = 0
    stopped: str = ""
    clean_up: str = ""
    kept: bool = False
    dry_run: bool = False


class LeftOut(_Model):
    """A test that was not begun, and why."""

    name: str
    reason: str


class RunResult(_Model):
    """All tests of one run. `finished` is False while it runs, and after it was killed or interrupted twice.

    Of a soak the tests are its set-up, some cycles that did not pass, and its end; the counts are of all. `repeats`
    are tests that were run several times. `left_out` says of those in `not_run` why they were not begun.
    """

    run_id: str
    suite: str
    verdict: Verdict
    cause: Cause | None = None
    started: float | None = None
    ended: float | None = None
    duration: float = 0
    finished: bool = False
    total_tests: int
    passed: int
    failed: int
    unknown: int
    tests: tuple[TestResult, ...]
    not_run: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    soak: SoakResult | None = None
    repeats: tuple[RepeatResult, ...] = ()

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = handler(self)
        return {key: item for key, item in made.items() if item or key not in ("soak", "repeats", "left_out")}

    @property
    def reasons(self) -> dict[str, tuple[str, ...]]:
        """Why tests were not begun, with those of each reason, in their order."""
        found: dict[str, tuple[str, ...]] = {}
        for each in self.left_out:
            found[each.reason] = (*found.get(each.reason, ()), each.name)
        return found

    @property
    def exit_code(self) -> int:
        """The exit code of the worst test (see `judge.verdict.exit_code`)."""
        return exit_code(self.verdict, self.cause)
