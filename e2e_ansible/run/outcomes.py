"""What the steps of a test have come to so far: kept by whichever thread ran one, asked by all of them.

The judge decides from it whether a group passed, here as later from the journal, so that both say the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, FlowWait
from e2e_ansible.judge.condition import Outputs, holds, told
from e2e_ansible.judge.flow import is_forgiven, speaking, steps_of, verdict_of
from e2e_ansible.judge.result import StepResult
from e2e_ansible.suite.condition import Condition
from e2e_ansible.verdict import Verdict

__all__ = ["Outcomes"]


class Outcomes:
    """The results of one test. `outputs` tells what steps have returned. Any thread may call."""

    def __init__(self, outputs: Callable[[], Outputs]) -> None:
        self._outputs = outputs
        self._results: dict[str, StepResult] = {}
        self._groups: dict[str, FlowGroup] = {}
        self._lock = threading.Lock()

    def keep(self, result: StepResult) -> None:
        """A step has ended, or was left out."""
        with self._lock:
            self._results[result.id] = result

    def begin(self, group: FlowGroup) -> None:
        """From now on conditions may ask how this group has ended."""
        with self._lock:
            self._groups[group.id] = group

    def verdict(self, items: Sequence[FlowItem]) -> Verdict:
        """What these items have come to by their steps alone."""
        with self._lock:
            return verdict_of(items, self._results)

    def is_against(self, item: FlowItem) -> bool:
        """Whether something in it did not pass."""
        steps = [FlowStep(step=step) for step in item.steps] if isinstance(item, FlowWait) else [item]
        with self._lock:
            return bool(speaking(steps, self._results))

    def is_forgiven(self, group: FlowGroup) -> bool:
        """Whether its rescue has made good what failed in it."""
        with self._lock:
            return is_forgiven(group, self._results)

    def decide(self, condition: Condition | None) -> tuple[str, Exception | None]:
        """Why the condition does not hold, '' if it does, and why that cannot be known."""
        if condition is None:
            return "", None
        outputs = self._outputs()
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
