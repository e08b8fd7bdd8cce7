"""Runs one test: its steps in order, evidence when one does not pass, clean-up by policy, then the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeVar

from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.processes import end_all
from e2e_ansible.judge.record import (
    CleanUpEnded,
    Entry,
    Interrupted,
    TestEnded,
    TestRecord,
    TestStarted,
    fold_entry,
)
from e2e_ansible.judge.result import TestResult
from e2e_ansible.judge.test import judge_test
from e2e_ansible.providers.base import Provider
from e2e_ansible.report import notice
from e2e_ansible.report.log import TestLog
from e2e_ansible.run.clean_up import clean_up, keeps
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.evidence import collect
from e2e_ansible.run.folder import ManifestTest, TestFolder, write_private
from e2e_ansible.run.integrity import IntegrityWriter
from e2e_ansible.run.journal import EventLog, Journal, read_events
from e2e_ansible.run.results import read_test
from e2e_ansible.run.step_run import StepRun, trouble_of
from e2e_ansible.verdict import Verdict

__all__ = ["run_test"]

T = TypeVar("T")


def run_test(context: RunContext, plan: Plan, entry: ManifestTest, folder: TestFolder) -> TestResult:
    """Run one test to its result. Never raises: what goes wrong is in the result; what can be undone is undone."""
    try:
        with TestLog(folder.log, test=plan.name) as log:
            context.tell.add(log)
            try:
                return _TestRun(context, plan, entry, folder).run()
            finally:
                context.tell.remove(log)
    except Exception as error:
        return _not_begun(context, plan, entry, error)


def _not_begun(context: RunContext, plan: Plan, entry: ManifestTest, error: Exception) -> TestResult:
    """The result of a test whose files could not be opened; nothing of it was done."""
    now = context.now()
    record = TestRecord(deployment=entry.deployment, plan_hash=plan.hash, troubles=[trouble_of(error, now)])
    result = judge_test(plan, record, {}, folder=entry.folder)
    context.tell(notice.TestEnded(at=now, result=result))
    return result


class _TestRun:
    def __init__(self, context: RunContext, plan: Plan, entry: ManifestTest, folder: TestFolder) -> None:
        self._context = context
        self._plan = plan
        self._entry = entry
        self._folder = folder
        self._token = f"{context.run_id}/{Path(entry.folder).name}"
        self._journal = Journal(folder.journal)
        self._events = EventLog(folder.events)
        self._record = TestRecord()
        self._lost = False
        self._writer = IntegrityWriter(plan, folder.history)
        self._registered: dict[str, Mapping[str, object]] = {}

    def run(self) -> TestResult:
        try:
            self._begin()
            self._do()
            return self._end()
        finally:
            self._journal.close()
            self._events.close()

    def _begin(self) -> None:
        started = self._context.now()
        self._write(TestStarted(at=started, deployment=self._entry.deployment, plan_hash=self._plan.hash))
        self._context.tell(_started(self._plan, self._entry, started))

    def _do(self) -> None:
        context = self._context
        verdict = self._guarded(self._steps) or Verdict.FAIL
        self._guarded(self._writer.stop)
        if self._record.troubles:
            verdict = Verdict.FAIL
        if verdict is not Verdict.PASS and not context.abandon.is_set:
            self._guarded(self._collect)
        end_all(self._token)
        self._guarded(lambda: self._clean_up(verdict))
        self._guarded(lambda: self._write(TestEnded(at=context.now())))

    def _end(self) -> TestResult:
        result = self._result()
        self._guarded(lambda: write_private(self._folder.result, result.model_dump_json(indent=1) + "\n"))
        self._context.tell(notice.TestEnded(at=self._context.now(), result=result))
        return result

    def _steps(self) -> Verdict:
        for step in self._plan.steps:
            if self._context.cancel.is_set:
                self._write(Interrupted(at=self._context.now()))
                return Verdict.UNKNOWN
            verdict = self._step(step)
            if verdict is not Verdict.PASS:
                return verdict
        return Verdict.PASS

    def _step(self, step: PlannedStep) -> Verdict:
        if step.removes_nodes:
            self._writer.stop()
        run = StepRun(
            context=self._context,
            plan=self._plan,
            step=step,
            folder=self._folder,
            deployment=self._entry.deployment,
            token=self._token,
            write=self._write,
            events=self._events,
            writer=self._writer,
            registered=self._registered,
        )
        return run.run(self._start_writer if step.starts_writer else _nothing).verdict or Verdict.UNKNOWN

    def _start_writer(self) -> None:
        if self._plan.writer:
            self._writer.start(self._provider().nodes(self._entry.deployment))

    def _collect(self) -> None:
        self._say("collecting the logs of the nodes")
        evidence = collect(
            self._context, self._folder, self._plan.provider, self._entry.deployment, self._token
        )
        if evidence is not None:
            self._write(evidence)
            self._say(evidence.message)

    def _clean_up(self, verdict: Verdict) -> None:
        context = self._context
        if context.abandon.is_set:
            text = f"interrupted twice: deployment {self._entry.deployment} was left as it is"
            self._write(CleanUpEnded(at=context.now(), ok=False, kept=True, message=text))
            return
        keep = keeps(context.options.keep or self._plan.keep, verdict)
        self._say("keeping the nodes" if keep else "removing the nodes")
        self._write(clean_up(self._provider(), self._entry.deployment, keep=keep, at=context.now()))

    def _result(self) -> TestResult:
        """From the disk, as any later judge reads it; from memory if the disk did not take the journal."""
        folder, name = self._folder, self._entry.folder
        read = None if self._lost else self._guarded(lambda: read_test(folder, name))
        if read is not None:
            return read
        events = self._guarded(lambda: read_events(folder.events)) or {}
        return judge_test(self._plan, self._record, events, folder=name)

    def _provider(self) -> Provider:
        return self._context.provider(self._plan.provider)

    def _write(self, entry: Entry) -> None:
        fold_entry(self._record, entry)
        try:
            self._journal.append(entry)
        except OSError:
            self._lost = True
            raise

    def _guarded(self, act: Callable[[], T]) -> T | None:
        """Do it; an error becomes a trouble of the test, in memory at least."""
        try:
            return act()
        except Exception as error:
            trouble = trouble_of(error, self._context.now())
            self._say(trouble.message, level="error")
            with suppress(OSError):  # then it is in memory, and the result comes from there
                self._write(trouble)
            return None

    def _say(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        now = self._context.now()
        self._context.tell(notice.Message(at=now, test=self._plan.name, level=level, text=text))


def _started(plan: Plan, entry: ManifestTest, at: float) -> notice.TestStarted:
    steps = tuple(
        notice.StepSummary(
            id=step.id,
            type=step.type,
            description=step.description,
            hosts=step.hosts,
            source=step.source,
        )
        for step in plan.steps
    )
    return notice.TestStarted(at=at, test=plan.name, deployment_id=entry.deployment, steps=steps)


def _nothing() -> None:
    """Most steps have nothing to do after their playbook."""
