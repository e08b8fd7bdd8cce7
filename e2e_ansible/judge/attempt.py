"""One run of a step's playbook to a verdict: rules in a fixed order, the first that speaks decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from e2e_ansible.checks.base import Ranges, Situation
from e2e_ansible.checks.registry import evaluate, parse
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Ended
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.cause import cause_of, is_infrastructure
from e2e_ansible.judge.entry import AttemptEnded
from e2e_ansible.judge.fold import Facts, fold
from e2e_ansible.judge.load import judge_load, load_of
from e2e_ansible.judge.pasts import NO_PASTS, Pasts
from e2e_ansible.judge.record import AttemptRecord
from e2e_ansible.judge.result import CheckResult, Failure
from e2e_ansible.load.result import LoadResult
from e2e_ansible.nodes.observation import Observation
from e2e_ansible.oracle.history import Record
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["Judged", "checks_of", "judge_attempt", "roots", "situation"]

_RC_FAILED_HOSTS = (2, 4)
_HOW = {"failed": "failed", "unreachable": "is unreachable", "changed": "is no longer as it was installed"}
_FOLLOWED = "another node of the play failed"


@dataclass(frozen=True)
class Judged:
    """The verdict on one attempt, and what it rests on. `checks` is empty unless the step observes.

    `load` is what a load tool measured, also where the attempt failed for another reason.
    """

    verdict: Verdict
    cause: Cause | None = None
    error: str | None = None
    facts: Facts = field(default_factory=Facts)
    checks: tuple[CheckResult, ...] = ()
    observation: Observation | None = None
    load: LoadResult | None = None


@dataclass(frozen=True)
class _Case:
    plan: Plan
    step: PlannedStep
    ended: AttemptEnded
    facts: Facts
    started: float
    histories: Mapping[str, Sequence[Record]]


_Finding = tuple[Verdict, Cause, str]


def judge_attempt(
    plan: Plan,
    step: PlannedStep,
    attempt: AttemptRecord,
    events: Iterable[Event],
    histories: Pasts = NO_PASTS,
) -> Judged:
    """Judge one attempt. Pure: the same record, events and histories give the same verdict, now and from a folder."""
    facts = fold(step, events)
    if attempt.ended is None:
        return Judged(Verdict.UNKNOWN, Cause.HARNESS, "the run was killed in this step", facts)
    seen = histories.at(attempt.ended.histories)
    case = _Case(plan, step, attempt.ended, facts, attempt.started, seen)
    load = load_of(facts.load, attempt.ended.load)
    for rule in _RULES:
        finding = rule(case)
        if finding is not None:
            verdict, cause, error = finding
            return Judged(verdict, cause, error, facts, load=load)
    if step.judgement.load is not None:
        return Judged(*judge_load(load, step.judgement.load), facts=facts, load=load)
    return _judge_checks(case) if step.judgement.observes else Judged(Verdict.PASS, facts=facts)


def checks_of(step: PlannedStep) -> tuple[str, ...]:
    """The checks that a step asks for, then those it only allows to fail."""
    return tuple(dict.fromkeys((*step.judgement.checks, *step.judgement.allow_failures)))


def situation(
    plan: Plan,
    observation: Observation,
    acknowledged: Ranges | None,
    histories: Mapping[str, Sequence[Record]] | None = None,
    last_fault: tuple[float, str] | None = None,
) -> Situation:
    """What the checks of a plan are held against."""
    return Situation(
        observation=observation,
        expected={node.name: node.labels for node in plan.nodes},
        database=plan.database,
        primary=plan.primary,
        acknowledged=acknowledged,
        histories=histories or {},
        last_fault=last_fault,
        contexts=plan.contexts,
    )


def _how_it_ended(case: _Case) -> _Finding | None:
    outcome, judgement = case.ended.outcome, case.step.judgement
    match outcome.ended:
        case Ended.CANCELED:
            return Verdict.UNKNOWN, Cause.INTERRUPT, outcome.message or "interrupted"
        case Ended.ERROR:
            return Verdict.FAIL, _harness_or_infrastructure(outcome.message), outcome.message
        case Ended.LOST:
            return Verdict.UNKNOWN, Cause.INFRASTRUCTURE, outcome.message
        case Ended.COMPLETED:
            return None
        case _:  # Ended.TIMEOUT
            return Verdict.FAIL, judgement.timeout_cause, outcome.message + _under_way(case.facts)


def _under_way(facts: Facts) -> str:
    """What was being done when the time was over, and where."""
    return "".join(f"; {host}: {task!r} was under way" for host, task in facts.under_way.items())


def _failed_task(case: _Case) -> _Finding | None:
    failures = roots(case.facts.failures)
    if not failures:
        return None
    first = failures[0]
    return Verdict.FAIL, cause_of(first, case.step.judgement.failure_cause), _sentence(first)


def roots(failures: Iterable[Failure]) -> list[Failure]:
    """The failures that were not to be expected, without those that only follow from another node's."""
    real = [failure for failure in failures if not failure.expected]
    return [failure for failure in real if _FOLLOWED not in failure.message] or real


def _missing_proof(case: _Case) -> _Finding | None:
    judgement = case.step.judgement
    if case.facts.unproved:
        return judgement.unproved, judgement.failure_cause, _sentence(case.facts.unproved[0])
    if judgement.chooses and not case.facts.targets:
        return judgement.unproved, judgement.failure_cause, "nothing tells which nodes were chosen"
    needed = (*judgement.proofs, *(case.facts.targets if judgement.chooses else ()))
    unproved = [host for host in needed if not _proved(case.facts, host)]
    if unproved:
        text = f"nothing proves what was done to {', '.join(unproved)}"
        return judgement.unproved, judgement.failure_cause, text
    return None


def _proved(facts: Facts, host: str) -> bool:
    """Whether every proof of the host holds; that its services settled, or that it was chosen, proves no act."""
    proofs = [
        proof for proof in facts.proofs if proof.host == host and proof.act not in ("settled", "chosen")
    ]
    return bool(proofs) and all(proof.proved for proof in proofs)


def _ansible_failed(case: _Case) -> _Finding | None:
    facts, outcome = case.facts, case.ended.outcome
    explained = outcome.rc in _RC_FAILED_HOSTS and bool(facts.failures)
    if outcome.rc != 0 and not explained:
        text = "\n".join(facts.messages) or f"ansible-playbook ended with status {outcome.rc}"
        return Verdict.FAIL, _harness_or_infrastructure(text), text
    if facts.unmatched or not facts.finished:
        return Verdict.FAIL, Cause.HARNESS, "\n".join(facts.messages) or "the playbook did not run to its end"
    silent = [host for host in case.step.hosts if host not in facts.hosts]
    if silent:
        return Verdict.FAIL, Cause.HARNESS, f"nothing was run on {', '.join(silent)}"
    return None


def _changed(case: _Case) -> _Finding | None:
    """Every change is told: which task, where, and what it would be."""
    changes = case.facts.changes
    if not changes:
        return None
    text = "\n".join(_sentence(change) for change in changes)
    return Verdict.FAIL, case.step.judgement.failure_cause, text


_RULES: tuple[Callable[[_Case], _Finding | None], ...] = (
    _how_it_ended,
    _failed_task,
    _missing_proof,
    _ansible_failed,
    _changed,
)


def _harness_or_infrastructure(text: str) -> Cause:
    return Cause.INFRASTRUCTURE if is_infrastructure(text) else Cause.HARNESS


def _sentence(failure: Failure) -> str:
    return f"{failure.host}: {failure.task!r} {_HOW[failure.kind]}: {failure.message}"


def _judge_checks(case: _Case) -> Judged:
    names = [node.name for node in case.plan.nodes]
    seen = [case.facts.observations[name] for name in names if name in case.facts.observations]
    observation = Observation(at=case.started, nodes=tuple(seen))
    results = tuple(_check_results(case, observation))
    missing = [name for name in names if name not in case.facts.observations]
    if missing:
        text = f"there is no observation of {', '.join(missing)}"
        return Judged(Verdict.UNKNOWN, Cause.HARNESS, text, case.facts, results, observation)
    verdict, cause, error = _weigh(results)
    return Judged(verdict, cause, error, case.facts, results, observation)


def _check_results(case: _Case, observation: Observation) -> Iterator[CheckResult]:
    ended = case.ended
    against = situation(case.plan, observation, ended.acknowledged, case.histories, ended.last_fault)
    allowed = frozenset(case.step.judgement.allow_failures)
    for text in checks_of(case.step):
        recorded = case.ended.custom.get(text)
        outcome = recorded or evaluate(text, against)
        allows = recorded.allow_failure if recorded else _allows_failure(text)
        yield CheckResult(
            check=text,
            passed=outcome.passed,
            attempts=case.ended.attempt,
            allow_failure=allows or text in allowed,
            message=outcome.message,
            infrastructure=outcome.infrastructure,
        )


def _allows_failure(text: str) -> bool:
    try:
        return parse(text)[0].allow_failure
    except UsageError:  # evaluate has said so
        return False


def _weigh(results: Iterable[CheckResult]) -> tuple[Verdict, Cause | None, str | None]:
    """Failed checks decide before undecided ones, and the product's trouble before that of machines."""
    open_checks = [check for check in results if check.passed is not True and not check.allow_failure]
    if not open_checks:
        return Verdict.PASS, None, None
    worst = min(open_checks, key=lambda check: (check.passed is None, check.infrastructure))
    verdict = Verdict.UNKNOWN if worst.passed is None else Verdict.FAIL
    cause = Cause.INFRASTRUCTURE if worst.infrastructure else Cause.PRODUCT
    return verdict, cause, "\n".join(f"{check.check}: {check.message}" for check in open_checks)
