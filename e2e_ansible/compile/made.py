"""The compiled steps of a test, and what a step of a suite is made of: other steps, or a playbook of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from e2e_ansible.steps.base import CompiledStep, StepType
from e2e_ansible.steps.group import Composition, Shape
from e2e_ansible.steps.wait import WaitOptions
from e2e_ansible.suite.condition import Condition
from e2e_ansible.suite.model import Step

__all__ = ["Made", "StepTypes", "played", "shape_of"]

StepTypes = Mapping[str, StepType[Any]]


@dataclass(frozen=True)
class Made:
    """One compiled step; `away` are the nodes that may be down when it begins.

    `description` is that of the suite, or what a step without any words of its own is about.
    """

    step: Step
    id: str
    compiled: CompiledStep
    away: tuple[str, ...]
    when: Condition | None = None
    phase: str = ""
    description: str = ""


def played(steps: Iterable[Step | Shape], step_types: StepTypes) -> Iterator[Step]:
    """The steps that have a playbook, in the order of the text."""
    for step in steps:
        shape = shape_of(step, step_types)
        if shape is not None:
            yield from played((*shape.body, *shape.rescue, *shape.final), step_types)
        elif isinstance(step, Step) and not isinstance(step.options, WaitOptions):
            yield step


def shape_of(step: Step | Shape, step_types: StepTypes) -> Shape | None:
    """What it does with other steps; None of one that has a playbook, and of a wait."""
    if isinstance(step, Shape):
        return step
    step_type = step_types[step.type]
    return step_type.shape(step) if isinstance(step_type, Composition) else None
