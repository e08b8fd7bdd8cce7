"""Follows the phases of one cycle while its steps end. Pure: results and times go in, what phases came to comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.compile.plan import FlowItem, Plan
from e2e_ansible.judge.flow import missing, speaking, steps_of, verdict_of
from e2e_ansible.judge.result import StepResult
from e2e_ansible.verdict import Verdict

__all__ = ["PhaseOutcome", "Phases", "phases_of"]


@dataclass(frozen=True)
class PhaseOutcome:
    """What one phase came to; times are epoch seconds. The verdict is None of a rehearsal."""

    name: str
    verdict: Verdict | None
    started: float
    ended: float
    error: str = ""
    dead: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it took, without the time in which there was no run."""
        return max(0.0, self.ended - self.started - self.dead)


def phases_of(plan: Plan) -> tuple[str, ...]:
    """The names of the phases of a plan, in their order."""
    return tuple(dict.fromkeys(step.phase for step in plan.steps if step.phase))


class Phases:
    """The phases of one cycle. Tell it of steps that begin and end; it tells of each phase once, when that is over."""

    def __init__(self, plan: Plan, *, rehearsed: bool = False) -> None:
        self.names = phases_of(plan)
        self._rehearsed = rehearsed
        self._of = {step.id: step.phase for step in plan.steps}
        self._items = _by_phase(plan, self._of)
        self._results: dict[str, StepResult] = {}
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._dead: dict[str, float] = {}
        self._told: dict[str, PhaseOutcome] = {}

    @property
    def outcomes(self) -> Mapping[str, PhaseOutcome]:
        """The phases that are over, in the order in which they ended."""
        return self._told

    def phase(self, step: str) -> str:
        """The phase of a step, '' for none."""
        return self._of.get(step, "")

    def begins(self, step: str, at: float) -> list[PhaseOutcome]:
        """A step begins: phases before its own are over. Returns those that were not told of yet."""
        name = self.phase(step)
        if not name:
            return []
        self._began.setdefault(name, at)
        return self._tell(self.names[: self.names.index(name)])

    def ends(self, result: StepResult, at: float) -> list[PhaseOutcome]:
        """A step has ended, or was left out: its phase is over with it if nothing of it is left to do.

        A phase of which every step was left out was never begun. `at` is the time of a rehearsal.
        """
        name = self.phase(result.id)
        if not name:
            return []
        self._results[result.id] = result
        began, ended = (at, at) if self._rehearsed else (result.started, result.ended)
        if began is not None and ended is not None:  # else it was left out
            self._began[name] = min(began, self._began.get(name, began))
            self._ended[name] = max(ended, self._ended.get(name, ended))
        self._dead[name] = self._dead.get(name, 0.0) + result.dead
        over = not any(missing(self._items[name], self._results)) and not self._open(name)
        return self._tell([name]) if over else []

    def over(self) -> list[PhaseOutcome]:
        """The cycle is over, and with it all phases that were begun."""
        return self._tell(self.names)

    def _open(self, name: str) -> bool:
        """Whether a rescue may follow: something failed in a group that has one."""
        return any(
            item.kind == "group"
            and bool(item.rescue)
            and _rescue_is_open(item.body, item.rescue, self._results)
            for item in self._items[name]
        )

    def _tell(self, names: Sequence[str]) -> list[PhaseOutcome]:
        fresh = [name for name in names if name in self._began and name not in self._told]
        for name in fresh:
            self._told[name] = self._outcome(name)
        return [self._told[name] for name in fresh]

    def _outcome(self, name: str) -> PhaseOutcome:
        items = self._items[name]
        against = speaking(items, self._results)
        began = self._began[name]
        return PhaseOutcome(
            name,
            None if self._rehearsed else verdict_of(items, self._results),
            began,
            self._ended.get(name, began),
            f"{against[0].id}: {against[0].error}" if against else "",
            self._dead.get(name, 0.0),
        )


def _rescue_is_open(
    body: Sequence[FlowItem], rescue: Sequence[FlowItem], results: Mapping[str, StepResult]
) -> bool:
    return bool(speaking(body, results)) and any(missing(rescue, results)) and not speaking(rescue, results)


def _by_phase(plan: Plan, phases: Mapping[str, str]) -> Mapping[str, Sequence[FlowItem]]:
    """The items of each phase. A group around several phases is no part of any: what is in it is."""
    found: dict[str, list[FlowItem]] = {}

    def put(items: Sequence[FlowItem]) -> None:
        for item in items:
            names = list(dict.fromkeys(phases.get(step, "") for step in steps_of([item])))
            if item.kind == "group" and len(names) > 1:
                put(item.body)
            elif names and names[0]:
                found.setdefault(names[0], []).append(item)

    put(plan.items)
    return found
