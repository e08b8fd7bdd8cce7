"""Walks the flow of a test: groups, branches, steps in the background, rescues and ends.

Every line of steps is a thread. The judge decides from the results whether a group passed, here as later from the
journal, so that both say the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, FlowWait, Plan, PlannedStep
from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.judge.condition import Outputs, holds, told
from e2e_ansible.judge.flow import is_forgiven, speaking, steps_of, verdict_of
from e2e_ansible.judge.result import StepResult
from e2e_ansible.run.graph import do_all, raise_all
from e2e_ansible.run.lane import Lane, Lanes
from e2e_ansible.suite.condition import Condition
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


@dataclass
class _Background:
    """A step that runs beside others."""

    step: PlannedStep
    over: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    error: BaseException | None = None

    def join(self) -> None:
        """Wait for its end; a step that watches is told that it is over.

        Raises:
            Exception: what went wrong outside its playbook.
        """
        if self.step.watch:
            self.over.set()
        if self.thread is not None:
            self.thread.join()
        if self.error is not None:
            error, self.error = self.error, None
            raise error


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
        self._results: dict[str, StepResult] = {}
        self._groups: dict[str, FlowGroup] = {}
        self._background: dict[str, _Background] = {}
        self._lock = threading.Lock()

    def run(self) -> Verdict:
        """Run everything; the verdict is that of the steps alone."""
        self._sequence(self._plan.items, _Line(self._lanes.lane(), self._cancel))
        with self._lock:
            return verdict_of(self._plan.items, self._results)

    def _sequence(self, items: Sequence[FlowItem], line: _Line, *, all_of_it: bool = False) -> None:
        """One after the other until one does not pass; what they began in the background ends with them.

        Where an item says what it needs, each begins when that has passed, and one that fails stops no other.
        """
        with self._joined(items):
            if any(item.needs is not None for item in items):
                self._graph(items, line, all_of_it=all_of_it)
                return
            for item in items:
                if not self._may_begin(line):
                    return
                self._item(item, line)
                if self._is_against(item) and not all_of_it:
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
                return all_of_it or not self._is_against(items[place])

            do_all(waits, do, lambda: self._may_begin(line))

    def _item(self, item: FlowItem, line: _Line) -> None:
        if isinstance(item, FlowWait):
            self._join(item.steps)
        elif isinstance(item, FlowGroup):
            self._group(item, line)
        else:
            self._step(self._steps[item.step], line)

    def _is_against(self, item: FlowItem) -> bool:
        """Whether nothing may follow this item in its sequence."""
        steps = [FlowStep(step=step) for step in item.steps] if isinstance(item, FlowWait) else [item]
        with self._lock:
            return bool(speaking(steps, self._results))

    # steps

    def _step(self, step: PlannedStep, line: _Line) -> None:
        if step.id in self._done:
            self._acts.recall(self._done[step.id])
            self._keep(self._done[step.id])
            return
        reason, undecided = self._condition(step.when)
        if reason:
            self._keep(self._acts.omit(step, reason))
            return
        if step.removes_nodes:
            self._join(list(self._background))
        if step.background or step.watch:
            self._begin(step, line, undecided)
        else:
            over = threading.Event()
            self._keep(self._acts.step(step, line.lane, line.cancel, over, undecided))

    def _begin(self, step: PlannedStep, line: _Line, undecided: Exception | None) -> None:
        beside = _Background(step)

        def run() -> None:
            lane = self._lanes.lane()
            try:
                self._keep(self._acts.step(step, lane, line.cancel, beside.over, undecided))
            except BaseException as error:  # raised again where it is joined
                beside.error = error
            finally:
                lane.end()

        beside.thread = threading.Thread(target=run, name=step.id)
        self._background[step.id] = beside
        beside.thread.start()

    @contextmanager
    def _joined(self, items: Sequence[FlowItem]) -> Iterator[None]:
        try:
            yield
        finally:
            self._join([item.step for item in items if isinstance(item, FlowStep)])

    def _join(self, steps: Iterable[str]) -> None:
        """Wait for all of them, whatever the first of them raises."""
        errors = []
        for step in steps:
            beside = self._background.get(step)
            try:
                if beside is not None:
                    beside.join()
            except Exception as error:
                errors.append(error)
        raise_all(errors)

    def _keep(self, result: StepResult) -> None:
        with self._lock:
            self._results[result.id] = result

    # groups

    def _group(self, group: FlowGroup, line: _Line) -> None:
        reason, undecided = self._condition(group.when)
        with self._lock:
            self._groups[group.id] = group
        if reason:
            for step in steps_of([group]):
                self._keep(self._done.get(step) or self._acts.omit(self._steps[step], reason))
            return
        if undecided is not None:
            raise undecided
        try:
            self._body(group, line)
            self._rescue(group, line)
        finally:
            self._final(group, line)

    def _body(self, group: FlowGroup, line: _Line) -> None:
        if not group.parallel:
            self._sequence(group.body, line)
            return
        with ThreadPoolExecutor(len(group.body), thread_name_prefix=group.id) as pool:
            branches = [pool.submit(self._branch, item, line) for item in group.body]
        raise_all([error for error in map(Future.exception, branches) if isinstance(error, Exception)])

    def _branch(self, item: FlowItem, line: _Line) -> None:
        lane = self._lanes.lane()
        try:
            self._sequence([item], _Line(lane, line.cancel))
        finally:
            lane.end()

    def _rescue(self, group: FlowGroup, line: _Line) -> None:
        if not self._is_against_any(group.body) or line.cancel.is_set:
            return
        if group.rescue:
            self._look_before(group.rescue)
            self._sequence(group.rescue, line)
            with self._lock:
                forgiven = is_forgiven(group, self._results)
            if forgiven:
                self._acts.forgiven()

    def _final(self, group: FlowGroup, line: _Line) -> None:
        """It runs whatever happened; each step has its deadline, and only a second interrupt ends it."""
        if not group.final:
            return
        if self._is_against(group):
            self._look_before(group.final)
        self._sequence(group.final, _Line(line.lane, self._abandon), all_of_it=True)

    def _look_before(self, items: Sequence[FlowItem]) -> None:
        """Something failed: what there is to see is kept, unless these steps have changed it before the run died."""
        if any(step not in self._done for step in steps_of(items)):
            self._acts.failed()

    def _is_against_any(self, items: Sequence[FlowItem]) -> bool:
        return any(map(self._is_against, items))

    # conditions

    def _condition(self, condition: Condition | None) -> tuple[str, Exception | None]:
        """Why the condition does not hold, '' if it does, and why that cannot be known."""
        if condition is None:
            return "", None
        outputs: Mapping[str, Mapping[str, object]] = self._acts.outputs()
        try:
            if holds(condition, outputs, self._ended):
                return "", None
            return told(condition, outputs, self._ended), None
        except Exception as error:
            return "", error

    def _ended(self, name: str) -> Verdict | None:
        """The verdict of a step or a group that has ended; None for one that was not run."""
        with self._lock:
            group = self._groups.get(name)
            items = [group] if group is not None else [FlowStep(step=name)]
            against = speaking(items, self._results)
            if against:
                return against[0].verdict
            ran = [step for step in steps_of(items) if step in self._results]
            verdicts = [self._results[step].verdict for step in ran]
            return Verdict.PASS if Verdict.PASS in verdicts else None
