"""All attempts at one step to its result. The last whole attempt decides; the earlier ones say how long it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Ended
from e2e_ansible.judge.attempt import Judged, judge_attempt
from e2e_ansible.judge.record import StepRecord
from e2e_ansible.judge.result import CheckResult, StepResult
from e2e_ansible.verdict import Cause, Status, Verdict

__all__ = ["Events", "judge_step", "log_path"]

Events = Mapping[tuple[str, int], Sequence[Event]]


def log_path(step: PlannedStep) -> str:
    """Where Ansible's output of a step is, relative to the test's folder."""
    return f"steps/{step.id}/ansible.log"


def judge_step(plan: Plan, step: PlannedStep, record: StepRecord | None, events: Events) -> StepResult:
    """Judge one step; `events` are by step id and number of the attempt."""
    result = StepResult(
        index=step.index,
        id=step.id,
        step_type=step.type,
        description=step.description,
        status=Status.SKIPPED,
        hosts=step.hosts,
        playbook=f"plan/{step.playbook}",
        source=step.source,
    )
    if record is None:
        return result
    attempts = [
        judge_attempt(plan, step, attempt, events.get((step.id, attempt.number), ()))
        for attempt in record.attempts
    ]
    last = _with_troubles(record, _deciding(record, attempts))
    facts = last.facts
    return result.model_copy(
        update={
            "status": _status(record, last),
            "verdict": last.verdict,
            "cause": last.cause,
            "started": record.started,
            "ended": record.ended,
            "duration": (record.ended or record.started) - record.started,
            "error": last.error,
            "attempts": len(attempts),
            "validation_results": tuple(_held_since(check, attempts) for check in last.checks),
            "failures": (*facts.failures, *facts.unproved),
            "proofs": tuple(facts.proofs),
            "slowest": facts.slowest,
            "observation": last.observation,
            "registered": facts.registered(step.hosts) if step.judgement.register_as else None,
            "log": log_path(step) if attempts else "",
            **_engine(record),
        }
    )


def _engine(record: StepRecord) -> Mapping[str, str]:
    outcomes = [attempt.ended.outcome for attempt in record.attempts if attempt.ended is not None]
    return {"engine": outcomes[-1].engine, "engine_reason": outcomes[-1].why} if outcomes else {}


def _deciding(record: StepRecord, attempts: Sequence[Judged]) -> Judged:
    """The last attempt; but a look that the deadline cut short takes nothing back of what the one before it saw."""
    if not attempts:
        return _no_attempt(record)
    ended = record.attempts[-1].ended
    cut = ended is not None and ended.outcome.ended is Ended.TIMEOUT
    return attempts[-2] if cut and len(attempts) > 1 else attempts[-1]


def _no_attempt(record: StepRecord) -> Judged:
    if record.ended is None:
        return Judged(Verdict.UNKNOWN, Cause.HARNESS, "the run was killed in this step")
    return Judged(Verdict.UNKNOWN, Cause.INTERRUPT, "interrupted before it was run")


def _with_troubles(record: StepRecord, last: Judged) -> Judged:
    """Trouble of the harness in a step spoils a pass, and explains an undecided verdict."""
    if not record.troubles or last.verdict is Verdict.FAIL:
        return last
    cause = Cause.INFRASTRUCTURE if record.troubles[0].infrastructure else Cause.HARNESS
    text = "\n".join(trouble.message for trouble in record.troubles)
    return Judged(Verdict.FAIL, cause, text, last.facts, last.checks, last.observation)


def _status(record: StepRecord, last: Judged) -> Status:
    if record.ended is None or last.cause is Cause.INTERRUPT:
        return Status.INTERRUPTED
    return Status.COMPLETED if last.verdict is Verdict.PASS else Status.FAILED


def _held_since(check: CheckResult, attempts: Sequence[Judged]) -> CheckResult:
    """The check with the number of looks after which it held for good; all of them if it never did."""
    looks = len(attempts)
    if check.passed:
        while looks > 1 and _passed(check.check, attempts[looks - 2]):
            looks -= 1
    return check.model_copy(update={"attempts": looks})


def _passed(name: str, judged: Judged) -> bool:
    return any(check.check == name and check.passed is True for check in judged.checks)
