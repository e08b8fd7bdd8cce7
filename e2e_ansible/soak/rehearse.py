"""Goes through a part without a node: every step is written down as left out, and nothing of it reads as tested."""

from __future__ import annotations

from collections.abc import Callable

from e2e_ansible.compile.bounds import most_seconds
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Cancel, Outcome, PlayRequest
from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.entry import CleanUpEnded, Entry, Resumed, StepOmitted, TestEnded, TestStarted
from e2e_ansible.judge.record import TestRecord, fold_entry
from e2e_ansible.judge.result import TestResult
from e2e_ansible.judge.soak import REHEARSED
from e2e_ansible.judge.step import judge_step
from e2e_ansible.judge.test import judge_test
from e2e_ansible.report import notice
from e2e_ansible.run.begun import Before
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import ManifestTest, TestFolder, write_private
from e2e_ansible.run.journal import Journal
from e2e_ansible.run.workflow_run import started
from e2e_ansible.verdict import Verdict

__all__ = ["NoEngine", "rehearse", "rehearsed"]


class NoEngine:
    """The engine of a rehearsal: whoever asks it for a play has a fault, and touches no node."""

    def run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
        """Refuse.

        Raises:
            HarnessError: always.
        """
        raise HarnessError(f"a rehearsal runs nothing, and {request.playbook} was asked for")


def rehearse(
    context: RunContext, plan: Plan, entry: ManifestTest, folder: TestFolder, before: Before | None = None
) -> TestResult:
    """Journal, notices and result as `run_test` makes them, of a part of which nothing is run.

    Raises:
        OSError: a file cannot be written.
    """
    record = before.record if before else TestRecord()
    journal = Journal(folder.journal)

    def write(made: Entry) -> None:
        fold_entry(record, made)
        journal.append(made)

    try:
        _go(context, plan, entry, record, write, resumed=before is not None)
    finally:
        journal.close()
    result = rehearsed(judge_test(plan, record, {}, folder=entry.folder))
    write_private(folder.result, result.model_dump_json(indent=1) + "\n")
    context.tell(notice.TestEnded(at=context.now(), result=result))
    return result


def rehearsed(result: TestResult) -> TestResult:
    """The result of a part of which nothing was run."""
    return result.model_copy(
        update={"success": False, "verdict": Verdict.UNKNOWN, "cause": None, "error": REHEARSED}
    )


def _go(
    context: RunContext,
    plan: Plan,
    entry: ManifestTest,
    record: TestRecord,
    write: Callable[[Entry], None],
    *,
    resumed: bool,
) -> None:
    now = context.now()
    if resumed:
        write(Resumed(at=now, dead=max(0.0, now - (record.last or now))))
    else:
        write(TestStarted(at=now, deployment=entry.deployment, plan_hash=plan.hash))
    context.tell(started(plan, entry, now))
    for step in plan.steps:
        if context.cancel.is_set:
            break
        if step.id in record.steps:
            continue
        context.tell(
            notice.StepStarted(
                at=context.now(), test=plan.name, step=step.id, deadline_seconds=most_seconds(plan, step)
            )
        )
        left = StepOmitted(at=context.now(), step=step.id, reason=REHEARSED)
        write(left)
        result = judge_step(plan, step, record.steps[step.id], {})
        context.tell(notice.StepEnded(at=left.at, test=plan.name, result=result))
    write(CleanUpEnded(at=context.now(), ok=True, kept=False, message="a rehearsal makes no node"))
    write(TestEnded(at=context.now()))
