"""The progress of a run: what the notices so far add up to. Plain state, without a clock or a terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from e2e_ansible.judge.result import StepResult
from e2e_ansible.report.notice import (
    Alerted,
    Attempted,
    CycleStarted,
    Message,
    Notice,
    RunStarted,
    StepEnded,
    StepStarted,
    StepSummary,
    TaskStarted,
    TestEnded,
    TestStarted,
)
from e2e_ansible.report.words import Mark, mark_of
from e2e_ansible.soak.records import Alert
from e2e_ansible.verdict import Verdict

__all__ = ["RunProgress", "StepProgress", "TestProgress"]


@dataclass
class StepProgress:
    """One step: not run, running since `started`, or ended with a result."""

    summary: StepSummary
    started: float | None = None
    deadline_seconds: float = 0
    task: str = ""
    attempt: Attempted | None = None
    result: StepResult | None = None

    @property
    def mark(self) -> Mark:
        """How the step stands."""
        if self.result is not None:
            return mark_of(self.result)
        return Mark.PENDING if self.started is None else Mark.RUNNING


@dataclass
class TestProgress:
    """One running test. `message` is the last thing said about it since a step began or ended."""

    __test__ = False

    name: str
    started: float
    steps: dict[str, StepProgress]
    message: str = ""

    @property
    def focus(self) -> int:
        """The index of the step to look at: the first running, else the last that ended, else the first."""
        marks = [step.mark for step in self.steps.values()]
        if Mark.RUNNING in marks:
            return marks.index(Mark.RUNNING)
        ended = [index for index, mark in enumerate(marks) if mark is not Mark.PENDING]
        return ended[-1] if ended else 0


@dataclass
class RunProgress:
    """The whole run; `running` holds the tests that began and have not ended, in the order they began.

    `alerts` are those of the monitor that go on, by their id; `cycle` is that of a soak which began last.
    """

    run_id: str = ""
    suite: str = ""
    started: float | None = None
    tests: int = 0
    running: dict[str, TestProgress] = field(default_factory=dict)
    ended: Counter[Verdict] = field(default_factory=Counter)
    alerts: dict[str, Alert] = field(default_factory=dict)
    cycle: CycleStarted | None = None

    def take(self, notice: Notice) -> None:
        """Add one notice. One about a test or step that never began changes nothing."""
        match notice:
            case RunStarted():
                self.run_id, self.suite = notice.run_id, notice.suite
                self.started, self.tests = notice.at, len(notice.tests)
            case CycleStarted():
                self.cycle = notice
            case TestStarted():
                steps = {step.id: StepProgress(step) for step in notice.steps}
                self.running[notice.test] = TestProgress(notice.test, notice.at, steps)
            case TestEnded():
                self.running.pop(notice.result.name, None)
                self.ended[notice.result.verdict] += 1
            case Message() if notice.test in self.running:
                self.running[notice.test].message = notice.text
            case Alerted() if notice.alert.ended is None:
                self.alerts[notice.alert.alert_id] = notice.alert
            case Alerted():
                self.alerts.pop(notice.alert.alert_id, None)
            case StepStarted() | TaskStarted() | Attempted() | StepEnded():
                self._take_step(notice)
            case _:
                pass

    def _take_step(self, notice: StepStarted | TaskStarted | Attempted | StepEnded) -> None:
        test = self.running.get(notice.test)
        name = notice.result.id if isinstance(notice, StepEnded) else notice.step
        step = test.steps.get(name) if test else None
        if test is None or step is None:
            return
        match notice:
            case StepStarted():
                step.started, step.deadline_seconds = notice.at, notice.deadline_seconds
                test.message = ""
            case TaskStarted():
                step.task = notice.task
            case Attempted():
                step.attempt = notice
            case StepEnded():
                step.result = notice.result
                test.message = ""
