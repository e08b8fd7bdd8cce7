"""`wait`: go on when steps in the background have ended."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.group import CompositeOptions
from e2e_ansible.suite.model import Name

__all__ = ["Wait", "WaitOptions"]


class WaitOptions(CompositeOptions):
    """The deadline is that of the steps it waits for."""

    for_: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)] = Field(
        alias="for", description="Names of steps that run in the background"
    )

    @field_validator("needs")
    @classmethod
    def _waits_for_all(cls, needs: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if needs is not None:
            raise ValueError("a wait says with 'for' what it waits for, after all that is before it")
        return needs

    @field_validator("when")
    @classmethod
    def _waits_in_any_case(cls, when: str | None) -> str | None:
        if when is not None:
            raise ValueError("a wait has no condition of its own; put it into a group with this 'when'")
        return when


class Wait(StepType[WaitOptions]):
    """Wait for steps in the background."""

    name = "wait"
    summary = "Wait until steps in the background have ended; what follows needs them to have passed"
    options = WaitOptions

    def compile(self, options: WaitOptions, context: CompileContext) -> CompiledStep:
        """Nothing is played for it."""
        return CompiledStep(plays=(), hosts=())
