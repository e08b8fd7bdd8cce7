"""A run as a script: the notices that a recorded result would have made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from e2e_ansible.judge.result import RunResult, StepResult, TestResult
from e2e_ansible.report.notice import (
    Attempted,
    Message,
    Notice,
    Output,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    StepSummary,
    TaskStarted,
    TestEnded,
    TestStarted,
)

FOLDER = Path(__file__).parents[2] / "data" / "results"
SAMPLES = sorted(path.stem for path in FOLDER.glob("*.json"))


def sample(name: str) -> RunResult:
    """One of the recorded results, by the name of its file."""
    return RunResult.model_validate_json((FOLDER / f"{name}.json").read_text("utf-8"))


def notices(result: RunResult) -> Iterator[Notice]:
    """All notices of a run, its tests one after the other."""
    begin = result.started or 0
    folder = f"runs/{result.run_id}"
    names = tuple(test.name for test in result.tests) + result.not_run
    yield RunStarted(at=begin, run_id=result.run_id, folder=folder, suite=result.suite, tests=names)
    for test in result.tests:
        yield from _of_test(test)
    yield RunEnded(at=begin + result.duration, result=result, folder=folder)


def _of_test(test: TestResult) -> Iterator[Notice]:
    begin = test.started or 0
    steps = tuple(
        StepSummary(
            id=step.id,
            type=step.step_type,
            description=step.description,
            hosts=step.hosts,
            source=step.source,
        )
        for step in test.workflow_steps
    )
    yield TestStarted(at=begin, test=test.name, deployment_id=test.deployment_id, steps=steps)
    for step in test.workflow_steps:
        yield from _of_step(test.name, step)
    end = begin + test.duration
    yield Message(at=end, test=test.name, text="collecting evidence")
    yield Message(at=end, test=test.name, level="warning", text="n12 does not answer")
    yield TestEnded(at=end, result=test)


def _of_step(test: str, step: StepResult) -> Iterator[Notice]:
    if step.started is None:
        return
    at = step.started
    yield StepStarted(at=at, test=test, step=step.id, deadline_seconds=600)
    for timing in step.slowest:
        yield TaskStarted(at=at, test=test, step=step.id, task=timing.task)
    yield Output(at=at, test=test, step=step.id, text="\x1b[32mok: [n11]\x1b[0m\r\nTASK [next]")
    for attempt in range(1, step.attempts + 1):
        yield Attempted(
            at=at,
            test=test,
            step=step.id,
            attempt=attempt,
            max_attempts=5,
            checks=step.validation_results,
            next_in=None if attempt == step.attempts else 4,
        )
    yield StepEnded(at=at + step.duration, test=test, result=step)
