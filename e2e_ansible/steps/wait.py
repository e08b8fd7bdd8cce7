"""`wait`: go on when steps in the background have ended."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.group import CompositeOptions
from e2e_ansible.suite.model import Name

__all__ = ["Wait", "WaitOptions"]


class WaitOptions(CompositeOptions):
    """The deadline is that of the steps it waits for."""

    for_: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)] = Field(
        alias="for", description="Names of steps that run in the background"
    )


class Wait(StepType[WaitOptions]):
    """Wait for steps in the background."""

    name = "wait"
    summary = "Wait until steps in the background have ended; what follows needs them to have passed"
    options = WaitOptions

    def compile(self, options: WaitOptions, context: CompileContext) -> CompiledStep:
        """Nothing is played for it."""
        return CompiledStep(plays=(), hosts=())
