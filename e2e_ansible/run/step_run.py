"""Runs one step: as many attempts at its playbook as its retry allows, then its result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from e2e_ansible.compile.bounds import most_seconds
from e2e_ansible.deadline import Deadline
from e2e_ansible.judge.attempt import Judged
from e2e_ansible.judge.entry import StepEnded, StepStarted, Trouble
from e2e_ansible.judge.record import StepRecord, take_up
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import judge_step
from e2e_ansible.judge.transient import passing_trouble, retry_delay
from e2e_ansible.report import notice
from e2e_ansible.run.attempts import Attempts
from e2e_ansible.run.begun import Begun, taken_up
from e2e_ansible.run.registered import Registered
from e2e_ansible.run.trouble import trouble_of
from e2e_ansible.verdict import Verdict

__all__ = ["StepRun"]


@dataclass
class StepRun:
    """One step of a test while it runs.

    `over` ends a step that watches, after the look that it is at. `undecided` is why the condition of the step is not
    known. `before` is how far a run that died came with it.
    """

    attempts: Attempts
    over: threading.Event
    registered: Registered
    undecided: Exception | None = None
    before: Begun | None = None

    def __post_init__(self) -> None:
        self._context, self._plan, self._step = self.attempts.context, self.attempts.plan, self.attempts.step
        self._write = self.attempts.log.write

    def run(self, after: Callable[[], None]) -> StepResult:
        """Run the step to its result. `after` is called when its playbook has passed; its error spoils the pass.

        Raises:
            OSError: the journal could not be written.
        """
        context, step = self._context, self._step
        record = self._begin()
        context.tell(
            notice.StepStarted(
                at=context.now(),
                test=self._plan.name,
                step=step.id,
                deadline_seconds=most_seconds(self._plan, step),
            )
        )
        if not (record.resumed and record.resumed[-1].how == "never"):
            self._try(record, after)
        record.ended = context.now()
        self._write(StepEnded(at=record.ended, step=step.id))
        result = judge_step(self._plan, step, record, self.attempts.seen, self.attempts.writer.histories)
        if result.registered is not None and step.judgement.register_as:
            self.registered.add(step.judgement.register_as, result.registered)
        context.tell(notice.StepEnded(at=context.now(), test=self._plan.name, result=result))
        return result

    def _begin(self) -> StepRecord:
        """Write down that the step begins, or that it is taken up."""
        now = self._context.now()
        if self.before is None:
            self._write(StepStarted(at=now, step=self._step.id))
            return StepRecord(step=self._step.id, started=now)
        record = self.before.record.model_copy(deep=True)
        self.attempts.seen.update(self.before.events)
        entry = taken_up(self._step, record, now, anew=self.before.over)
        self._write(entry)
        take_up(record, entry)
        return record

    def _try(self, record: StepRecord, after: Callable[[], None]) -> None:
        try:
            judged = self._judged(record)
            if judged.verdict is Verdict.PASS:
                after()
        except (Exception, SystemExit) as error:  # a check from elsewhere may call `exit`
            record.troubles.append(self._trouble(error))

    def _judged(self, record: StepRecord) -> Judged:
        if self.undecided is not None:
            raise self.undecided
        return self._watch(record) if self._step.watch else self._until_it_holds(record)

    def _until_it_holds(self, record: StepRecord) -> Judged:
        retry = self._step.judgement.retry
        deadline = Deadline(self._step.deadline_seconds)
        first = _next_number(record)
        number, judged = first, self._whole(record)
        if judged is not None and (judged.verdict is Verdict.PASS or retry.max_attempts == 1):
            delay = self._retry_delay(record, judged)
            if delay is None:
                return judged
            self.attempts.cancel.wait(delay)
        while True:
            judged = self.attempts.one(record, number, deadline)
            delay = self._delay(record, judged, number - first + 1)
            if delay is not None and (deadline.remaining <= delay or self.attempts.cancel.is_set):
                delay = None
            self._tell_attempt(number, first - 1 + retry.max_attempts, judged, delay)
            if delay is None:
                return judged
            self.attempts.cancel.wait(delay)
            number += 1

    def _delay(self, record: StepRecord, judged: Judged, looks: int) -> float | None:
        """Seconds until it is tried again, None if it is not; `looks` were had since the step began or was taken up."""
        if judged.verdict is Verdict.PASS:
            return None
        retry = self._step.judgement.retry
        return retry.delay_seconds if looks < retry.max_attempts else self._retry_delay(record, judged)

    def _retry_delay(self, record: StepRecord, judged: Judged) -> float | None:
        """Seconds until a set-up is played again after what passes by itself; None if it is not."""
        tries = sum(not attempt.cut for attempt in record.attempts)
        trouble = passing_trouble(self._step, record.attempts[-1], judged.facts)
        if judged.verdict is Verdict.PASS or not trouble or tries > self._step.judgement.transient_retries:
            return None
        delay = retry_delay(tries)
        again = f"{self._step.id} is tried again in {delay:g} s (try {tries + 1}): {trouble}"
        now = self._context.now()
        self._context.tell(notice.Message(at=now, test=self._plan.name, level="warning", text=again))
        return delay

    def _watch(self, record: StepRecord) -> Judged:
        """Look until it is over, at least once; each look has the deadline of the step for itself."""
        pause = self._step.judgement.retry.delay_seconds
        number = _next_number(record) - 1
        while True:
            number += 1
            judged = self.attempts.one(record, number, Deadline(self._step.deadline_seconds))
            last = self.over.wait(0) or self.attempts.cancel.is_set
            self._tell_attempt(number, number, judged, None if last else pause)
            if last or self.over.wait(pause) or self.attempts.cancel.is_set:
                return judged

    def _whole(self, record: StepRecord) -> Judged | None:
        """What the last attempt came to, if that had ended when the run died."""
        if not record.resumed or record.resumed[-1].how != "whole":
            return None
        return self.attempts.judged(record.attempts[-1])

    def _trouble(self, error: BaseException) -> Trouble:
        trouble = trouble_of(error, self._context.now(), step=self._step.id)
        self._write(trouble)
        return trouble

    def _tell_attempt(self, number: int, most: int, judged: Judged, next_in: float | None) -> None:
        if self._step.judgement.observes:
            self._context.tell(
                notice.Attempted(
                    at=self._context.now(),
                    test=self._plan.name,
                    step=self._step.id,
                    attempt=number,
                    max_attempts=most,
                    checks=judged.checks,
                    next_in=next_in,
                )
            )


def _next_number(record: StepRecord) -> int:
    return max((attempt.number for attempt in record.attempts), default=0) + 1
