"""`group`: steps that belong together, in order or at once, with what to do when they fail and at the end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.suite.model import Name, Step, StepOptions
from e2e_ansible.suite.parameters import Scalar

__all__ = ["CompositeOptions", "Composition", "Group", "GroupOptions", "OnRescue", "Shape", "Steps"]

OnRescue = Literal["fail", "continue"]
#: Steps below a step. They are typed one by one where the file is read, so that each problem has its line.
Steps = Annotated[tuple[Any, ...], Field(strict=False)]
_Options = TypeVar("_Options", bound=StepOptions)


class CompositeOptions(StepOptions):
    """Of a step that is made of others."""

    @field_validator("background")
    @classmethod
    def _not_in_background(cls, background: bool) -> bool:
        if background:
            raise ValueError(
                "only a step with a playbook can run in the background; say it of the steps below"
            )
        return background

    @field_validator("timeout_seconds")
    @classmethod
    def _no_deadline(cls, seconds: float | None) -> float | None:
        if seconds is not None:
            raise ValueError("a step made of others has no deadline of its own; give it to the steps below")
        return seconds


class GroupOptions(CompositeOptions):
    """With `foreach` the steps are repeated for every value; `${foreach.KEY}` stands for it in them."""

    steps: Annotated[Steps, Field(min_length=1)] = Field(description="The steps, in order")
    parallel: bool = Field(
        False, description="Run them at once; with `foreach`, all those of one value in order"
    )
    foreach: Mapping[Name, Annotated[tuple[Scalar, ...], Field(min_length=1, strict=False)]] = Field(
        default_factory=dict, description="Lists of values; `steps` is done once for each combination"
    )
    rescue: Steps = Field((), description="Steps to do when one of `steps` did not pass")
    finally_: Steps = Field(
        (), alias="finally", description="Steps to do at the end whatever happened; each is tried"
    )
    on_rescue: OnRescue = Field(
        "fail", description="Whether the test goes on when all of `rescue` passed, or still fails"
    )

    @model_validator(mode="after")
    def _continues_after_a_rescue(self) -> GroupOptions:
        if self.on_rescue == "continue" and not self.rescue:
            raise ValueError("on_rescue: continue needs steps in 'rescue'")
        return self


@dataclass(frozen=True)
class Shape:
    """How steps run: `body` in order or at once, `rescue` when it fails, `final` whatever happened."""

    body: tuple[Step | Shape, ...]
    parallel: bool = False
    rescue: tuple[Step, ...] = ()
    final: tuple[Step, ...] = ()
    on_rescue: OnRescue = "fail"


class Composition(StepType[_Options]):
    """A step without a playbook of its own. `parts` are the keys of its options that hold steps."""

    parts: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def shape(self, step: Step) -> Shape:
        """How the steps below it run. Pure."""

    def compile(self, options: _Options, context: CompileContext) -> CompiledStep:
        """Nothing is played for it."""
        return CompiledStep(plays=(), hosts=())


class Group(Composition[GroupOptions]):
    """Steps that belong together."""

    name = "group"
    summary = "Steps that belong together: in order or at once, with a rescue and an end"
    options = GroupOptions
    parts = ("steps", "rescue", "finally")

    def shape(self, step: Step) -> Shape:
        """As it is written."""
        options = step.options
        assert isinstance(options, GroupOptions)
        return Shape(
            body=step.parts.get("steps", ()),
            parallel=options.parallel,
            rescue=step.parts.get("rescue", ()),
            final=step.parts.get("finally", ()),
            on_rescue=options.on_rescue,
        )
