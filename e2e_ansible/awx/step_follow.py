"""Follows the job of one step, and writes the journal and events that a run of the same step would write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from e2e_ansible.awx.admission import Refused
from e2e_ansible.awx.attempts import Attempts
from e2e_ansible.awx.carried import Carried, Told, rows
from e2e_ansible.awx.client import AwxError
from e2e_ansible.awx.first_word import FirstWord
from e2e_ansible.awx.jobs import Job, follow, seconds_of
from e2e_ansible.awx.time_limit import TimeLimit
from e2e_ansible.compile.bounds import most_seconds
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.attempt import judge_attempt
from e2e_ansible.judge.entry import AttemptEnded, AttemptStarted, Entry, StepEnded, StepStarted, Trouble
from e2e_ansible.judge.record import AttemptRecord, StepRecord
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import judge_step
from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.running import RESULT, keep_texts
from e2e_ansible.report import notice
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import TestFolder, make_private
from e2e_ansible.run.journal import EventLog
from e2e_ansible.verdict import Verdict

__all__ = ["JobLog", "StepEnd", "StepFollow"]

_DONE = Outcome(ended=Ended.COMPLETED, rc=0, engine="awx")
_CUT = "timedout"


@dataclass(frozen=True)
class StepEnd:
    """How a job ended, and its step: its `result`, or why it was `refused` by the job, and not begun."""

    outcome: Outcome
    at: float
    result: StepResult | None = None
    refused: Refused | None = None

    @property
    def passed(self) -> bool:
        """Whether the step passed."""
        return self.result is not None and self.result.verdict is Verdict.PASS


class JobLog:
    """What Ansible printed, in the same file as that of a run."""

    def __init__(self, folder: Path) -> None:
        path = folder / "ansible.log"
        path.touch(mode=0o600)
        self._file = path.open("a", encoding="utf-8", errors="surrogatepass")

    def __enter__(self) -> JobLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, event: Event) -> None:
        if event.stdout:
            self._file.write(event.stdout.replace("\r\n", "\n") + "\n")


@dataclass
class StepFollow:
    """The job of one step. Its times are those of AWX."""

    context: RunContext
    plan: Plan
    step: PlannedStep
    folder: TestFolder
    job: Job
    write: Callable[[Entry], None]
    events: EventLog
    carried: Carried
    limit: TimeLimit
    _told: Told | None = None
    _cut: dict[str, str] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)
    _seen: dict[tuple[str, int], list[Event]] = field(default_factory=dict)

    def run(self) -> StepEnd:
        """Follow it to its verdict.

        Raises:
            OSError: the run folder cannot be written.
        """
        started = self._created()
        folder = self.folder.step(self.step.id)
        make_private(folder)
        attempts = Attempts(self.step, self._again, self._take)
        word = FirstWord(lambda: self._start(started), attempts)
        with JobLog(folder) as log:

            def take(event: Event) -> None:
                log(event)
                word(event)

            outcome = follow(self.job, take, self.context.cancel, self.context.abandon)
        ended = seconds_of(self.job.last.get("finished")) or self.context.now()
        if word.refused is not None:
            return StepEnd(outcome, ended, refused=word.refused)
        word.go_on()
        self.limit.begin(word.began)
        outcome = self.limit.outcome(attempts.outcome(outcome), self.step, ended, self._cut)
        return StepEnd(outcome, ended, self._judged(outcome, ended))

    def _start(self, at: float) -> None:
        step = self.step
        self.write(StepStarted(at=at, step=step.id))
        self.context.tell(
            notice.StepStarted(
                at=at, test=self.plan.name, step=step.id, deadline_seconds=most_seconds(self.plan, step)
            )
        )
        self._record = StepRecord(step=step.id, started=at)
        self._begin(1, at)

    def _judged(self, outcome: Outcome, ended: float) -> StepResult:
        self._end(outcome, None, ended)
        self._record.ended = ended
        self.write(StepEnded(at=ended, step=self.step.id))
        result = judge_step(self.plan, self.step, self._record, self._seen, self.carried.histories)
        self.context.tell(notice.StepEnded(at=ended, test=self.plan.name, result=result))
        return result

    def _created(self) -> float:
        with suppress(AwxError):  # whoever follows it says so
            self.job.look()
        return seconds_of(self.job.last.get("created")) or self.context.now()

    def _begin(self, number: int, at: float) -> None:
        self.write(AttemptStarted(at=at, step=self.step.id, attempt=number))
        self._record.attempts.append(AttemptRecord(number=number, started=at))

    def _again(self, number: int, event: Event) -> None:
        """The look before this one is whole: it gets the end that only the last one has of Ansible."""
        end = {"event": Kind.STATS, "counter": event.counter, "created": event.created, "event_data": {}}
        self._take(number - 1, Event.model_validate(end))
        at = seconds_of(event.created) or self.context.now()
        self._end(_DONE, self.step.judgement.retry.delay_seconds, at)
        self._begin(number, at)

    def _end(self, outcome: Outcome, next_in: float | None, at: float) -> None:
        attempt = self._record.attempts[-1]
        attempt.ended = self._ended(attempt.number, outcome, at)
        self.write(attempt.ended)
        if not self.step.judgement.observes:
            return
        seen = self._seen.get((self.step.id, attempt.number), ())
        self.context.tell(
            notice.Attempted(
                at=at,
                test=self.plan.name,
                step=self.step.id,
                attempt=attempt.number,
                max_attempts=self.step.judgement.retry.max_attempts,
                checks=judge_attempt(self.plan, self.step, attempt, seen, self.carried.histories).checks,
                next_in=next_in,
            )
        )

    def _ended(self, number: int, outcome: Outcome, at: float) -> AttemptEnded:
        """With what the job knew of the clients at its look."""
        told = (self._told if self.step.judgement.observes else None) or Told()
        self._told = None
        known = rows(self.carried.histories, told)
        return AttemptEnded(
            at=at,
            step=self.step.id,
            attempt=number,
            outcome=outcome,
            acknowledged=None if known is None else tuple(known),
            histories=told.sizes,
        )

    def _take(self, number: int, event: Event) -> None:
        self.events.append(self.step.id, number, event)
        self._seen.setdefault((self.step.id, number), []).append(event)
        if event.kind is Kind.FAILED and _CUT in event.result:
            self._cut[event.host] = event.task
        self._keep(event)
        self._keep_load(event.result.get(RESULT))
        now, test, step = self.context.now(), self.plan.name, self.step.id
        if event.kind is Kind.TASK_START:
            self.context.tell(notice.TaskStarted(at=now, test=test, step=step, task=event.task))
        if event.stdout:
            self.context.tell(notice.Output(at=now, test=test, step=step, text=event.stdout + "\n"))

    def _keep(self, event: Event) -> None:
        """What the event carries beside what happened; a client that did not do what it should spoils the step."""
        try:
            told = self.carried.take(event.result) if event.kind is Kind.OK else None
        except HarnessError as error:
            self._trouble(str(error), outside=False)
            return
        if told is None:
            return
        self._told = told if told.sizes else self._told
        for text in told.said:
            self._warn(text)
        if told.trouble:
            self._trouble(told.trouble, outside=told.outside)

    def _keep_load(self, found: object) -> None:
        """What a load tool printed, as far as the job told it, in the same files as those of a run."""
        with suppress(ValidationError):  # the judge says that it cannot be read
            if isinstance(found, Mapping):
                output = LoadOutput.model_validate(found)
                keep_texts(self.folder.step(self.step.id), output.tool, output)

    def _warn(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            at = self.context.now()
            self.context.tell(notice.Message(at=at, test=self.plan.name, level="warning", text=text))

    def _trouble(self, text: str, *, outside: bool) -> None:
        step = self.step.id
        if any(each.message == text for each in self._record.troubles):
            return
        trouble = Trouble(at=self.context.now(), message=text, step=step, infrastructure=outside)
        self._record.troubles.append(trouble)
        self.write(trouble)
