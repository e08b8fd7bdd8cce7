"""Listens to a cycle while it runs, and writes each phase down as soon as its last step has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from e2e_ansible.judge.result import TestResult
from e2e_ansible.report.notice import Notice, StepEnded, StepStarted
from e2e_ansible.soak.phases import PhaseOutcome, Phases

__all__ = ["Tracker", "replayed"]


@dataclass
class Tracker:
    """A listener. `enters` gets the phase that begins, `over` each phase that has ended, once.

    What either raises is kept in `error` and not raised here: no listener may end a run.
    """

    test: str
    phases: Phases
    enters: Callable[[str], None]
    over: Callable[[PhaseOutcome], None]
    error: Exception | None = None
    _phase: str = field(default="", init=False)

    def __call__(self, notice: Notice) -> None:
        """Take one notice."""
        try:
            self._take(notice)
        except Exception as error:
            self.error = self.error or error

    def _take(self, notice: Notice) -> None:
        if isinstance(notice, StepStarted) and notice.test == self.test:
            self._tell(self.phases.begins(notice.step, notice.at))
            phase = self.phases.phase(notice.step)
            if phase and phase != self._phase:
                self._phase = phase
                self.enters(phase)
        elif isinstance(notice, StepEnded) and notice.test == self.test:
            self._tell(self.phases.ends(notice.result, notice.at))

    def _tell(self, outcomes: Sequence[PhaseOutcome]) -> None:
        for outcome in outcomes:
            self.over(outcome)


def replayed(phases: Phases, result: TestResult) -> Sequence[PhaseOutcome]:
    """What all phases came to by the result of a cycle, whoever listened while it ran."""
    ended = [step for step in result.workflow_steps if step.ended is not None or step.omitted]
    for step in sorted(ended, key=lambda each: (each.ended or 0.0, each.index)):
        phases.ends(step, result.started or 0.0)
    phases.over()
    return [phases.outcomes[name] for name in phases.names if name in phases.outcomes]
