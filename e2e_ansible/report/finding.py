"""Findings: what a step other than pass has to say for itself, in the order a reader needs it."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_ansible.judge.result import CheckResult, Failure, Proof, StepResult
from e2e_ansible.report.words import Mark, clean, count, duration, mark_of, shorten

__all__ = ["Finding", "allowed", "check_words", "failing", "findings"]

_LONG = 1_000_000
_VERBS = {"failed": "failed in", "unreachable": "could not be reached in", "changed": "has changed in"}


@dataclass(frozen=True)
class Finding:
    """One labelled fact. The label is one of error, check, task, proof, at, suite, log."""

    label: str
    text: str


def failing(checks: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    """The checks that stand in the way of a pass: not passed and not allowed to fail."""
    return tuple(check for check in checks if check.passed is not True and not check.allow_failure)


def allowed(checks: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    """The checks that did not pass and were allowed not to."""
    return tuple(check for check in checks if check.passed is not True and check.allow_failure)


def check_words(check: CheckResult) -> str:
    """Like `cluster_status failed after 5 attempts: n12 does not answer`."""
    state = {True: "passed", False: "failed", None: "was not decided"}[check.passed]
    tries = f" after {count(check.attempts, 'attempt')}" if check.attempts > 1 else ""
    infra = " (not the product under test)" if check.infrastructure else ""
    seen = f": {check.message}" if check.message else ""
    return f"{check.check} {state}{tries}{infra}{seen}"


def findings(step: StepResult, *, full: bool = True) -> tuple[Finding, ...]:
    """All findings of a step; unless `full`, long messages are cut. None if it passed or never ran."""
    if mark_of(step) in (Mark.PASS, Mark.SKIPPED, Mark.PENDING):
        return ()
    lines, characters = (_LONG, _LONG) if full else (4, 320)
    found = [
        Finding(item.label, shorten(clean(item.text).strip(), lines=lines, characters=characters))
        for item in _all(step)
    ]
    return tuple(dict.fromkeys(found))


def _all(step: StepResult) -> list[Finding]:
    unexpected = [failure for failure in step.failures if not failure.expected]
    found = [Finding("error", step.error)] if step.error and not _told(step, unexpected) else []
    found += [Finding("check", check_words(check)) for check in failing(step.validation_results)]
    for failure in unexpected:
        found += _failure(failure)
    found += [Finding("proof", _proof(proof)) for proof in step.proofs if not proof.proved]
    if not any(failure.playbook for failure in unexpected) and step.playbook:
        found.append(Finding("at", step.playbook))
    found.append(Finding("suite", str(step.source)))
    if step.log:
        found.append(Finding("log", step.log))
    return found


def _told(step: StepResult, unexpected: list[Failure]) -> bool:
    """Whether the error only says once more what the checks say, or one of the tasks."""
    error = step.error or ""
    checks = "\n".join(f"{check.check}: {check.message}" for check in failing(step.validation_results))
    tasks = (task for task in unexpected if error.startswith(f"{task.host}: ") and task.task in error)
    return error == checks or any(error.endswith(task.message) for task in tasks)


def _failure(failure: Failure) -> list[Finding]:
    role = f" (role {failure.role})" if failure.role else ""
    verb = _VERBS[failure.kind]
    found = [Finding("task", f"{failure.host} {verb} {failure.task!r}{role}: {failure.message}")]
    if failure.playbook:
        line = f":{failure.playbook_line}" if failure.playbook_line else ""
        found.append(Finding("at", f"{failure.playbook}{line}"))
    return found


def _proof(proof: Proof) -> str:
    how = f": {proof.how}" if proof.how else ""
    return f"{proof.act} of {proof.host} was not proved within {duration(proof.seconds)}{how}"
