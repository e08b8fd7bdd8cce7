"""All attempts at one step to its result. The last whole attempt decides; the earlier ones say how long it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Ended
from e2e_ansible.judge.attempt import Judged, judge_attempt
from e2e_ansible.judge.pasts import NO_PASTS, Pasts
from e2e_ansible.judge.record import StepRecord
from e2e_ansible.judge.result import CheckResult, StepResult
from e2e_ansible.judge.transient import passing_trouble
from e2e_ansible.verdict import Cause, Status, Verdict

__all__ = ["Events", "judge_step", "log_path"]

_HOW = {
    "again": "the run had died in it, and it was played once more",
    "whole": "the run had died after it was played",
    "never": "the run had died in it, and it may not be repeated",
    "anew": "it was played once more after the run had died",
}
Events = Mapping[tuple[str, int], Sequence[Event]]


def log_path(step: PlannedStep) -> str:
    """Where Ansible's output of a step is, relative to the test's folder."""
    return f"steps/{step.id}/ansible.log"


def judge_step(
    plan: Plan,
    step: PlannedStep,
    record: StepRecord | None,
    events: Events,
    histories: Pasts = NO_PASTS,
) -> StepResult:
    """Judge one step; `events` are by step id and number of the attempt, `histories` those of the test's clients."""
    result = _not_begun(step)
    if record is None:
        return result
    if record.omitted:
        return result.model_copy(update={"status": Status.OMITTED, "omitted": record.omitted})
    record = record.model_copy(update={"attempts": [each for each in record.attempts if not each.cut]})
    attempts = [
        judge_attempt(plan, step, attempt, events.get((step.id, attempt.number), ()), histories)
        for attempt in record.attempts
    ]
    deciding = _worst_look(record, attempts) if step.watch else _deciding(step, record, attempts)
    last = _with_troubles(record, deciding)
    last = _before_anything(last) if step.precondition else last
    return result.model_copy(
        update={**_times(record), **_found(step, last), **_tried(step, record, attempts, last)}
    )


def _not_begun(step: PlannedStep) -> StepResult:
    return StepResult(
        index=step.index,
        id=step.id,
        step_type=step.type,
        description=step.description,
        phase=step.phase,
        status=Status.SKIPPED,
        hosts=step.hosts,
        playbook=f"plan/{step.playbook}",
        source=step.source,
    )


def _times(record: StepRecord) -> dict[str, object]:
    return {
        "started": record.started,
        "ended": record.ended,
        "duration": max(0.0, (record.ended or record.started) - record.started - record.dead),
        "dead": record.dead,
        "resumed": _resumed(record),
    }


def _found(step: PlannedStep, last: Judged) -> dict[str, object]:
    """The verdict, and what it rests on."""
    facts = last.facts
    return {
        "verdict": last.verdict,
        "cause": last.cause,
        "error": last.error,
        "failures": (*facts.failures, *facts.unproved, *facts.changes),
        "proofs": tuple(facts.proofs),
        "slowest": facts.slowest,
        "observation": last.observation,
        "load": last.load,
        "registered": facts.registered(step.hosts) if step.judgement.register_as else None,
    }


def _tried(
    step: PlannedStep, record: StepRecord, attempts: Sequence[Judged], last: Judged
) -> dict[str, object]:
    return {
        "status": _status(record, last),
        "attempts": len(attempts),
        "retried": _retried(step, record, attempts),
        "validation_results": tuple(_held_since(check, attempts) for check in last.checks),
        "log": log_path(step) if attempts else "",
        **_engine(record),
    }


def _engine(record: StepRecord) -> Mapping[str, str]:
    outcomes = [attempt.ended.outcome for attempt in record.attempts if attempt.ended is not None]
    return {"engine": outcomes[-1].engine, "engine_reason": outcomes[-1].why} if outcomes else {}


def _retried(step: PlannedStep, record: StepRecord, attempts: Sequence[Judged]) -> tuple[str, ...]:
    """What each try but the last failed with, if the step was played again because of it."""
    tries = zip(record.attempts[:-1], attempts[:-1], strict=True)
    return tuple(filter(None, (passing_trouble(step, one, judged.facts) for one, judged in tries)))


def _deciding(step: PlannedStep, record: StepRecord, attempts: Sequence[Judged]) -> Judged:
    """The last attempt; but a look that the deadline cut short takes nothing back of what the one before it saw."""
    if not attempts or _never(record):
        return _no_attempt(record)
    ended = record.attempts[-1].ended
    cut = ended is not None and ended.outcome.ended is Ended.TIMEOUT
    looks = step.judgement.observes and len(attempts) > 1
    return attempts[-2] if cut and looks else attempts[-1]


def _worst_look(record: StepRecord, attempts: Sequence[Judged]) -> Judged:
    """Every look must hold: the first that failed decides, else the first that was not decided."""
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        for number, judged in enumerate(attempts):
            if judged.verdict is verdict and judged.cause is not Cause.INTERRUPT:
                seconds = record.attempts[number].started - record.started
                text = f"look {number + 1} of {len(attempts)}, after {seconds:.1f} s: {judged.error}"
                return replace(judged, error=text)
    return attempts[-1] if attempts else _no_attempt(record)


def _before_anything(judged: Judged) -> Judged:
    """A steady state that did not hold before an experiment says nothing about it."""
    if judged.verdict is Verdict.PASS or judged.cause is Cause.INTERRUPT:
        return judged
    text = f"the experiment did not begin, as the steady state did not hold before it: {judged.error}"
    return replace(judged, verdict=Verdict.UNKNOWN, cause=Cause.INFRASTRUCTURE, error=text)


def _resumed(record: StepRecord) -> str:
    return "\n".join(f"{_HOW[entry.how]}{entry.reason and f': {entry.reason}'}" for entry in record.resumed)


def _never(record: StepRecord) -> bool:
    return bool(record.resumed) and record.resumed[-1].how == "never"


def _no_attempt(record: StepRecord) -> Judged:
    if _never(record):
        return Judged(Verdict.UNKNOWN, Cause.HARNESS, record.resumed[-1].reason)
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
