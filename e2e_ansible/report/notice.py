"""What a run says while it happens. Listeners (terminal, plain lines, JSON lines, test log) get every notice."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from e2e_ansible.judge.result import CheckResult, RunResult, StepResult, TestResult
from e2e_ansible.soak.records import Alert
from e2e_ansible.suite.model import SourceRef

__all__ = [
    "Alerted",
    "Attempted",
    "CycleStarted",
    "Listener",
    "Message",
    "Notice",
    "Output",
    "RunEnded",
    "RunStarted",
    "StepEnded",
    "StepStarted",
    "StepSummary",
    "TaskStarted",
    "TestEnded",
    "TestStarted",
]


class _Notice(BaseModel):
    model_config = ConfigDict(frozen=True)

    at: float


class StepSummary(BaseModel):
    """A step that is going to run; `hosts` are those it acts on."""

    id: str
    type: str
    description: str
    hosts: tuple[str, ...] = ()
    phase: str = ""
    source: SourceRef


class RunStarted(_Notice):
    """The run folder exists; `tests` are the names in the order they will be tried."""

    kind: Literal["run_started"] = "run_started"
    run_id: str
    folder: str
    suite: str
    tests: tuple[str, ...]


class TestStarted(_Notice):
    """One test begins, with all its steps."""

    __test__ = False
    kind: Literal["test_started"] = "test_started"
    test: str
    deployment_id: str
    steps: tuple[StepSummary, ...]


class CycleStarted(_Notice):
    """A cycle of a soak begins; `of` is None when only the time bounds them. The first context takes writes."""

    kind: Literal["cycle_started"] = "cycle_started"
    cycle: int
    of: int | None = None
    contexts: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """It in words."""
        of = f" of {self.of}" if self.of else ""
        return f"cycle {self.cycle}{of}" + (f", {self.contexts[0]} is primary" if self.contexts else "")


class StepStarted(_Notice):
    """A step begins; the deadline is in seconds."""

    kind: Literal["step_started"] = "step_started"
    test: str
    step: str
    deadline_seconds: float


class TaskStarted(_Notice):
    """Ansible begins a task."""

    kind: Literal["task_started"] = "task_started"
    test: str
    step: str
    task: str


class Output(_Notice):
    """A piece of Ansible's own output (shown with -v)."""

    kind: Literal["output"] = "output"
    test: str
    step: str
    text: str


class Attempted(_Notice):
    """One attempt of a validate step was judged; `next_in` is the wait in seconds, None if it was the last."""

    kind: Literal["attempted"] = "attempted"
    test: str
    step: str
    attempt: int
    max_attempts: int
    checks: tuple[CheckResult, ...]
    next_in: float | None = None


class StepEnded(_Notice):
    """A step has its result."""

    kind: Literal["step_ended"] = "step_ended"
    test: str
    result: StepResult


class Message(_Notice):
    """A line for the user: collecting evidence, cleaning up, an interrupt."""

    kind: Literal["message"] = "message"
    test: str = ""
    level: Literal["info", "warning", "error"] = "info"
    text: str


class Alerted(_Notice):
    """The monitor of a soak raises an alert, or one is over: then it has `ended`."""

    kind: Literal["alerted"] = "alerted"
    alert: Alert


class TestEnded(_Notice):
    """A test has its result; clean-up is done or was not asked for."""

    __test__ = False
    kind: Literal["test_ended"] = "test_ended"
    result: TestResult


class RunEnded(_Notice):
    """The run is over and everything is on disk."""

    kind: Literal["run_ended"] = "run_ended"
    result: RunResult
    folder: str


Notice = (
    RunStarted
    | CycleStarted
    | TestStarted
    | StepStarted
    | TaskStarted
    | Output
    | Attempted
    | StepEnded
    | Message
    | Alerted
    | TestEnded
    | RunEnded
)


class Listener(Protocol):
    """Takes notices; called from the threads of the tests, one call at a time."""

    def __call__(self, notice: Notice) -> None:
        """Handle one notice. It must not raise: one that does is told nothing more."""
        ...
