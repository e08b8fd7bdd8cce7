"""Runs one step: its playbook, as often as its retry allows, each attempt judged at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e_ansible.checks.registry import custom, custom_context, evaluate, is_built_in, parse
from e2e_ansible.compile.compiler import INVENTORY
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest
from e2e_ansible.errors import E2EError, InfrastructureError
from e2e_ansible.faults.ledger import VARIABLE, read
from e2e_ansible.judge.attempt import Judged, checks_of, judge_attempt, situation
from e2e_ansible.judge.cause import is_infrastructure
from e2e_ansible.judge.fold import fold
from e2e_ansible.judge.record import (
    AttemptEnded,
    AttemptRecord,
    AttemptStarted,
    CustomOutcome,
    Entry,
    StepEnded,
    StepRecord,
    StepStarted,
    Trouble,
    take_up,
)
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import judge_step
from e2e_ansible.judge.timeline import last_fault
from e2e_ansible.judge.transient import passing_trouble, retry_delay
from e2e_ansible.load import registry as load_tools
from e2e_ansible.load.result import LoadResult
from e2e_ansible.load.running import ARTIFACTS
from e2e_ansible.nodes.observation import Observation
from e2e_ansible.nodes.resumed import RESUMED
from e2e_ansible.oracle.ranges import Ranges
from e2e_ansible.report import notice
from e2e_ansible.run.begun import Begun, taken_up
from e2e_ansible.run.clients import Clients
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import TestFolder, make_private
from e2e_ansible.run.journal import EventLog
from e2e_ansible.run.lane import Lane
from e2e_ansible.run.limit import in_time
from e2e_ansible.run.registered import Registered
from e2e_ansible.unicode import whole
from e2e_ansible.verdict import Verdict

__all__ = ["StepRun", "trouble_of"]


@dataclass
class StepRun:
    """One step of a test while it runs. `write` appends to the journal.

    `cancel` ends it. `over` ends a step that watches, after the look that it is at. `still` is held by the one step
    that keeps the writer still for a look. `undecided` is why the condition of the step is not known. `before` is how
    far a run that died came with it.
    """

    context: RunContext
    plan: Plan
    step: PlannedStep
    folder: TestFolder
    deployment: str
    lane: Lane
    cancel: Cancel
    over: threading.Event
    write: Callable[[Entry], None]
    events: EventLog
    writer: Clients
    still: threading.Lock
    registered: Registered
    undecided: Exception | None = None
    before: Begun | None = None
    _seen: dict[tuple[str, int], list[Event]] = field(default_factory=dict)

    def run(self, after: Callable[[], None]) -> StepResult:
        """Run the step to its result. `after` is called when its playbook has passed; its error spoils the pass.

        Raises:
            OSError: the journal could not be written.
        """
        context, step = self.context, self.step
        record = self._begin()
        context.tell(
            notice.StepStarted(
                at=context.now(), test=self.plan.name, step=step.id, deadline_seconds=step.deadline_seconds
            )
        )
        if not (record.resumed and record.resumed[-1].how == "never"):
            self._attempts(record, after)
        record.ended = context.now()
        self.write(StepEnded(at=record.ended, step=step.id))
        result = judge_step(self.plan, step, record, self._seen, self.writer.histories)
        if result.registered is not None and step.judgement.register_as:
            self.registered.add(step.judgement.register_as, result.registered)
        context.tell(notice.StepEnded(at=context.now(), test=self.plan.name, result=result))
        return result

    def _begin(self) -> StepRecord:
        """Write down that the step begins, or that it is taken up."""
        now = self.context.now()
        if self.before is None:
            self.write(StepStarted(at=now, step=self.step.id))
            return StepRecord(step=self.step.id, started=now)
        record = self.before.record.model_copy(deep=True)
        self._seen.update(self.before.events)
        entry = taken_up(self.step, record, now)
        self.write(entry)
        take_up(record, entry)
        return record

    def _attempts(self, record: StepRecord, after: Callable[[], None]) -> None:
        try:
            judged = self._judged(record)
            if judged.verdict is Verdict.PASS:
                after()
        except Exception as error:
            record.troubles.append(self._trouble(error))

    def _judged(self, record: StepRecord) -> Judged:
        if self.undecided is not None:
            raise self.undecided
        return self._watch(record) if self.step.watch else self._until_it_holds(record)

    def _until_it_holds(self, record: StepRecord) -> Judged:
        retry = self.step.judgement.retry
        deadline = Deadline(self.step.deadline_seconds)
        first = _next_number(record)
        number, judged = first, self._whole(record)
        if judged is not None and (judged.verdict is Verdict.PASS or retry.max_attempts == 1):
            delay = self._retry_delay(record, judged)
            if delay is None:
                return judged
            self.cancel.wait(delay)
        while True:
            judged = self._attempt(record, number, deadline)
            delay = self._delay(record, judged, number - first + 1)
            if delay is not None and (deadline.remaining <= delay or self.cancel.is_set):
                delay = None
            self._tell_attempt(number, first - 1 + retry.max_attempts, judged, delay)
            if delay is None:
                return judged
            self.cancel.wait(delay)
            number += 1

    def _delay(self, record: StepRecord, judged: Judged, looks: int) -> float | None:
        """Seconds until it is tried again, None if it is not; `looks` were had since the step began or was taken up."""
        if judged.verdict is Verdict.PASS:
            return None
        retry = self.step.judgement.retry
        return retry.delay_seconds if looks < retry.max_attempts else self._retry_delay(record, judged)

    def _retry_delay(self, record: StepRecord, judged: Judged) -> float | None:
        """Seconds until a set-up is played again after what passes by itself; None if it is not."""
        tries = sum(not attempt.cut for attempt in record.attempts)
        trouble = passing_trouble(self.step, record.attempts[-1], judged.facts)
        if judged.verdict is Verdict.PASS or not trouble or tries > self.step.judgement.transient_retries:
            return None
        delay = retry_delay(tries)
        again = f"{self.step.id} is tried again in {delay:g} s (try {tries + 1}): {trouble}"
        now = self.context.now()
        self.context.tell(notice.Message(at=now, test=self.plan.name, level="warning", text=again))
        return delay

    def _watch(self, record: StepRecord) -> Judged:
        """Look until it is over, at least once; each look has the deadline of the step for itself."""
        pause = self.step.judgement.retry.delay_seconds
        number = _next_number(record) - 1
        while True:
            number += 1
            judged = self._attempt(record, number, Deadline(self.step.deadline_seconds))
            last = self.over.wait(0) or self.cancel.is_set
            self._tell_attempt(number, number, judged, None if last else pause)
            if last or self.over.wait(pause) or self.cancel.is_set:
                return judged

    def _whole(self, record: StepRecord) -> Judged | None:
        """What the last attempt came to, if that had ended when the run died."""
        if not record.resumed or record.resumed[-1].how != "whole":
            return None
        last = record.attempts[-1]
        seen = self._seen.get((self.step.id, last.number), ())
        return judge_attempt(self.plan, self.step, last, seen, self.writer.histories)

    def _trouble(self, error: Exception) -> Trouble:
        trouble = trouble_of(error, self.context.now(), step=self.step.id)
        self.write(trouble)
        return trouble

    def _attempt(self, record: StepRecord, number: int, deadline: Deadline) -> Judged:
        attempt = AttemptRecord(number=number, started=self.context.now())
        self.write(AttemptStarted(at=attempt.started, step=self.step.id, attempt=number))
        record.attempts.append(attempt)
        with self._rows() as rows:
            outcome = in_time(self._play(number, deadline), self.cancel)
        attempt.ended = self._ended(attempt, outcome, rows)
        self.write(attempt.ended)
        seen = self._seen.get((self.step.id, number), ())
        return judge_attempt(self.plan, self.step, attempt, seen, self.writer.histories)

    @contextmanager
    def _rows(self) -> Iterator[Ranges | None]:
        """The rows that are known to be committed, for a step that needs them; until its end none is added."""
        if not self.step.judgement.needs_integrity:
            yield None
            return
        with self.still, self.writer.still() as rows:
            yield rows

    def _ended(self, attempt: AttemptRecord, outcome: Outcome, rows: Ranges | None) -> AttemptEnded:
        return AttemptEnded(
            at=self.context.now(),
            step=self.step.id,
            attempt=attempt.number,
            outcome=outcome,
            acknowledged=None if rows is None else tuple(rows),
            histories=self.writer.look() if self.step.judgement.observes else {},
            last_fault=last_fault(read(self.folder.faults)) if self.step.judgement.observes else None,
            custom=self._foreign_checks(attempt, rows) if outcome.ended is Ended.COMPLETED else {},
            load=self._foreign_load(attempt),
        )

    def _play(self, number: int, deadline: Deadline) -> Outcome:
        if self.cancel.is_set:
            return Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")
        self.lane.begin_play()
        artifacts = self.folder.step(self.step.id)
        make_private(artifacts)
        request = PlayRequest(
            project=self.folder.plan,
            playbook=self.step.playbook,
            inventory=INVENTORY,
            artifacts=artifacts,
            deadline_seconds=max(round(deadline.remaining, 1), 0.1),
            token=f"{self.lane.token}/{self.step.id}",
            environment=dict(self.lane.environment)
            | {
                "E2E_DEPLOYMENT": self.deployment,
                "E2E_OWNER": str(self.folder.path.parents[1]),
                "E2E_STEP": self.step.id,
                ARTIFACTS: str(artifacts),
                VARIABLE: str(self.folder.faults),
                "E2E_SUITE_FOLDER": str(Path(self.plan.suite_file).resolve().parent),
                **({RESUMED: "1"} if self.before else {}),
            },
            verbosity=self.context.options.verbosity,
        )
        outcome = self.context.engine.run(request, lambda event: self._take(number, event), self.cancel)
        if outcome.why:
            self.context.warn_once(f"the {outcome.engine} engine is used: {outcome.why}")
        if self.step.judgement.disconnects or self.step.removes_nodes:
            self.lane.lanes.nodes_went()
        return outcome

    def _take(self, number: int, event: Event) -> None:
        self.events.append(self.step.id, number, event)
        self._seen.setdefault((self.step.id, number), []).append(event)
        now, test, step = self.context.now(), self.plan.name, self.step.id
        if event.kind is Kind.TASK_START:
            self.context.tell(notice.TaskStarted(at=now, test=test, step=step, task=event.task))
        if event.stdout:
            self.context.tell(notice.Output(at=now, test=test, step=step, text=event.stdout + "\n"))

    def _foreign_checks(self, attempt: AttemptRecord, rows: Ranges | None) -> dict[str, CustomOutcome]:
        """Checks from elsewhere are decided now and written down: a later judge may not have their code."""
        names = [text for text in checks_of(self.step) if not is_built_in(text)]
        if not names:
            return {}
        facts = fold(self.step, self._seen.get((self.step.id, attempt.number), ()))
        observation = Observation(at=attempt.started, nodes=tuple(facts.observations.values()))
        return {text: self._foreign_check(text, observation, rows) for text in names}

    def _foreign_load(self, attempt: AttemptRecord) -> LoadResult | None:
        """What a tool from elsewhere makes of its output is written down as well."""
        output = fold(self.step, self._seen.get((self.step.id, attempt.number), ())).load
        return None if output is None or load_tools.is_built_in(output.tool) else load_tools.read(output)

    def _foreign_check(self, text: str, observation: Observation, rows: Ranges | None) -> CustomOutcome:
        check, _ = parse(text)
        function = custom(check.name)
        if function is None:
            outcome = evaluate(text, situation(self.plan, observation, rows))
        else:
            outcome = function.run(
                custom_context(
                    deploy_dir=str(self.folder.path),
                    observation=observation,
                    deployment_id=self.deployment,
                    parameters=self.plan.parameters,
                )
            )
        return CustomOutcome(
            passed=outcome.passed,
            message=outcome.message,
            infrastructure=outcome.infrastructure,
            allow_failure=check.allow_failure,
        )

    def _tell_attempt(self, number: int, most: int, judged: Judged, next_in: float | None) -> None:
        if self.step.judgement.observes:
            self.context.tell(
                notice.Attempted(
                    at=self.context.now(),
                    test=self.plan.name,
                    step=self.step.id,
                    attempt=number,
                    max_attempts=most,
                    checks=judged.checks,
                    next_in=next_in,
                )
            )


def _next_number(record: StepRecord) -> int:
    return max((attempt.number for attempt in record.attempts), default=0) + 1


def trouble_of(error: Exception, at: float, *, step: str = "") -> Trouble:
    """What went wrong outside a playbook, as a journal entry; machines and disks are told from the harness."""
    outside = isinstance(error, (OSError, InfrastructureError)) or is_infrastructure(str(error))
    known = isinstance(error, (OSError, E2EError))
    message = str(error) if known else f"{type(error).__name__}: {error}"
    return Trouble(at=at, message=whole(message), step=step, infrastructure=outside)
