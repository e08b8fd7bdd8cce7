"""How long a step may take: what its deadline says, and never longer than its test has as one of a time class. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, Plan, PlannedStep
from e2e_ansible.suite.times import LIMITS

__all__ = ["in_time", "limit_of", "most_seconds"]


def limit_of(plan: Plan) -> float:
    """Seconds that the time class of a test leaves for its steps together; infinite without a class."""
    return LIMITS.get(plan.time_class, math.inf)


def in_time(plan: Plan) -> frozenset[str]:
    """The steps that must end within the time of the class; those of a `finally` run whatever happened."""
    if not plan.time_class:
        return frozenset()
    return frozenset(step.id for step in plan.steps).difference(_final(plan.items))


def most_seconds(plan: Plan, step: PlannedStep) -> float:
    """Seconds that a step may take: those of its deadline, or of the time class if that has less."""
    return min(step.deadline_seconds, limit_of(plan)) if step.id in in_time(plan) else step.deadline_seconds


def _final(items: Iterable[FlowItem]) -> Iterator[str]:
    for item in items:
        if isinstance(item, FlowGroup):
            yield from _steps(item.final)
            yield from _final((*item.body, *item.rescue))


def _steps(items: Iterable[FlowItem]) -> Iterator[str]:
    for item in items:
        if isinstance(item, FlowStep):
            yield item.step
        elif isinstance(item, FlowGroup):
            yield from _steps((*item.body, *item.rescue, *item.final))
