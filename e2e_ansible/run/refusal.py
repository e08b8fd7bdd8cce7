"""The result of a test that could not be begun, or could not go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress

from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.processes import end_all
from e2e_ansible.errors import E2EError
from e2e_ansible.judge.entry import TestEnded, TestStarted, Trouble
from e2e_ansible.judge.record import TestRecord, records
from e2e_ansible.judge.result import TestResult
from e2e_ansible.judge.test import judge_test
from e2e_ansible.report import notice
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import ManifestTest, TestFolder, write_private
from e2e_ansible.run.journal import Journal, read_events, read_journal
from e2e_ansible.run.share import let_go
from e2e_ansible.run.trouble import trouble_of

__all__ = ["refused"]


def refused(
    context: RunContext, plan: Plan, entry: ManifestTest, folder: TestFolder, error: Exception
) -> TestResult:
    """The result, because of this error; what the test has of the quota is given back."""
    now = context.now()
    end_all(context.token(entry.folder))
    let_go(context, plan, entry)
    trouble = trouble_of(error, now).model_copy(update={"refusal": True})
    with suppress(E2EError, OSError):
        _write_down(folder, plan, entry, trouble)
    record = TestRecord(deployment=entry.deployment, plan_hash=plan.hash, troubles=[trouble])
    with suppress(E2EError, OSError):
        record = records(read_journal(folder.journal)) if folder.journal.exists() else record
    events: Mapping[tuple[str, int], Sequence[Event]] = {}
    with suppress(E2EError, OSError):
        events = read_events(folder.events)
    result = judge_test(plan, record, events, folder=entry.folder)
    with suppress(OSError):
        write_private(folder.result, result.model_dump_json(indent=1) + "\n")
    context.tell(notice.TestEnded(at=now, result=result))
    return result


def _write_down(folder: TestFolder, plan: Plan, entry: ManifestTest, trouble: Trouble) -> None:
    """So that whoever reads the run later finds the test, and why nothing more became of it."""
    begun = folder.journal.exists()
    with closing(Journal(folder.journal)) as journal:
        if not begun:
            journal.append(TestStarted(at=trouble.at, deployment=entry.deployment, plan_hash=plan.hash))
        journal.append(trouble)
        if not begun:
            journal.append(TestEnded(at=trouble.at))
