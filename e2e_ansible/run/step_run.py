"""Runs one step: its playbook, as often as its retry allows, each attempt judged at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from e2e_ansible.checks.registry import custom, custom_context, evaluate, is_built_in, parse
from e2e_ansible.compile.compiler import INVENTORY, REGISTERED_FILE
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.compile.render import REGISTERED
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.processes import end_all
from e2e_ansible.engine.protocol import Ended, Outcome, PlayRequest
from e2e_ansible.errors import E2EError, InfrastructureError
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
)
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import judge_step
from e2e_ansible.nodes.observation import Observation
from e2e_ansible.oracle.ranges import Ranges
from e2e_ansible.report import notice
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import TestFolder, make_private, write_private
from e2e_ansible.run.integrity import IntegrityWriter
from e2e_ansible.run.journal import EventLog
from e2e_ansible.unicode import whole
from e2e_ansible.verdict import Verdict

__all__ = ["StepRun", "trouble_of"]


@dataclass
class StepRun:
    """One step of a test while it runs. `write` appends to the journal; `after` acts once the step has passed."""

    context: RunContext
    plan: Plan
    step: PlannedStep
    folder: TestFolder
    deployment: str
    token: str
    write: Callable[[Entry], None]
    events: EventLog
    writer: IntegrityWriter
    registered: dict[str, Mapping[str, object]]
    _seen: dict[tuple[str, int], list[Event]] = field(default_factory=dict)

    def run(self, after: Callable[[], None]) -> StepResult:
        """Run the step to its result. `after` is called when its playbook has passed; its error spoils the pass.

        Raises:
            OSError: the journal could not be written.
        """
        context, step = self.context, self.step
        record = StepRecord(step=step.id, started=context.now())
        self.write(StepStarted(at=record.started, step=step.id))
        context.tell(
            notice.StepStarted(
                at=record.started, test=self.plan.name, step=step.id, deadline_seconds=step.deadline_seconds
            )
        )
        self._attempts(record, after)
        record.ended = context.now()
        self.write(StepEnded(at=record.ended, step=step.id))
        result = judge_step(self.plan, step, record, self._seen)
        if result.registered is not None and step.judgement.register_as:
            self._register(step.judgement.register_as, result.registered)
        context.tell(notice.StepEnded(at=context.now(), test=self.plan.name, result=result))
        return result

    def _attempts(self, record: StepRecord, after: Callable[[], None]) -> None:
        retry = self.step.judgement.retry
        deadline = Deadline(self.step.deadline_seconds)
        try:
            for number in range(1, retry.max_attempts + 1):
                judged = self._attempt(record, number, deadline)
                again = judged.verdict is not Verdict.PASS and number < retry.max_attempts
                again = again and deadline.remaining > retry.delay_seconds and not self.context.cancel.is_set
                self._tell_attempt(number, judged, retry.delay_seconds if again else None)
                if not again:
                    break
                self.context.cancel.wait(retry.delay_seconds)
            if judged.verdict is Verdict.PASS:
                after()
        except Exception as error:
            record.troubles.append(self._trouble(error))

    def _trouble(self, error: Exception) -> Trouble:
        trouble = trouble_of(error, self.context.now(), step=self.step.id)
        self.write(trouble)
        return trouble

    def _attempt(self, record: StepRecord, number: int, deadline: Deadline) -> Judged:
        attempt = AttemptRecord(number=number, started=self.context.now())
        self.write(AttemptStarted(at=attempt.started, step=self.step.id, attempt=number))
        record.attempts.append(attempt)
        with self.writer.still() if self.step.judgement.needs_integrity else nullcontext() as rows:
            outcome = self._play(number, deadline)
        attempt.ended = self._ended(attempt, outcome, rows)
        self.write(attempt.ended)
        return judge_attempt(self.plan, self.step, attempt, self._seen.get((self.step.id, number), ()))

    def _ended(self, attempt: AttemptRecord, outcome: Outcome, rows: Ranges | None) -> AttemptEnded:
        return AttemptEnded(
            at=self.context.now(),
            step=self.step.id,
            attempt=attempt.number,
            outcome=outcome,
            acknowledged=None if rows is None else tuple(rows),
            custom=self._foreign_checks(attempt, rows) if outcome.ended is Ended.COMPLETED else {},
        )

    def _play(self, number: int, deadline: Deadline) -> Outcome:
        if self.context.cancel.is_set:
            return Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")
        artifacts = self.folder.step(self.step.id)
        make_private(artifacts)
        request = PlayRequest(
            project=self.folder.plan,
            playbook=self.step.playbook,
            inventory=INVENTORY,
            artifacts=artifacts,
            deadline_seconds=max(round(deadline.remaining, 1), 0.1),
            token=f"{self.token}/{self.step.id}",
            environment=dict(self.context.environment)
            | {
                "E2E_DEPLOYMENT": self.deployment,
                "E2E_OWNER": str(self.folder.path.parents[1]),
                "E2E_SUITE_FOLDER": str(Path(self.plan.suite_file).resolve().parent),
            },
            verbosity=self.context.options.verbosity,
        )
        outcome = self.context.engine.run(
            request, lambda event: self._take(number, event), self.context.cancel
        )
        if outcome.why:
            self.context.warn_once(f"the {outcome.engine} engine is used: {outcome.why}")
        if self.step.judgement.disconnects or self.step.removes_nodes:
            end_all(self.token)  # the ssh masters: one to a node that is gone would hang the next step
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

    def _tell_attempt(self, number: int, judged: Judged, next_in: float | None) -> None:
        if self.step.judgement.observes:
            self.context.tell(
                notice.Attempted(
                    at=self.context.now(),
                    test=self.plan.name,
                    step=self.step.id,
                    attempt=number,
                    max_attempts=self.step.judgement.retry.max_attempts,
                    checks=judged.checks,
                    next_in=next_in,
                )
            )

    def _register(self, name: str, values: Mapping[str, object]) -> None:
        """Give the output to later steps, marked so that Ansible never takes it for a template."""
        self.registered[name] = {
            key: {"__ansible_unsafe": value} if isinstance(value, str) else value
            for key, value in values.items()
        }
        write_private(self.folder.plan / REGISTERED_FILE, json.dumps({REGISTERED: self.registered}) + "\n")


def trouble_of(error: Exception, at: float, *, step: str = "") -> Trouble:
    """What went wrong outside a playbook, as a journal entry; machines and disks are told from the harness."""
    outside = isinstance(error, (OSError, InfrastructureError)) or is_infrastructure(str(error))
    known = isinstance(error, (OSError, E2EError))
    message = str(error) if known else f"{type(error).__name__}: {error}"
    return Trouble(at=at, message=whole(message), step=step, infrastructure=outside)
