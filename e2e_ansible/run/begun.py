"""What a run that died has left of a test: steps that ended, and steps that were under way.

What was under way is taken up by the replay class of the step, once it is known how far it came.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.compile.plan import FlowGroup, FlowItem, Plan, PlannedStep
from e2e_ansible.engine.event import Event
from e2e_ansible.judge.entry import Entry, StepResumed
from e2e_ansible.judge.flow import missing, speaking, steps_of
from e2e_ansible.judge.record import StepRecord, TestRecord, records
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import Events, judge_step
from e2e_ansible.oracle.histories import Histories
from e2e_ansible.run.coverage import COVERAGE
from e2e_ansible.run.folder import TestFolder
from e2e_ansible.run.journal import read_events, read_journal
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.verdict import Status

__all__ = ["Before", "Begun", "read_before", "taken_up"]

_BEGINS = ("step_started", "step_resumed", "step_omitted")
_ENDS = ("step_ended", "step_omitted")


@dataclass(frozen=True)
class Begun:
    """One step that was under way: what was written down of it, and the events of its attempts.

    One that is `over` is to be done once more.
    """

    record: StepRecord
    events: Mapping[tuple[str, int], list[Event]]
    over: bool = False


@dataclass(frozen=True)
class Before:
    """All that was written down of a test before the run died.

    `done` are steps that need not be done any more. Those that are `stale` have ended, and are to be done once more.
    """

    record: TestRecord
    events: Events
    done: Mapping[str, StepResult]
    stale: frozenset[str] = frozenset()

    def begun(self, step: str) -> Begun | None:
        """How far a step came that is to be done; None if it was not begun."""
        record = self.record.steps.get(step)
        if record is None or record.omitted:
            return None
        events = {key: list(seen) for key, seen in self.events.items() if key[0] == step}
        return Begun(record, events, over=step in self.done or step in self.stale)

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
        """Whether there is evidence of all that did not pass: of the last step that failed, or of the whole flow."""
        logs = [evidence.at for evidence in self.record.evidence if evidence.folder != COVERAGE]
        failed = [self.record.steps[step].ended or 0 for step in self.done if not self._is_quiet(step)]
        return bool(logs) and (self.flow_is_over or (bool(failed) and logs[-1] >= max(failed)))

    def _is_quiet(self, step: str) -> bool:
        return self.done[step].status in (Status.COMPLETED, Status.OMITTED)

    def _passed(self, step: str) -> bool:
        return step in self.done and self.done[step].status is Status.COMPLETED


def read_before(plan: Plan, folder: TestFolder) -> Before | None:
    """What there is of a test that was begun; None if it was not.

    Raises:
        HarnessError: a file cannot be read.
    """
    entries = read_journal(folder.journal)
    record = records(entries)
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
    whole = {step for step, its in record.steps.items() if its.attempts and its.attempts[-1].whole}
    stale = frozenset(_stale(plan.items, entries, done, whole))
    return Before(record, events, {step: done[step] for step in done if step not in stale}, stale)


def _stale(
    items: Iterable[FlowItem],
    entries: Sequence[Entry],
    done: Mapping[str, StepResult],
    whole: Container[str],
) -> Iterator[str]:
    """What was done at the end of groups whose steps go on, or went on after it: that was not their end.

    `whole` are steps whose last attempt had ended.
    """
    begun, ended = _places(entries, _BEGINS), _places(entries, _ENDS)
    for group in items:
        if not isinstance(group, FlowGroup):
            continue
        yield from _stale((*group.body, *group.rescue, *group.final), entries, done, whole)
        before = list(steps_of((*group.body, *group.rescue)))
        goes_on = any(step in begun and step not in done for step in before)
        goes_on = goes_on or (not speaking(group.body, done) and any(missing(group.body, done)))
        last = max((ended.get(step, -1) for step in before), default=-1)
        final = [step for step in steps_of(group.final) if step in done or step in whole]
        yield from (step for step in final if goes_on or begun[step] < last)


def _places(entries: Sequence[Entry], kinds: Container[str]) -> dict[str, int]:
    """The place in the journal of the last entry of these kinds, by step."""
    return {getattr(entry, "step", ""): place for place, entry in enumerate(entries) if entry.kind in kinds}


def taken_up(step: PlannedStep, record: StepRecord, at: float, *, anew: bool = False) -> StepResumed:
    """How a step that was under way is taken up; `anew`: it had ended, and is done once more."""
    if anew:
        return StepResumed(at=at, step=step.id, how="anew", reason="it is the end of what went on")
    last = record.attempts[-1] if record.attempts else None
    if last is None or (last.whole and last.cut):
        return StepResumed(at=at, step=step.id, how="again", reason="nothing of it had been done")
    if last.whole and not step.watch:
        return StepResumed(at=at, step=step.id, how="whole")
    if step.replay is Replay.NEVER:
        text = f"the run died in attempt {last.number}; whether it was done is not known, and it may not be repeated"
        return StepResumed(at=at, step=step.id, how="never", reason=text)
    seen = step.replay is Replay.VERIFY_FIRST
    reason = "what can be done only once was looked for first" if seen else ""
    return StepResumed(at=at, step=step.id, how="again", reason=reason)
