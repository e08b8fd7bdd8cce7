"""The spans of one test: phases if it has some, steps, and every attempt at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from opentelemetry.trace import Span

from e2e_ansible.judge.record import AttemptRecord, StepRecord
from e2e_ansible.judge.result import CheckResult, StepResult, TestResult
from e2e_ansible.notify.tracer import Tracer, end
from e2e_ansible.report.finding import failing
from e2e_ansible.verdict import Verdict, worst

__all__ = ["Tree"]

Path = tuple[str, ...]


@dataclass(frozen=True)
class Tree:
    """A test that has ended: its result, when its attempts were, and what the checks of each came to.

    `checks` has those that were told, by step and number of the attempt; `over` is when the test ended.
    """

    tracer: Tracer
    result: TestResult
    steps: Mapping[str, StepRecord]
    checks: Mapping[tuple[str, int], Sequence[CheckResult]]
    over: float

    def grow(self, test: Span, path: Path) -> None:
        """Make all spans below that of the test. Steps that were never begun have none."""
        begun = [step for step in self.result.workflow_steps if step.started is not None]
        for phase, steps in groupby(begun, lambda step: step.phase):
            self._phase(phase, list(steps), test, path)

    def _phase(self, phase: str, steps: Sequence[StepResult], test: Span, path: Path) -> None:
        if not phase:
            for step in steps:
                self._step(step, test, path)
            return
        path = (*path, "phase", phase)
        begin = min(step.started or self.over for step in steps)
        span = self.tracer.begin(f"phase {phase}", path, test, begin, {"e2e.phase": phase})
        for step in steps:
            self._step(step, span, path)
        verdict = worst(step.verdict for step in steps if step.verdict is not None)
        (decided, *_) = [step for step in steps if step.verdict is verdict] or steps
        end(span, max(step.ended or self.over for step in steps), verdict, decided.cause, decided.error)

    def _step(self, step: StepResult, parent: Span, path: Path) -> None:
        path = (*path, "step", step.id)
        attributes = {
            "e2e.step.id": step.id,
            "e2e.step.type": step.step_type,
            "e2e.step.description": step.description,
            "e2e.step.status": step.status.value,
            "e2e.step.attempts": step.attempts,
            "e2e.step.hosts": step.hosts,
            "e2e.engine": step.engine,
        }
        begin = step.started if step.started is not None else self.over
        span = self.tracer.begin(f"step {step.step_type}", path, parent, begin, attributes)
        attempts = self.steps[step.id].attempts if step.id in self.steps else []
        for place, attempt in enumerate(attempts):
            self._attempt(step, attempt, span, (*path, "attempt", str(place)), only=len(attempts) == 1)
        last = step.ended if step.ended is not None else self.over
        end(span, last, step.verdict, step.cause, step.error)

    def _attempt(
        self, step: StepResult, attempt: AttemptRecord, parent: Span, path: Path, *, only: bool
    ) -> None:
        """The verdict is that of its checks, or that of the step if it is its only attempt; else nobody told it."""
        checks = tuple(self.checks.get((step.id, attempt.number), ()))
        attributes: dict[str, str | int | Sequence[str]] = {
            "e2e.attempt": attempt.number,
            "e2e.attempt.ended": attempt.ended.outcome.ended.value if attempt.ended else "killed",
        }
        if checks:
            attributes["e2e.checks.failing"] = [check.check for check in failing(checks)]
        span = self.tracer.begin("attempt", path, parent, attempt.started, attributes)
        last = attempt.ended.at if attempt.ended else step.ended or self.over
        if only:
            end(span, last, step.verdict, step.cause, step.error)
        else:
            end(span, last, _verdict(checks), None, None)


def _verdict(checks: tuple[CheckResult, ...]) -> Verdict | None:
    if not checks:
        return None
    bad = failing(checks)
    failed = any(check.passed is False for check in bad)
    return Verdict.FAIL if failed else Verdict.UNKNOWN if bad else Verdict.PASS
