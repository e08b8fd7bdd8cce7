"""`hypothesis`: the steady state is checked before the steps, again and again during them, and after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from e2e_ansible.steps.group import CompositeOptions, Composition, Shape, Steps
from e2e_ansible.steps.validate import ValidateOptions
from e2e_ansible.suite.model import Retry, Step

__all__ = ["Hypothesis", "HypothesisOptions"]

_Checks = Annotated[tuple[str, ...], Field(strict=False)]


class HypothesisOptions(CompositeOptions):
    """A steady state that does not hold before the steps is no finding: the experiment did not begin."""

    checks: Annotated[_Checks, Field(min_length=1)] = Field(
        description="Checks that must hold before the steps, and after them"
    )
    during: _Checks = Field((), description="Checks that must hold at every look while the steps run")
    every_seconds: float = Field(2, gt=0, le=86_400, description="Pause between two looks during the steps")
    retry: Retry = Field(
        default_factory=Retry, description="How often to look again before and after the steps"
    )
    steps: Annotated[Steps, Field(min_length=1)] = Field(description="The experiment: the steps, in order")


class Hypothesis(Composition[HypothesisOptions]):
    """A steady state, and an experiment that must leave it as it is."""

    name = "hypothesis"
    summary = "Check the steady state before steps, continuously during them, and after them"
    options = HypothesisOptions
    parts = ("steps",)

    def check_names(self, options: HypothesisOptions) -> Sequence[tuple[str, int, str]]:
        """Those before and after, and those during the steps."""
        during = [("during", index, check) for index, check in enumerate(options.during)]
        return [*super().check_names(options), *during]

    def shape(self, step: Step) -> Shape:
        """Three `validate` steps around and beside the steps."""
        options = step.options
        assert isinstance(options, HypothesisOptions)
        before = _look(step, "before", options.checks, options.retry)
        after = _look(step, "after", options.checks, options.retry)
        body = step.parts.get("steps", ())
        if options.during:
            once = Retry(max_attempts=1, delay_seconds=options.every_seconds)
            body = (replace(_look(step, "during", options.during, once), watch=True), *body)
        return Shape((replace(before, precondition=True), Shape(body), after))


def _look(step: Step, when: str, checks: tuple[str, ...], retry: Retry) -> Step:
    name = step.options.name
    options = ValidateOptions(
        step="validate", description=f"The steady state {when} the steps", checks=checks, retry=retry
    )
    return Step("validate", options, step.source, label=f"{name}-{when}" if name else when)
