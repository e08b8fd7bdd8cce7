"""Runs one test: its flow of steps, evidence when one does not pass, clean-up by policy, then the verdict."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal, TypeVar

from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.processes import end_all
from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.errors import E2EError, InfrastructureError
from e2e_ansible.faults.ledger import read
from e2e_ansible.judge.condition import Outputs
from e2e_ansible.judge.flow import verdict_of
from e2e_ansible.judge.record import (
    CleanUpEnded,
    Entry,
    Evidence,
    FaultsHealed,
    Interrupted,
    QuotaReleased,
    QuotaReserved,
    Resumed,
    StepOmitted,
    TestEnded,
    TestRecord,
    TestStarted,
    TimeUp,
    Trouble,
    fold_entry,
    records,
)
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.judge.step import judge_step
from e2e_ansible.judge.test import judge_test, used_seconds
from e2e_ansible.providers.base import Node, Provider
from e2e_ansible.report import notice
from e2e_ansible.report.log import TestLog
from e2e_ansible.run.begun import Before
from e2e_ansible.run.clean_up import clean_up, keeps
from e2e_ansible.run.clients import Clients
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.coverage import COVERAGE, collect_coverage
from e2e_ansible.run.evidence import EVIDENCE, collect
from e2e_ansible.run.flow import Flow
from e2e_ansible.run.folder import ManifestTest, TestFolder, write_private
from e2e_ansible.run.healing import heal_open
from e2e_ansible.run.journal import EventLog, Journal, read_events, read_journal
from e2e_ansible.run.lane import Lane, Lanes
from e2e_ansible.run.limit import TimeLimit
from e2e_ansible.run.quota import only_reserved
from e2e_ansible.run.registered import Registered
from e2e_ansible.run.results import read_test
from e2e_ansible.run.step_run import StepRun, trouble_of
from e2e_ansible.verdict import Verdict

__all__ = ["refused", "run_test", "started"]

T = TypeVar("T")


def run_test(
    context: RunContext,
    plan: Plan,
    entry: ManifestTest,
    folder: TestFolder,
    before: Before | None = None,
) -> TestResult:
    """Run one test to its result. Never raises: what goes wrong is in the result; what can be undone is undone.

    `before` is what a run that died has left of it; then it goes on from there.
    """
    try:
        with TestLog(folder.log, test=plan.name) as log:
            context.tell.add(log)
            try:
                return _TestRun(context, plan, entry, folder, before).run()
            finally:
                context.tell.remove(log)
    except Exception as error:
        return refused(context, plan, entry, folder, error)


def refused(
    context: RunContext, plan: Plan, entry: ManifestTest, folder: TestFolder, error: Exception
) -> TestResult:
    """The result of a test that could not be begun, or could not go on, because of this error."""
    now = context.now()
    trouble = trouble_of(error, now)
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


class _TestRun:
    def __init__(
        self,
        context: RunContext,
        plan: Plan,
        entry: ManifestTest,
        folder: TestFolder,
        before: Before | None,
    ) -> None:
        self._context = context
        self._before = before
        self._plan = plan
        self._entry = entry
        self._folder = folder
        self._token = f"{context.run_id}/{Path(entry.folder).name}"
        self._journal = Journal(folder.journal)
        self._events = EventLog(folder.events)
        self._record = before.record if before else TestRecord()
        self._lost = False
        self._recording = threading.Lock()
        self._collecting = threading.Lock()
        self._collected = bool(before and before.evidence_is_new)
        self._still = threading.Lock()
        self._writer = Clients(plan, folder.path, context.cycle)
        self._registered = Registered(folder.plan)
        self._lanes = Lanes(self._token, context.environment)
        used = used_seconds(self._record)
        self._limit = TimeLimit(context.cancel, plan.time_class, used=used, clock=context.clock)

    def run(self) -> TestResult:
        try:
            self._begin()
            self._do()
            return self._end()
        finally:
            self._journal.close()
            self._events.close()

    def _begin(self) -> None:
        now = self._context.now()
        if self._before is None:
            self._write(TestStarted(at=now, deployment=self._entry.deployment, plan_hash=self._plan.hash))
        else:
            dead = max(0.0, now - (self._record.last or now))
            self._write(Resumed(at=now, dead=dead))
        self._context.tell(started(self._plan, self._entry, now))
        self._reserved()
        if self._before is not None:
            self._say(f"the run goes on; it was dead for {dead:.0f} s")

    def _do(self) -> None:
        context = self._context
        verdict = self._guarded(self._steps) or Verdict.FAIL
        verdict = Verdict.FAIL if self._record.time_up else verdict
        self._guarded(self._writer.stop)
        self._guarded(self._heal)
        self._guarded(self._cover)
        if self._record.troubles or (self._record.healed and not self._record.healed.ok):
            verdict = Verdict.FAIL
        if verdict is not Verdict.PASS:
            self.failed()
        end_all(self._token)
        self._guarded(lambda: self._clean_up(verdict))
        self._give_back()
        self._guarded(lambda: self._write(TestEnded(at=context.now())))

    def _end(self) -> TestResult:
        result = self._result()
        self._guarded(lambda: write_private(self._folder.result, result.model_dump_json(indent=1) + "\n"))
        self._context.tell(notice.TestEnded(at=self._context.now(), result=result))
        return result

    def _steps(self) -> Verdict:
        context, before = self._context, self._before
        done = before.done if before else {}
        if before and before.flow_is_over:
            return verdict_of(self._plan.items, done)
        if before and set(done) != {step.id for step in self._plan.steps}:
            self._guarded(lambda: self._writer.come_back(before.in_order(self._plan), self._nodes))
        return Flow(self._plan, self, self._lanes, self._limit, context.abandon, done=done).run()

    # what the flow has done; see `Acts`

    def step(
        self,
        step: PlannedStep,
        lane: Lane,
        cancel: Cancel,
        over: threading.Event,
        undecided: Exception | None,
    ) -> StepResult:
        """Run one step to its result."""
        if step.removes_nodes:
            self._guarded(self._writer.stop)
            self._guarded(self._cover)
        run = StepRun(
            context=self._context,
            plan=self._plan,
            step=step,
            folder=self._folder,
            deployment=self._entry.deployment,
            lane=lane,
            cancel=cancel,
            over=over,
            write=self._write,
            events=self._events,
            writer=self._writer,
            still=self._still,
            registered=self._registered,
            undecided=undecided,
            before=self._before.begun(step.id) if self._before else None,
        )
        result = run.run(lambda: self._drive_clients(step))
        if cancel is self._limit and result.verdict is not Verdict.PASS and self._limit.over:
            self._time_up(step.id)
        return result

    def omit(self, step: PlannedStep, reason: str) -> StepResult:
        """Write down that a step is left out."""
        entry = StepOmitted(at=self._context.now(), step=step.id, reason=reason)
        self._write(entry)
        result = judge_step(self._plan, step, self._record.steps[step.id], {})
        self._context.tell(notice.StepEnded(at=entry.at, test=self._plan.name, result=result))
        return result

    def recall(self, result: StepResult) -> None:
        """Give what a step returned before the run died to later ones."""
        (step,) = (step for step in self._plan.steps if step.id == result.id)
        if result.registered is not None and step.judgement.register_as:
            self._registered.add(step.judgement.register_as, result.registered)

    def interrupted(self) -> None:
        """Write down that steps were not begun because of an interrupt, or because the time was over."""
        if self._limit.over:
            self._time_up()
        elif not self._record.interrupted:
            self._write(Interrupted(at=self._context.now()))

    def _time_up(self, step: str = "") -> None:
        limit = self._limit
        if self._record.time_up is None and limit.seconds is not None:
            used = round(limit.used, 3)
            entry = TimeUp(
                at=self._context.now(),
                time_class=limit.time_class,
                limit=limit.seconds,
                used=used,
                step=step,
            )
            self._write(entry)
            text = f"the time of class {limit.time_class} is over after {used:.0f} s: no other step begins"
            self._say(text, level="error")

    def failed(self) -> None:
        """Collect the evidence of a failure, once, before a rescue or the clean-up changes what there is to see."""
        with self._collecting:
            if not self._collected and not self._context.abandon.is_set:
                self._collected = True
                self._guarded(self._collect)

    def forgiven(self) -> None:
        """What fails from now on has evidence of its own."""
        self._collected = False

    def outputs(self) -> Outputs:
        """What steps have returned."""
        return self._registered.outputs()

    def _drive_clients(self, step: PlannedStep) -> None:
        """What a step that has passed means for clients; most mean nothing."""
        begins = step.starts_writer and self._plan.writer
        if not begins and step.client is None:
            return
        nodes = self._nodes()
        if begins:
            with self._still:
                self._writer.start(nodes)
        if step.client is not None:
            self._writer.act(step.client, nodes)

    def _nodes(self) -> Sequence[Node]:
        return self._provider().nodes(self._entry.deployment)

    def _collect(self) -> None:
        self._say("collecting the logs of the nodes")
        count = sum(each.folder != COVERAGE for each in self._record.evidence)
        lane = self._lanes.lane()
        evidence = collect(
            replace(self._context, environment=lane.environment),
            self._folder,
            self._plan.provider,
            self._entry.deployment,
            lane.token,
            name=f"{EVIDENCE}-{count + 1}" if count else EVIDENCE,
        )
        lane.end()
        if evidence is not None:
            self._write(evidence)
            self._say(evidence.message)

    def _cover(self) -> None:
        """What a program under test noted of its lines, before the nodes that have it go."""
        if self._plan.parameters.get(COVERAGE) is None or self._context.abandon.is_set:
            return
        lane = self._lanes.lane()
        context = replace(self._context, environment=lane.environment)
        done = collect_coverage(context, self._folder, self._plan, self._entry.deployment, lane.token)
        lane.end()
        if done is not None:
            self._write(Evidence(at=context.now(), folder=COVERAGE, message=done.message))
            self._say(done.message)
            if done.trouble and context.lasting_nodes:  # a later cycle may note something
                self._say(done.trouble, level="warning")
            elif done.trouble:
                raise InfrastructureError(done.trouble)

    def _heal(self) -> None:
        """Whatever the steps have left open, also when nothing more is to be done of them."""
        plan, context = self._plan, self._context
        if context.abandon.is_set:
            self._leave_faults()
            return
        healed = heal_open(context, self._folder, plan.provider, self._entry.deployment, self._token)
        if healed is not None:
            self._write(healed)
            self._say(healed.message, level="info" if healed.ok else "error")

    def _leave_faults(self) -> None:
        left = [
            f"{each.name or each.fault} on {each.node}" for each in read(self._folder.faults) if each.open
        ]
        if left:
            text = f"interrupted twice, so it was left as it is: {', '.join(left)}"
            self._write(FaultsHealed(at=self._context.now(), ok=False, left=True, message=text))

    def _clean_up(self, verdict: Verdict) -> None:
        context = self._context
        if context.abandon.is_set:
            text = f"interrupted twice: deployment {self._entry.deployment} was left as it is"
            self._write(CleanUpEnded(at=context.now(), ok=False, kept=True, message=text))
            return
        if context.lasting_nodes:
            self._write(CleanUpEnded(at=context.now(), ok=True, kept=False, message=""))
            return
        keep = keeps(context.options.keep or self._plan.keep, verdict)
        self._say("keeping the nodes" if keep else "removing the nodes")
        self._write(clean_up(self._provider(), self._entry.deployment, keep=keep, at=context.now()))

    def _reserved(self) -> None:
        """Write down what was taken from the quota of the machine."""
        gate = self._context.gate
        got = gate.granted(self._entry.deployment) if gate else None
        if got is not None:
            waited = round(got.waited, 3)
            self._write(QuotaReserved(at=self._context.now(), waited=waited, **asdict(got.amounts)))
            self._say(f"reserved {got.amounts}" + (f" after {waited:.0f} s" if waited >= 1 else ""))
            if text := only_reserved(self._plan):
                self._say(text, level="warning")

    def _give_back(self) -> None:
        """What was taken goes back when the nodes are gone; else it stays, which is told."""
        context, done = self._context, self._record.clean_up
        if context.gate is None or context.lasting_nodes or context.abandon.is_set:
            return
        gone = done is not None and done.ok and not done.kept
        try:
            held = context.gate.over(self._entry.deployment, gone=gone)
        except InfrastructureError as error:
            self._say(f"{error}; whoever looks next gives the quota back", level="warning")
            return
        if held is not None and gone:
            self._guarded(lambda: self._write(QuotaReleased(at=context.now())))
        elif held is not None:
            text = f"{held.claim.amounts} stay reserved until e2e-ansible destroy {context.run_id}"
            self._say(text, level="warning")

    def _result(self) -> TestResult:
        """From the disk, as any later judge reads it; from memory if the disk did not take the journal."""
        folder, name = self._folder, self._entry.folder
        read = None if self._lost else self._guarded(lambda: read_test(folder, name))
        if read is not None:
            return read
        events = self._guarded(lambda: read_events(folder.events)) or {}
        return judge_test(self._plan, self._record, events, folder=name, histories=self._writer.histories)

    def _provider(self) -> Provider:
        return self._context.provider(self._plan.provider)

    def _write(self, entry: Entry) -> None:
        """The record in memory and the journal have the same order, whichever step writes."""
        with self._recording:
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


def started(plan: Plan, entry: ManifestTest, at: float) -> notice.TestStarted:
    """What is told when a test begins. `at` is in epoch seconds."""
    steps = tuple(
        notice.StepSummary(
            id=step.id,
            type=step.type,
            description=step.description,
            hosts=step.hosts,
            phase=step.phase,
            source=step.source,
        )
        for step in plan.steps
    )
    return notice.TestStarted(at=at, test=plan.name, deployment_id=entry.deployment, steps=steps)
