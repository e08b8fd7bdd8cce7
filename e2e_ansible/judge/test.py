"""The steps of one test, its clean-up and its troubles to the result of the test."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.compile.plan import Plan
from e2e_ansible.judge.record import TestRecord
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.judge.step import Events, judge_step
from e2e_ansible.verdict import Cause, Status, Verdict

__all__ = ["judge_test"]

_Decision = tuple[Verdict, Cause | None, str | None]


def judge_test(plan: Plan, record: TestRecord, events: Events, *, folder: str = "") -> TestResult:
    """Judge one test as far as it came. `folder` is where it lies in its run, '' for none."""
    steps = tuple(judge_step(plan, step, record.steps.get(step.id), events) for step in plan.steps)
    verdict, cause, error = _decide(record, steps)
    return TestResult(
        deployment_id=record.deployment,
        name=plan.name,
        provider=plan.provider,
        description=plan.description,
        success=verdict is Verdict.PASS,
        verdict=verdict,
        cause=cause,
        error=error,
        started=record.started,
        ended=record.ended,
        duration=_duration(record),
        kept=record.clean_up is not None and record.clean_up.kept,
        clean_up=record.clean_up.message if record.clean_up else "",
        evidence=tuple(evidence.folder for evidence in record.evidence),
        folder=folder,
        plan_hash=record.plan_hash,
        workflow_steps=steps,
    )


def _duration(record: TestRecord) -> float:
    """Seconds until its end, or until its last word if it was killed."""
    if record.started is None or record.last is None:
        return 0.0
    return (record.ended or record.last) - record.started


def _decide(record: TestRecord, steps: Sequence[StepResult]) -> _Decision:
    """The first step that is not a pass decides; a clean-up that failed spoils a pass."""
    verdict, cause, error = _decide_steps(record, steps)
    clean_up = record.clean_up
    if clean_up is None or clean_up.ok or clean_up.kept:
        return verdict, cause, error
    if verdict is Verdict.PASS:
        return Verdict.FAIL, Cause.CLEAN_UP, clean_up.message
    return verdict, cause, f"{error}\nclean-up: {clean_up.message}"


def _decide_steps(record: TestRecord, steps: Sequence[StepResult]) -> _Decision:
    for step in steps:
        if step.verdict is not None and step.verdict is not Verdict.PASS:
            return step.verdict, step.cause, f"{step.id}: {step.error}"
    if record.troubles:
        first = record.troubles[0]
        return Verdict.FAIL, Cause.INFRASTRUCTURE if first.infrastructure else Cause.HARNESS, first.message
    not_run = [step.id for step in steps if step.status is not Status.COMPLETED]
    if record.interrupted and not_run:
        return Verdict.UNKNOWN, Cause.INTERRUPT, f"interrupted before {not_run[0]}"
    if not_run or record.ended is None or record.clean_up is None:
        place = f"before {not_run[0]}" if not_run else "in its clean-up"
        return Verdict.UNKNOWN, Cause.HARNESS, f"the run was killed {place}"
    return Verdict.PASS, None, None
