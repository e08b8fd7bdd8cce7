"""Follows the workflow job of one test, and writes the journal and events that a run of the same test would write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from e2e_ansible.awx.carried import Carried
from e2e_ansible.awx.client import AwxError
from e2e_ansible.awx.graph import AFTER_FAILURE
from e2e_ansible.awx.jobs import TERMINAL, Job, follow, page_of, pause, seconds_of
from e2e_ansible.awx.step_follow import JobLog, StepFollow
from e2e_ansible.awx.workflow import (
    CLEAN_UP,
    CLEAN_UP_AFTER,
    COLLECT_NODE,
    HEAL_AFTER,
    HEAL_NODE,
    STEP_TEMPLATE,
    Workflow,
)
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.errors import HarnessError
from e2e_ansible.faults.ledger import FaultRecord, read
from e2e_ansible.judge.record import (
    AttemptEnded,
    AttemptStarted,
    CleanUpEnded,
    Entry,
    Evidence,
    FaultsHealed,
    Interrupted,
    StepEnded,
    StepStarted,
    TestEnded,
    TestStarted,
)
from e2e_ansible.judge.result import TestResult
from e2e_ansible.report import notice
from e2e_ansible.report.log import TestLog
from e2e_ansible.run.clean_up import keeps
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import ManifestTest, TestFolder, make_private, write_private
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

    def run(self) -> TestResult:
        try:
            self._begin()
            verdict = self._steps()
            self._afterwards(verdict)
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

    def _steps(self) -> Verdict:
        worst = Verdict.PASS
        for step in self._plan.steps:
            node = self._await(step.id)
            if node is None and step.id + AFTER_FAILURE in self._names:
                node = self._await(step.id + AFTER_FAILURE)
            if node is None:
                self._not_run(step)
                if self._plan.flow and not self._lost:
                    continue  # another branch, a rescue or an end may come all the same
                return worst if worst is not Verdict.PASS else Verdict.UNKNOWN
            verdict = self._step(step, self._job(node))
            if verdict is not Verdict.PASS:
                worst = verdict
            if self._lost:
                return worst
        return worst

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

    def _step(self, step: PlannedStep, job: Job) -> Verdict:
        folder = self._followed.folder
        run = StepFollow(
            self._context, self._plan, step, folder, job, self._write, self._events, self._carried
        )
        verdict, outcome = run.run()
        if outcome.ended is Ended.LOST:
            self._lost = outcome.message
        return verdict

    def _afterwards(self, verdict: Verdict) -> None:
        if self._lost or self._abandoned_now():
            self._left()
            return
        if not self._healed():
            verdict = Verdict.FAIL if verdict is Verdict.PASS else verdict
        self._collected()
        self._cleaned_up(verdict)

    def _abandoned_now(self) -> bool:
        try:
            return self._abandoned()
        except AwxError:
            return True

    def _left(self) -> None:
        page = page_of(self._workflow.client, self._followed.job)
        text = f"what became of deployment {self._followed.entry.deployment} is told by {page}"
        self._write(CleanUpEnded(at=self._context.now(), ok=False, kept=not self._lost, message=text))

    def _healed(self) -> bool:
        """Tell what was healed at the end; whether nothing is left of any fault."""
        jobs = ((name, self._other(name)) for name in (HEAL_NODE, HEAL_AFTER))
        name, job = next(((name, job) for name, job in jobs if job is not None), ("", None))
        if job is None:
            return True
        outcome = self._log(job, name)
        ok = outcome.ended is Ended.COMPLETED and outcome.rc == 0
        since = seconds_of(job.last.get("created")) or 0.0
        records = read(self._followed.folder.faults)
        left = [each for each in records if each.open]
        lines = [f"{_what(each)} may still be there: {each.message or 'no heal was proved'}" for each in left]
        lines += [
            f"{_what(each)} was healed: {each.message}" for each in records if (each.healed or 0) >= since
        ]
        if not ok and not left:
            lines.append(
                f"nothing proves that all faults are gone: {outcome.message or 'see the log of heal'}"
            )
        if lines:
            entry = FaultsHealed(at=self._context.now(), ok=ok and not left, message="\n".join(lines))
            self._write(entry)
            self._say(entry.message, level="info" if entry.ok else "error")
        return ok and not left

    def _collected(self) -> None:
        job = self._other(COLLECT_NODE)
        if job is None:
            return
        folder = self._followed.folder.step(COLLECT_NODE)
        outcome = self._log(job, COLLECT_NODE)
        ok = outcome.ended is Ended.COMPLETED and outcome.rc == 0
        text = f"logs of the nodes are where job {job.last.get('id')} of AWX has brought them"
        if not ok:
            text = f"logs of the nodes are not complete: {outcome.message or 'see its log'}"
        place = str(folder.relative_to(self._followed.folder.path))
        self._write(Evidence(at=self._context.now(), folder=place, message=text))
        self._say(text)

    def _cleaned_up(self, verdict: Verdict) -> None:
        """Tell what the clean-up did; AWX chose the way to it, by the same steps that are judged here."""
        jobs = ((name, self._other(name)) for name in (CLEAN_UP, CLEAN_UP_AFTER))
        name, job = next(((name, job) for name, job in jobs if job is not None), ("", None))
        if job is None:
            self._write(self._no_clean_up(verdict))
            return
        outcome = self._log(job, name)
        ok = outcome.ended is Ended.COMPLETED and outcome.rc == 0
        deployment = self._followed.entry.deployment
        text = f"deployment {deployment} was removed"
        if not ok:
            why = outcome.message or "the job of AWX failed; see its log"
            text = f"deployment {deployment} could not be removed: {why}"
        self._write(CleanUpEnded(at=self._context.now(), ok=ok, kept=False, message=text))

    def _no_clean_up(self, verdict: Verdict) -> CleanUpEnded:
        at, deployment = self._context.now(), self._followed.entry.deployment
        if (CLEAN_UP if verdict is Verdict.PASS else CLEAN_UP_AFTER) in self._names:
            why = self._lost or "the workflow ended before its clean-up"
            text = (
                f"deployment {deployment} may be left, {why}; launch '{STEP_TEMPLATE}' with e2e_step=destroy"
            )
            return CleanUpEnded(at=at, ok=False, kept=False, message=text)
        kept = COLLECT_NODE in self._names and keeps(self._followed.keep, verdict)
        text = f"deployment {deployment} was kept" if kept else "nothing was left to remove"
        return CleanUpEnded(at=at, ok=True, kept=kept, message=text)

    def _other(self, name: str) -> Job | None:
        """The job of a node that is no step; None when there is none."""
        if name not in self._names:
            return None
        node = self._await(name)
        return self._job(node) if node is not None else None

    def _log(self, job: Job, name: str) -> Outcome:
        folder = self._followed.folder.step(name)
        make_private(folder)
        with JobLog(folder) as log:

            def take(event: Event) -> None:
                log(event)
                self._keep(event)

            return follow(job, take, self._context.abandon, self._context.abandon)

    def _keep(self, event: Event) -> None:
        """What a job that is no step carries; here nothing is spoiled any more, but it is told."""
        try:
            told = self._carried.take(event.result) if event.kind is Kind.OK else None
        except HarnessError as error:
            self._say(str(error), level="warning")
            return
        for text in (*told.said, *filter(None, [told.trouble])) if told else ():
            self._say(text, level="warning")

    def _write(self, entry: Entry) -> None:
        self._journal.append(entry)

    def _say(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        self._context.tell(
            notice.Message(at=self._context.now(), test=self._plan.name, level=level, text=text)
        )


def _what(record: FaultRecord) -> str:
    return f"{record.name or record.fault} on {record.node}"
