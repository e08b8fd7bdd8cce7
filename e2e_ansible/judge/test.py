"""The steps of one test, its clean-up and its troubles to the result of the test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from e2e_ansible.compile.plan import FlowItem, Plan
from e2e_ansible.faults.ledger import FaultRecord
from e2e_ansible.judge.clients import judge_clients
from e2e_ansible.judge.durability import Look, look_at
from e2e_ansible.judge.flow import missing, speaking
from e2e_ansible.judge.overtime import over_time
from e2e_ansible.judge.pasts import NO_PASTS, Pasts
from e2e_ansible.judge.record import TestRecord
from e2e_ansible.judge.result import Resumption, StepResult, TestResult
from e2e_ansible.judge.step import Events, judge_step
from e2e_ansible.judge.timeline import fault_results, group_results, returned
from e2e_ansible.judge.wall import graph_result
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["judge_test", "used_seconds"]

_Decision = tuple[Verdict, Cause | None, str | None]


def judge_test(
    plan: Plan,
    record: TestRecord,
    events: Events,
    *,
    folder: str = "",
    histories: Pasts = NO_PASTS,
    faults: Sequence[FaultRecord] = (),
) -> TestResult:
    """Judge one test as far as it came. `folder` is where it lies in its run, '' for none.

    `histories` are those of its clients, `faults` the records of its ledger.
    """
    steps = tuple(judge_step(plan, step, record.steps.get(step.id), events, histories) for step in plan.steps)
    verdict, cause, error = _decide(plan, record, steps)
    resumptions = tuple(Resumption(at=entry.at, dead=entry.dead) for entry in record.resumed)
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
        duration=used_seconds(record),
        kept=record.clean_up is not None and record.clean_up.kept,
        clean_up=record.clean_up.message if record.clean_up else "",
        evidence=tuple(evidence.folder for evidence in record.evidence),
        folder=folder,
        plan_hash=record.plan_hash,
        time_class=plan.time_class,
        repetition=plan.repetition,
        workflow_steps=steps,
        resumptions=resumptions,
        clients=judge_clients(
            histories.whole(), faults=returned(faults, steps), looks={INTEGRITY: _looks(plan, steps)}
        ),
        groups=tuple(group_results(plan.flow)),
        faults=fault_results(faults),
        graph=graph_result(plan, steps, resumptions),
    )


def _looks(plan: Plan, steps: Iterable[StepResult]) -> list[Look]:
    """The rows of the implicit client that steps saw; servers that stand alone share none with the primary."""
    return [
        look_at(step.observation.at, node.node, node.postgres.integrity, writer=bool(node.postgres.writable))
        for step in steps
        if step.observation is not None
        for node in step.observation.nodes
        if node.postgres is not None and node.postgres.integrity is not None
        if plan.database != "standalone" or node.node == plan.primary
    ]


def used_seconds(record: TestRecord) -> float:
    """Seconds until its end, or until its last word if it was killed; without those in which it was dead."""
    if record.started is None or record.last is None:
        return 0.0
    dead = sum(entry.dead for entry in record.resumed)
    return max(0.0, (record.ended or record.last) - record.started - dead)


def _decide(plan: Plan, record: TestRecord, steps: Sequence[StepResult]) -> _Decision:
    """The worst step that nothing made good decides; a fault or a node that is left spoils a pass."""
    verdict, cause, error = _decide_steps(plan.items, record, steps)
    if record.time_up is not None:
        verdict, cause, error = over_time(plan, record.time_up, steps, error)
    left = [record.healed.message] if record.healed and not record.healed.ok else []
    clean_up = record.clean_up
    if clean_up and not clean_up.ok and not clean_up.kept:
        left.append(clean_up.message)
    if not left:
        return verdict, cause, error
    if verdict is Verdict.PASS:
        return Verdict.FAIL, Cause.CLEAN_UP, "\n".join(left)
    return verdict, cause, "\n".join([str(error), *(f"clean-up: {text}" for text in left)])


def _decide_steps(flow: Sequence[FlowItem], record: TestRecord, steps: Sequence[StepResult]) -> _Decision:
    results = {step.id: step for step in steps}
    against = speaking(flow, results)
    if against:
        first, *others = against
        also = [f"also {step.id}: {step.error}" for step in others]
        return first.verdict or Verdict.UNKNOWN, first.cause, "\n".join([f"{first.id}: {first.error}", *also])
    if record.troubles:
        first_trouble = record.troubles[0]
        cause = Cause.INFRASTRUCTURE if first_trouble.infrastructure else Cause.HARNESS
        return Verdict.FAIL, cause, first_trouble.message
    # after its time was over no step was to begin, so none that did not says that somebody ended the run
    not_run = list(missing(flow, results)) if record.time_up is None else []
    if record.interrupted and not_run:
        return Verdict.UNKNOWN, Cause.INTERRUPT, f"interrupted before {not_run[0]}"
    if not_run or record.ended is None or record.clean_up is None:
        place = f"before {not_run[0]}" if not_run else "in its clean-up"
        return Verdict.UNKNOWN, Cause.HARNESS, f"the run was killed {place}"
    return Verdict.PASS, None, None
