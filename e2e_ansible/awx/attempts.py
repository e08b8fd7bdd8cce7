"""The events of one job as attempts at its step, as a run has them: each look of a `validate` is one."""

from __future__ import annotations

from collections.abc import Callable

from e2e_ansible.compile.plan import PlannedStep
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Ended, Outcome

__all__ = ["GATES", "LOOK", "Attempts"]

#: Tasks of playbooks/step.yml: what a look begins with, and the words that decide which edge AWX takes.
LOOK = "Hold the clients still"
GATES = ("Hold the checks", "Hold the load to its limits", "Hold the clients to what they did")
_RC_FAILED = 2
_JUDGED_HERE = frozenset({Kind.FAILED, Kind.OK, Kind.SKIPPED})


class Attempts:
    """Numbers the events of a job. `begin` is called when another attempt begins, `take` for each event of one."""

    def __init__(
        self,
        step: PlannedStep,
        begin: Callable[[int, Event], None],
        take: Callable[[int, Event], None],
    ) -> None:
        self._observes = step.judgement.observes
        self._begin = begin
        self._take = take
        self._looks = 0
        self._failed_else = False
        self._gated = False

    @property
    def number(self) -> int:
        """The present attempt, from 1."""
        return max(1, self._looks)

    def __call__(self, event: Event) -> None:
        """Take the next event of the job."""
        if self._observes and event.kind is Kind.TASK_START and event.task == LOOK:
            self._looks += 1
            if self._looks > 1:
                self._begin(self._looks, event)
        if event.task in GATES and event.kind in _JUDGED_HERE:
            self._gated = self._gated or event.kind is Kind.FAILED
            return  # the judge says the same of the same observations, and says it check by check
        if event.kind in (Kind.FAILED, Kind.ERROR, Kind.UNREACHABLE):
            self._failed_else = True
        self._take(self.number, event)

    def outcome(self, outcome: Outcome) -> Outcome:
        """The end of the job without the gate: a look that found checks which do not hold was a look all the same."""
        only_the_gate = self._gated and not self._failed_else
        if outcome.ended is Ended.COMPLETED and outcome.rc == _RC_FAILED and only_the_gate:
            return outcome.model_copy(update={"rc": 0})
        return outcome
