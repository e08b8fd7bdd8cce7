"""A test that was run several times: how often it passed, and how often each of its steps failed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.analysis.flake import Flake
from e2e_ansible.analysis.proportion import Proportion

__all__ = ["RepeatResult"]


class RepeatResult(BaseModel):
    """All repetitions of one test. `success` is of those that were run, `steps` the rate of failures of each step.

    A repetition that an interrupt cut off says nothing; it and those that never began are only counted.
    """

    model_config = ConfigDict(frozen=True)

    test: str
    repetitions: int
    success: Proportion
    sentence: str = Field(description="What the rate shows, and what it does not")
    not_product: int = Field(0, description="Failures that were not the product's")
    cut_off: int = Field(0, description="Repetitions that an interrupt cut off, and those that never began")
    steps: tuple[Flake, ...] = Field((), description="The most often failing first; of steps that were begun")
