"""The run folder of what AWX runs: a turn for each test, its result whatever goes wrong, and the reports of all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from e2e_ansible.awx.client import AwxError
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.protocol import Cancel, Ended, Engine, Outcome, PlayRequest
from e2e_ansible.judge.record import TestRecord
from e2e_ansible.judge.result import RunResult, TestResult
from e2e_ansible.judge.test import judge_test
from e2e_ansible.report import notice
from e2e_ansible.report.notice import Listener
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder, TestFolder, make_private, manifest_tests
from e2e_ansible.run.interrupts import interrupts
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.run.reports import write_reports
from e2e_ansible.run.results import run_result
from e2e_ansible.run.schedule import Job as Scheduled
from e2e_ansible.run.schedule import run_jobs
from e2e_ansible.run.session import run_started, writing
from e2e_ansible.run.trouble import trouble_of

__all__ = ["Turn", "guarded", "run_turns"]

Turn = Callable[[RunContext, int, ManifestTest, TestFolder], TestResult]


def guarded(
    context: RunContext, plan: Plan, entry: ManifestTest, act: Callable[[], TestResult]
) -> TestResult:
    """A test that could not be launched or written down has a result as well."""
    try:
        return act()
    except (AwxError, OSError) as error:
        now = context.now()
        record = TestRecord(
            deployment=entry.deployment, plan_hash=plan.hash, troubles=[trouble_of(error, now)]
        )
        result = judge_test(plan, record, {}, folder=entry.folder)
        context.tell(notice.TestEnded(at=now, result=result))
        return result


def run_turns(
    plans: Sequence[Plan], turn: Turn, *, runs: Path, options: RunOptions, listeners: Sequence[Listener]
) -> tuple[RunResult, RunFolder]:
    """Give each test its turn in a run folder as that of a run on this machine, and write the reports.

    Raises:
        InfrastructureError: the run folder cannot be written.
    """
    folder = RunFolder.create(runs, now=time.time())
    with writing(folder):
        manifest = _manifest(plans, folder, options)
        folder.write_manifest(manifest)
        for plan, entry in zip(plans, manifest.tests, strict=True):
            make_private(folder.test(entry.folder).path)
            write_plan(plan, folder.test(entry.folder).plan)
        lock = folder.lock()
    try:
        tell = Megaphone(listeners)
        tell(run_started(manifest, folder))
        context = RunContext(
            run_id=manifest.run_id, engine=_NoEngine(), options=options, environment={}, tell=tell
        )
        tests = _turns(context, manifest, folder, turn)
        manifest = manifest.model_copy(update={"ended": time.time()})
        result = run_result(manifest, tests)
        with writing(folder):
            folder.write_manifest(manifest)
            write_reports(folder, result)
        tell(notice.RunEnded(at=time.time(), result=result, folder=str(folder.path)))
    finally:
        os.close(lock)
    return result, folder


def _turns(context: RunContext, manifest: Manifest, folder: RunFolder, turn: Turn) -> list[TestResult]:
    jobs = [
        Scheduled(entry.name, 0, partial(turn, context, index, entry, folder.test(entry.folder)))
        for index, entry in enumerate(manifest.tests)
    ]

    def say(text: str) -> None:
        context.tell(notice.Message(at=time.time(), level="warning", text=text))

    with interrupts(context.cancel, context.abandon, say):
        return run_jobs(
            jobs,
            parallel=context.options.parallel,
            stop_on_error=context.options.stop_on_error,
            cancel=context.cancel,
        ).results


class _NoEngine(Engine):
    """AWX runs the playbooks."""

    def run(self, request: PlayRequest, on_event: object, cancel: Cancel) -> Outcome:
        """Nothing is run here."""
        return Outcome(ended=Ended.ERROR, rc=None, message=f"{request.playbook} is run by AWX")


def _manifest(plans: Sequence[Plan], folder: RunFolder, options: RunOptions) -> Manifest:
    return Manifest(
        run_id=folder.run_id,
        suite=", ".join(dict.fromkeys(plan.suite_file for plan in plans)),
        started=time.time(),
        folder=str(folder.path),
        options={key: value for key, value in vars(options).items() if value is not None},
        tests=manifest_tests(folder.run_id, plans),
    )
