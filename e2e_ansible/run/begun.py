"""What a run that died has left of a test: steps that ended, and steps that were under way.

What was under way is taken up by the replay class of the step, once it is known how far it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.engine.event import Event
from e2e_ansible.judge.record import StepRecord, StepResumed, TestRecord, records
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import Events, judge_step
from e2e_ansible.oracle.histories import Histories
from e2e_ansible.run.folder import TestFolder
from e2e_ansible.run.journal import read_events, read_journal
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.verdict import Status

__all__ = ["Before", "Begun", "read_before", "taken_up"]


@dataclass(frozen=True)
class Begun:
    """One step that was under way: what was written down of it, and the events of its attempts."""

    record: StepRecord
    events: Mapping[tuple[str, int], list[Event]]


@dataclass(frozen=True)
class Before:
    """All that was written down of a test before the run died."""

    record: TestRecord
    events: Events
    done: Mapping[str, StepResult]

    def begun(self, step: str) -> Begun | None:
        """How far a step came that did not end; None if it was not begun, or has ended."""
        record = self.record.steps.get(step)
        if record is None or step in self.done:
            return None
        return Begun(record, {key: list(seen) for key, seen in self.events.items() if key[0] == step})

    @property
    def flow_is_over(self) -> bool:
        """Whether the steps had come to their end, so that only healing and clean-up are left."""
        healed = self.record.healed
        return (self.record.clean_up is not None and not self.abandoned) or bool(healed and not healed.left)

    @property
    def abandoned(self) -> bool:
        """Whether a second interrupt left everything as it was."""
        clean_up = self.record.clean_up
        return clean_up is not None and clean_up.kept and not clean_up.ok

    def in_order(self, plan: Plan) -> Sequence[tuple[PlannedStep, bool]]:
        """The steps that were begun, in the order in which they ended, and whether each has passed."""
        steps = [step for step in plan.steps if step.id in self.record.steps]
        steps.sort(key=lambda step: self.record.steps[step.id].ended or float("inf"))
        return [(step, self._passed(step.id)) for step in steps]

    @property
    def evidence_is_new(self) -> bool:
        """Whether evidence was collected after the last step that did not pass."""
        failed = [self.record.steps[step].ended or 0 for step in self.done if not self._is_quiet(step)]
        evidence = self.record.evidence
        return bool(evidence) and evidence[-1].at >= max(failed, default=0)

    def _is_quiet(self, step: str) -> bool:
        return self.done[step].status in (Status.COMPLETED, Status.OMITTED)

    def _passed(self, step: str) -> bool:
        return step in self.done and self.done[step].status is Status.COMPLETED


def read_before(plan: Plan, folder: TestFolder) -> Before | None:
    """What there is of a test that was begun; None if it was not.

    Raises:
        HarnessError: a file cannot be read.
    """
    record = records(read_journal(folder.journal))
    if record.started is None:
        return None
    events, histories = read_events(folder.events), Histories(folder.path)
    done: dict[str, StepResult] = {}
    for step in plan.steps:
        its = record.steps.get(step.id)
        if its is not None and its.ended is not None:
            result = judge_step(plan, step, its, events, histories)
            if result.status is not Status.INTERRUPTED:
                done[step.id] = result
    return Before(record, events, done)


def taken_up(step: PlannedStep, record: StepRecord, at: float) -> StepResumed:
    """How a step that was under way is taken up."""
    last = record.attempts[-1] if record.attempts else None
    if last is None:
        return StepResumed(at=at, step=step.id, how="again", reason="nothing of it had been done")
    if last.whole and not step.watch:
        return StepResumed(at=at, step=step.id, how="whole")
    if step.replay is Replay.NEVER:
        text = f"the run died in attempt {last.number}; whether it was done is not known, and it may not be repeated"
        return StepResumed(at=at, step=step.id, how="never", reason=text)
    seen = step.replay is Replay.VERIFY_FIRST
    reason = "what can be done only once was looked for first" if seen else ""
    return StepResumed(at=at, step=step.id, how="again", reason=reason)
