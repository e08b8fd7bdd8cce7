"""Walks the flow of a test: lists, groups, branches, rescues and ends. Every line of steps is a thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, FlowWait, Plan, PlannedStep
from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.judge.condition import Outputs
from e2e_ansible.judge.flow import steps_of
from e2e_ansible.judge.result import StepResult
from e2e_ansible.run.background import Background, runs_beside
from e2e_ansible.run.graph import do_all, kept, raise_all
from e2e_ansible.run.lane import Lane, Lanes
from e2e_ansible.run.outcomes import Outcomes
from e2e_ansible.suite.order import direct
from e2e_ansible.verdict import Verdict

__all__ = ["Acts", "Flow"]


class Acts(Protocol):
    """What the flow has done by the test. Called from several threads; errors end the line that they come from."""

    def step(
        self,
        step: PlannedStep,
        lane: Lane,
        cancel: Cancel,
        over: threading.Event,
        undecided: Exception | None,
    ) -> StepResult:
        """Run one step. One that watches looks until `over` is set; `undecided` is why its condition is not known."""
        ...

    def omit(self, step: PlannedStep, reason: str) -> StepResult:
        """Leave a step out."""
        ...

    def recall(self, result: StepResult) -> None:
        """A step had ended before the run died; what it returned is known again."""
        ...

    def interrupted(self) -> None:
        """An interrupt keeps steps from being begun."""
        ...

    def failed(self) -> None:
        """Something did not pass, and what follows may change what there is to see."""
        ...

    def forgiven(self) -> None:
        """A rescue has made good what failed."""
        ...

    def outputs(self) -> Outputs:
        """What steps have returned."""
        ...


@dataclass
class _Line:
    """Where a sequence runs, and what ends it."""

    lane: Lane
    cancel: Cancel


class Flow:
    """The flow of one test. `cancel` ends it but for what must happen at the end of groups; `abandon` ends that too.

    `done` are the results of steps that ended before the run died; none of them is run again.
    """

    def __init__(
        self,
        plan: Plan,
        acts: Acts,
        lanes: Lanes,
        cancel: Cancel,
        abandon: Cancel,
        *,
        done: Mapping[str, StepResult] | None = None,
    ) -> None:
        self._plan = plan
        self._acts = acts
        self._lanes = lanes
        self._cancel = cancel
        self._abandon = abandon
        self._done = done or {}
        self._steps = {step.id: step for step in plan.steps}
        self._outcomes = Outcomes(acts.outputs)
        self._background = Background()
        self._ran: set[str] = set()
        self._anew: set[str] = set()

    def run(self) -> Verdict:
        """Run everything; the verdict is that of the steps alone."""
        self._sequence(self._plan.items, _Line(self._lanes.lane(), self._cancel))
        return self._outcomes.verdict(self._plan.items)

    def _sequence(self, items: Sequence[FlowItem], line: _Line, *, all_of_it: bool = False) -> None:
        """One after the other until one does not pass; what they began in the background ends with them.

        Where an item says what it needs, each begins when that has passed, and one that fails stops no other.
        """
        errors: list[BaseException] = []
        with kept(errors):
            if any(item.needs is not None for item in items):
                self._graph(items, line, all_of_it=all_of_it)
            else:
                self._in_order(items, line, all_of_it=all_of_it)
        with kept(errors):
            self._background.join([item.step for item in items if isinstance(item, FlowStep)])
        raise_all(errors)

    def _in_order(self, items: Sequence[FlowItem], line: _Line, *, all_of_it: bool) -> None:
        for item in items:
            if not self._may_begin(line):
                return
            self._item(item, line)
            if self._stops(item) and not all_of_it:
                return

    def _may_begin(self, line: _Line) -> bool:
        stop = line.cancel.is_set
        if stop:
            self._acts.interrupted()
        return not stop

    def _graph(self, items: Sequence[FlowItem], line: _Line, *, all_of_it: bool) -> None:
        waits = direct([item.id for item in items], [item.needs for item in items])
        with self._lanes.borrowed(line.lane) as lanes:

            def do(place: int) -> bool:
                with lanes.one() as lane:
                    self._item(items[place], _Line(lane, line.cancel))
                return all_of_it or not self._stops(items[place])

            do_all(waits, do, lambda: self._may_begin(line))

    def _item(self, item: FlowItem, line: _Line) -> None:
        if isinstance(item, FlowWait):
            self._background.join(item.steps)
        elif isinstance(item, FlowGroup):
            self._group(item, line)
        else:
            self._step(self._steps[item.step], line)

    def _stops(self, item: FlowItem) -> bool:
        """Whether nothing may follow this item in its sequence; what runs beside it tells when it is waited for."""
        beside = isinstance(item, FlowStep) and runs_beside(self._steps[item.step])
        return not beside and self._outcomes.is_against(item)

    # steps

    def _step(self, step: PlannedStep, line: _Line) -> None:
        if step.id in self._done and step.id not in self._anew:
            self._acts.recall(self._done[step.id])
            self._outcomes.keep(self._done[step.id])
            return
        reason, undecided = self._outcomes.decide(step.when)
        if reason:
            self._outcomes.keep(self._acts.omit(step, reason))
            return
        self._ran.add(step.id)
        if step.removes_nodes:
            self._background.join()
        if runs_beside(step):
            self._begin(step, line, undecided)
        else:
            over = threading.Event()
            self._outcomes.keep(self._acts.step(step, line.lane, line.cancel, over, undecided))

    def _begin(self, step: PlannedStep, line: _Line, undecided: Exception | None) -> None:
        def do(over: threading.Event) -> None:
            with self._lanes.one() as lane:
                self._outcomes.keep(self._acts.step(step, lane, line.cancel, over, undecided))

        self._background.begin(step, do)

    # groups

    def _group(self, group: FlowGroup, line: _Line) -> None:
        reason, undecided = self._outcomes.decide(group.when)
        self._outcomes.begin(group)
        if reason:
            for step in steps_of([group]):
                self._outcomes.keep(self._done.get(step) or self._acts.omit(self._steps[step], reason))
            return
        if undecided is not None:
            raise undecided
        errors: list[BaseException] = []
        with kept(errors):
            self._body(group, line)
            self._rescue(group, line)
        with kept(errors):
            self._final(group, line)
        raise_all(errors)

    def _body(self, group: FlowGroup, line: _Line) -> None:
        if not group.parallel:
            self._sequence(group.body, line)
            return
        with ThreadPoolExecutor(len(group.body), thread_name_prefix=group.id) as pool:
            branches = [pool.submit(self._branch, item, line) for item in group.body]
        raise_all([error for error in map(Future.exception, branches) if error is not None])

    def _branch(self, item: FlowItem, line: _Line) -> None:
        with self._lanes.one() as lane:
            self._sequence([item], _Line(lane, line.cancel))

    def _rescue(self, group: FlowGroup, line: _Line) -> None:
        if not any(map(self._outcomes.is_against, group.body)) or line.cancel.is_set:
            return
        if group.rescue:
            self._look_before(group.rescue)
            self._sequence(group.rescue, line)
            if self._outcomes.is_forgiven(group):
                self._acts.forgiven()

    def _final(self, group: FlowGroup, line: _Line) -> None:
        """It runs whatever happened; each step has its deadline, and only a second interrupt ends it."""
        if not group.final:
            return
        if not self._ran.isdisjoint(steps_of((*group.body, *group.rescue))):
            self._anew |= set(steps_of(group.final))  # it had its end before the run died, and then went on
        if self._outcomes.is_against(group):
            self._look_before(group.final)
        self._sequence(group.final, _Line(line.lane, self._abandon), all_of_it=True)

    def _look_before(self, items: Sequence[FlowItem]) -> None:
        """Something failed: what there is to see is kept, unless these steps have changed it before the run died."""
        if any(step not in self._done or step in self._anew for step in steps_of(items)):
            self._acts.failed()
