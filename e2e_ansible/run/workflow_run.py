"""Runs one test: its steps, then evidence when one did not pass and clean-up by policy, then the verdict."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.judge.condition import Outputs
from e2e_ansible.judge.entry import Interrupted, Resumed, StepOmitted, TestEnded, TestStarted, TimeUp
from e2e_ansible.judge.flow import verdict_of
from e2e_ansible.judge.record import TestRecord
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.judge.step import judge_step
from e2e_ansible.judge.test import judge_test, used_seconds
from e2e_ansible.providers.base import Node
from e2e_ansible.report import notice
from e2e_ansible.report.log import TestLog
from e2e_ansible.run.attempts import Attempts
from e2e_ansible.run.begun import Before
from e2e_ansible.run.clients import Clients
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.flow import Flow
from e2e_ansible.run.folder import ManifestTest, TestFolder, write_private
from e2e_ansible.run.journal import read_events
from e2e_ansible.run.lane import Lane, Lanes
from e2e_ansible.run.limit import TimeLimit
from e2e_ansible.run.logbook import Logbook, logbook
from e2e_ansible.run.refusal import refused
from e2e_ansible.run.registered import Registered
from e2e_ansible.run.results import read_test
from e2e_ansible.run.share import give_back, tell_reserved
from e2e_ansible.run.step_run import StepRun
from e2e_ansible.run.teardown import Teardown
from e2e_ansible.verdict import Verdict

__all__ = ["run_test", "started"]


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
        with TestLog(folder.log, test=plan.name) as listener:
            context.tell.add(listener)
            try:
                record = before.record if before else TestRecord()
                with logbook(context, plan.name, folder, record) as log:
                    return _WorkflowRun(context, plan, entry, folder, log=log, before=before).run()
            finally:
                context.tell.remove(listener)
    except Exception as error:
        return refused(context, plan, entry, folder, error)


class _WorkflowRun:
    """One test while it runs; its flow calls it for each step, see `Acts`."""

    def __init__(
        self,
        context: RunContext,
        plan: Plan,
        entry: ManifestTest,
        folder: TestFolder,
        *,
        log: Logbook,
        before: Before | None,
    ) -> None:
        self._context = context
        self._plan = plan
        self._entry = entry
        self._folder = folder
        self._log = log
        self._before = before
        self._flow_is_over = bool(before and before.flow_is_over)
        self._was_interrupted = log.record.interrupted
        self._stopping = threading.Lock()
        self._still = threading.Lock()
        self._writer = Clients(plan, folder.path, context.cycle)
        self._registered = Registered(folder.plan)
        self._lanes = Lanes(context.token(entry.folder), context.environment)
        collected = bool(before and before.evidence_is_new)
        self._teardown = Teardown(context, plan, folder, entry.deployment, self._lanes, log, collected)
        used = used_seconds(log.record)
        self._limit = TimeLimit(context.cancel, plan.time_class, used=used, clock=context.clock)

    def run(self) -> TestResult:
        """Run it to its result.

        Raises:
            OSError: nothing could be written down of its beginning.
        """
        self._begin()
        verdict = self._steps_and_faults()
        if verdict is not Verdict.PASS:
            self._teardown.collect()
        self._clean_up(verdict)
        return self._end()

    def _begin(self) -> None:
        now, log = self._context.now(), self._log
        dead = 0.0
        if self._before is None:
            log.write(TestStarted(at=now, deployment=self._entry.deployment, plan_hash=self._plan.hash))
        else:
            dead = max(0.0, now - (log.record.last or now))
            log.write(Resumed(at=now, dead=dead))
            if self._flow_is_over and self._was_interrupted:  # by its user, and it does not go on now
                log.write(Interrupted(at=now))
        self._context.tell(started(self._plan, self._entry, now))
        tell_reserved(self._context, log, self._plan, self._entry.deployment)
        if self._before is not None:
            log.say(f"the run goes on; it was dead for {dead:.0f} s")

    def _steps_and_faults(self) -> Verdict:
        log, record = self._log, self._log.record
        verdict = log.guarded(self._steps) or Verdict.FAIL
        log.guarded(self._writer.stop)
        log.guarded(self._teardown.heal)
        log.guarded(self._teardown.cover)
        left = record.healed is not None and not record.healed.ok
        return Verdict.FAIL if record.time_up or record.troubles or left else verdict

    def _clean_up(self, verdict: Verdict) -> None:
        log = self._log
        log.guarded(self._teardown.end_processes)
        log.guarded(lambda: self._teardown.clean_up(verdict))
        give_back(self._context, log, self._entry.deployment)
        log.guarded(lambda: log.write(TestEnded(at=self._context.now())))

    def _end(self) -> TestResult:
        result = self._result()
        text = result.model_dump_json(indent=1) + "\n"
        self._log.guarded(lambda: write_private(self._folder.result, text))
        self._context.tell(notice.TestEnded(at=self._context.now(), result=result))
        return result

    def _result(self) -> TestResult:
        """From the disk, as any later judge reads it; from memory if the disk did not take the journal."""
        folder, name, log = self._folder, self._entry.folder, self._log
        read = None if log.lost else log.guarded(lambda: read_test(folder, name))
        if read is not None:
            return read
        events = log.guarded(lambda: read_events(folder.events)) or {}
        return judge_test(self._plan, log.record, events, folder=name, histories=self._writer.histories)

    def _steps(self) -> Verdict:
        before = self._before
        done = before.done if before else {}
        if self._flow_is_over:
            return verdict_of(self._plan.items, done)
        if before and set(done) != {step.id for step in self._plan.steps}:
            self._log.guarded(lambda: self._writer.come_back(before.in_order(self._plan), self._nodes))
        return Flow(self._plan, self, self._lanes, self._limit, self._context.abandon, done=done).run()

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
            self._log.guarded(self._writer.stop)
            self._log.guarded(self._teardown.cover)
        before = self._before.begun(step.id) if self._before else None
        attempts = Attempts(
            self._context,
            self._plan,
            step,
            self._folder,
            self._entry.deployment,
            lane,
            cancel,
            self._log,
            self._writer,
            self._still,
            resumed=before is not None,
        )
        run = StepRun(attempts, over, self._registered, undecided, before)
        result = run.run(lambda: self._drive_clients(step))
        if cancel is self._limit and result.verdict is not Verdict.PASS and self._limit.over:
            self._time_up(step.id)
        return result

    def omit(self, step: PlannedStep, reason: str) -> StepResult:
        """Write down that a step is left out."""
        entry = StepOmitted(at=self._context.now(), step=step.id, reason=reason)
        self._log.write(entry)
        result = judge_step(self._plan, step, self._log.record.steps[step.id], {})
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
            return
        with self._stopping:
            if not self._log.record.interrupted:
                self._log.write(Interrupted(at=self._context.now()))

    def failed(self) -> None:
        """Collect the evidence of a failure, once, before a rescue or the clean-up changes what there is to see."""
        self._teardown.collect()

    def forgiven(self) -> None:
        """What fails from now on has evidence of its own."""
        self._teardown.forgive()

    def outputs(self) -> Outputs:
        """What steps have returned."""
        return self._registered.outputs()

    def _time_up(self, step: str = "") -> None:
        """Write down once that the time is over; of several steps that were ended by it, the first."""
        limit = self._limit
        with self._stopping:
            if self._log.record.time_up is not None or limit.seconds is None:
                return
            used = round(limit.used, 3)
            entry = TimeUp(
                at=self._context.now(),
                time_class=limit.time_class,
                limit=limit.seconds,
                used=used,
                step=step,
            )
            self._log.write(entry)
        text = f"the time of class {limit.time_class} is over after {used:.0f} s: no other step begins"
        self._log.say(text, level="error")

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
        return self._context.provider(self._plan.provider).nodes(self._entry.deployment)


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
