"""Follows the workflow job of one test, and writes the journal and events that a run of the same test would write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from e2e_ansible.awx.aftermath import Aftermath
from e2e_ansible.awx.carried import Carried
from e2e_ansible.awx.client import AwxError
from e2e_ansible.awx.graph import AFTER_FAILURE
from e2e_ansible.awx.jobs import TERMINAL, Job, page_of, pause, seconds_of
from e2e_ansible.awx.step_follow import StepEnd, StepFollow
from e2e_ansible.awx.time_limit import TimeLimit
from e2e_ansible.awx.workflow import Workflow
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.entry import (
    AttemptEnded,
    AttemptStarted,
    Entry,
    Interrupted,
    StepEnded,
    StepStarted,
    TestEnded,
    TestStarted,
    Trouble,
)
from e2e_ansible.judge.flow import verdict_of
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.report import notice
from e2e_ansible.report.log import TestLog
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import ManifestTest, TestFolder, write_private
from e2e_ansible.run.journal import EventLog, Journal
from e2e_ansible.run.results import read_test
from e2e_ansible.suite.model import Keep
from e2e_ansible.verdict import Verdict

__all__ = ["Followed", "follow_test"]

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Followed:
    """One test that was started: its plan, its place in the run folder, and the workflow job."""

    plan: Plan
    entry: ManifestTest
    folder: TestFolder
    workflow: Workflow
    keep: Keep
    job: Object


def follow_test(context: RunContext, followed: Followed, watched: Job) -> TestResult:
    """Follow a test to its result. What goes wrong with AWX is in the result.

    Raises:
        OSError: the run folder cannot be written.
    """
    with TestLog(followed.folder.log, test=followed.plan.name) as log:
        context.tell.add(log)
        try:
            return _Following(context, followed, watched).run()
        finally:
            context.tell.remove(log)


class _Following:
    def __init__(self, context: RunContext, followed: Followed, watched: Job) -> None:
        self._context = context
        self._followed = followed
        self._plan = followed.plan
        self._workflow = watched
        self._journal = Journal(followed.folder.journal)
        self._events = EventLog(followed.folder.events)
        self._carried = Carried(followed.folder)
        self._nodes: dict[str, Object] = {}
        self._names = {node.identifier for node in followed.workflow.nodes}
        self._lost = ""
        self._limit = TimeLimit(self._plan, self._write)
        self._results: dict[str, StepResult] = {}
        self._spoiled = False

    def run(self) -> TestResult:
        try:
            self._begin()
            self._steps()
            self._afterwards(self._verdict())
            self._write(TestEnded(at=seconds_of(self._workflow.last.get("finished")) or self._context.now()))
        finally:
            self._journal.close()
            self._events.close()
        result = read_test(self._followed.folder, self._followed.entry.folder)
        write_private(self._followed.folder.result, result.model_dump_json(indent=1) + "\n")
        self._context.tell(notice.TestEnded(at=self._context.now(), result=result))
        return result

    def _begin(self) -> None:
        job, entry, plan = self._followed.job, self._followed.entry, self._plan
        at = seconds_of(job.get("created")) or self._context.now()
        self._write(TestStarted(at=at, deployment=entry.deployment, plan_hash=plan.hash))
        steps = tuple(
            notice.StepSummary(
                id=step.id, type=step.type, description=step.description, hosts=step.hosts, source=step.source
            )
            for step in plan.steps
        )
        self._context.tell(
            notice.TestStarted(at=at, test=plan.name, deployment_id=entry.deployment, steps=steps)
        )
        self._say(f"AWX runs it: {page_of(self._workflow.client, job)}")

    def _steps(self) -> None:
        for step in self._plan.steps:
            node = self._await(step.id)
            if node is None and step.id + AFTER_FAILURE in self._names:
                node = self._await(step.id + AFTER_FAILURE)
            if node is not None:
                self._ended(step, self._step(step, self._job(node)))
                if self._lost:
                    return
                continue
            self._not_run(step)
            if not self._plan.flow or self._lost:
                return  # in a flow another branch, a rescue or an end may come all the same

    def _verdict(self) -> Verdict:
        """What the steps have come to; AWX takes its way by the same."""
        spoiled = self._spoiled or self._limit.up
        return Verdict.FAIL if spoiled else verdict_of(self._plan.items, self._results)

    def _ended(self, step: PlannedStep, end: StepEnd) -> None:
        """Keep what came of a step; of one that its job did not begin, why."""
        if end.outcome.ended is Ended.LOST:
            self._lost = end.outcome.message
        if end.result is not None:
            self._results[step.id] = end.result
        if end.refused is not None and end.refused.why == "time":
            self._time_up(end.at, used=end.refused.used)
        elif end.refused is not None:
            self._spoiled = True
            self._write(Trouble(at=end.at, message=end.refused.text, infrastructure=True))
            self._say(end.refused.text, level="error")
        elif not end.passed and not self._context.cancel.is_set and self._limit.over(step, end.at):
            self._time_up(end.at, step.id)

    def _time_up(self, at: float, step: str = "", used: float | None = None) -> None:
        said = self._limit.tell(at, step, used)
        if said:
            self._say(said, level="error")

    def _not_run(self, step: PlannedStep) -> None:
        """Why a step that was to come does not: AWX was lost, somebody stopped it, or a step before it failed."""
        if self._lost:
            self._whole_step(step, Outcome(ended=Ended.LOST, rc=None, message=self._lost, engine="awx"))
        elif self._workflow.last.get("status") == "canceled" or self._context.cancel.is_set:
            self._write(Interrupted(at=self._context.now()))

    def _whole_step(self, step: PlannedStep, outcome: Outcome) -> None:
        at = self._context.now()
        self._write(StepStarted(at=at, step=step.id))
        self._write(AttemptStarted(at=at, step=step.id, attempt=1))
        self._write(AttemptEnded(at=at, step=step.id, attempt=1, outcome=outcome))
        self._write(StepEnded(at=at, step=step.id))

    def _await(self, identifier: str) -> Object | None:
        """The node once it has a job; None when it never gets one. A stop cancels nothing that is not there."""
        try:
            while True:
                ended = self._workflow.look().get("status") in TERMINAL
                self._look_at_nodes()
                node = self._nodes.get(identifier, {})
                if node.get("job"):
                    return node
                if ended or node.get("do_not_run") or self._abandoned():
                    return None
                pause(self._context.abandon, self._workflow.interval_seconds, asked=False)
        except AwxError as error:
            self._lost = str(error)
            return None

    def _abandoned(self) -> bool:
        """Whether everything is to be left as it is; then the workflow is told to end."""
        if not self._context.abandon.is_set:
            return False
        self._workflow.cancel()
        return True

    def _look_at_nodes(self) -> None:
        for node in self._workflow.client.each(f"{self._workflow.path}workflow_nodes/"):
            self._nodes[str(node.get("identifier"))] = node

    def _job(self, node: Object) -> Job:
        return Job(self._workflow.client, f"jobs/{node['job']}/", self._workflow.interval_seconds)

    def _step(self, step: PlannedStep, job: Job) -> StepEnd:
        return StepFollow(
            self._context,
            self._plan,
            step,
            self._followed.folder,
            job,
            self._write,
            self._events,
            self._carried,
            self._limit,
        ).run()

    def _afterwards(self, verdict: Verdict) -> None:
        after = Aftermath(
            context=self._context,
            folder=self._followed.folder,
            workflow=self._followed.workflow,
            deployment=self._followed.entry.deployment,
            keep=self._followed.keep,
            carried=self._carried,
            job_of=self._other,
            lost=lambda: self._lost,
            write=self._write,
            say=self._say,
        )
        if self._lost or self._abandoned_now():
            after.left(page_of(self._workflow.client, self._followed.job))
        else:
            after.tell(verdict)

    def _abandoned_now(self) -> bool:
        try:
            return self._abandoned()
        except AwxError:
            return True

    def _other(self, name: str) -> Job | None:
        """The job of a node that is no step; None when there is none."""
        if name not in self._names:
            return None
        node = self._await(name)
        return self._job(node) if node is not None else None

    def _write(self, entry: Entry) -> None:
        self._journal.append(entry)

    def _say(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        self._context.tell(
            notice.Message(at=self._context.now(), test=self._plan.name, level=level, text=text)
        )
