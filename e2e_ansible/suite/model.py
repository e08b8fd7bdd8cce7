"""The typed suite: a file holds tests, a test holds steps. Every part knows the line that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
)

from e2e_ansible.suite.condition import parse_condition
from e2e_ansible.suite.matrix import Axis
from e2e_ansible.suite.parameters import Parameters, Scalar
from e2e_ansible.suite.strict import Strict
from e2e_ansible.suite.times import TimeClass

__all__ = [
    "Contexts",
    "Requirements",
    "Retry",
    "SourceRef",
    "Step",
    "StepOptions",
    "Suite",
    "Test",
    "TestEntry",
]
Contexts = tuple[str, str]
Keep = Literal["never", "on-failure", "always"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]


class SourceRef(BaseModel):
    """A place in a suite file, which is named as the user named it; lines and columns count from 1."""

    model_config = ConfigDict(frozen=True)

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Retry(Strict):
    """How often a validate step looks again: at most `max_attempts` looks, `delay_seconds` apart."""

    max_attempts: int = Field(1, ge=1, le=10_000, description="Most looks, the first one included")
    delay_seconds: float = Field(0, ge=0, le=86_400, description="Pause between two looks")


class StepOptions(Strict):
    """What every step may say. Step types subclass it with their own fields."""

    step: str = Field(description="The step type")
    name: Name | None = Field(
        None, description="Short name, unique in the test, for the report and the name of the playbook"
    )
    description: str = Field("", max_length=500, description="What it is for, in the words of the report")
    timeout_seconds: float | None = Field(
        None, gt=0, le=604_800, description="Deadline of the step; by default that of its type"
    )
    when: str | None = Field(None, description="Condition; without it being true the step is left out")
    background: bool = Field(
        False, description="Let it run while the next steps run, until a `wait` or the end of its group"
    )
    phase: Name | None = Field(
        None, description="Phase of a cycle that it belongs to; steps of one phase follow one another"
    )
    needs: Annotated[tuple[Name, ...], Field(strict=False)] | None = Field(
        None,
        description="Names of earlier steps of the same list: it begins when these have passed, not when all have",
    )

    @field_validator("when")
    @classmethod
    def _a_condition(cls, text: str | None) -> str | None:
        return text if text is None else str(parse_condition(text))


class Requirements(Strict):
    """What the controller must have; checked before anything starts."""

    libvirt_available: bool | None = Field(None, description="A libvirt daemon answers")
    kvm_available: bool | None = Field(None, description="Virtual machines run with KVM")
    min_memory_gb: float | None = Field(None, ge=0, description="GiB of memory that are free")
    min_disk_gb: float | None = Field(None, ge=0, description="GiB of disk that are free")
    min_cpus: int | None = Field(None, ge=0, description="Number of processors")
    commands: tuple[str, ...] = Field((), strict=False, description="Programs that must be found")


class TestEntry(Strict):
    """One entry of `test_suites`, but for its steps, which are typed by their step type."""

    provider: str = Field("local", description="Where the nodes come from")
    test_type: Literal["workflow"] = Field("workflow", description="Always `workflow`; may be left out")
    description: str = Field("", description="What the test shows")
    parameters: Parameters = Field(default_factory=Parameters, description="The cluster under test")
    variables: Mapping[Name, Scalar] = Field(
        default_factory=dict, description="Values by name, for ${variables.NAME}"
    )
    matrix: Mapping[Name, Axis] = Field(
        default_factory=dict,
        description="Values by key, in a list or each with a name; the test is made once for each combination",
    )
    requirements: Requirements = Field(
        default_factory=Requirements, description="What the controller must have"
    )
    keep: Keep = Field("never", description="When the nodes are kept after the test")
    time_class: TimeClass | None = Field(
        None,
        description="How long all its steps may take: fast 5, standard 15, slow 45, infrastructure 60 minutes",
    )

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """Node names in order, n11, n12, ..., then those that only drive load, c11, ...; and their labels."""
        return self.parameters.labels_by_node

    @property
    def nodes(self) -> tuple[str, ...]:
        """Node names in order: n11, n12, ..., then those that only drive load: c11, c12, ..."""
        return tuple(self.labels)


@dataclass(frozen=True)
class Step:
    """One typed step of a test. `options` is an instance of its step type's options model.

    `parts` are the steps below one that is made of others, by the key that they stand under. A `label` names a step
    that nobody wrote. `watch` looks again and again until its group ends; before a `precondition` holds, nothing
    has begun.
    """

    type: str
    options: StepOptions
    source: SourceRef
    parts: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    label: str = ""
    watch: bool = False
    precondition: bool = False


@dataclass(frozen=True)
class Test:
    """One workflow after matrix, parameters and variables were put in; its name is unique in the suite.

    `contexts` are its two sites, the primary one first. One that is `deployed` finds its nodes running.
    """

    __test__ = False

    name: str
    entry: TestEntry
    steps: tuple[Step, ...]
    source: SourceRef
    positions: Mapping[str, SourceRef] = field(default_factory=dict, compare=False)
    contexts: Contexts | None = None
    deployed: bool = False

    @property
    def primary(self) -> str:
        """The node that takes writes at first: the first one, with sites that of the site that is primary.

        None of a test whose database exists already, which is ''.
        """
        if self.entry.parameters.database == "existing":
            return ""
        if self.contexts is None:
            return self.nodes[0]
        return next(node for node, labels in self.entry.labels.items() if self.contexts[0] in labels)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Node names in order: n11, n12, ..., then those that only drive load: c11, c12, ..."""
        return self.entry.nodes


@dataclass(frozen=True)
class Suite:
    """A whole file. `digest` is the SHA-256 of its bytes; relative paths of the suite start in `folder`."""

    file: Path
    digest: str
    tests: tuple[Test, ...]

    @property
    def folder(self) -> Path:
        """The folder that holds the suite file."""
        return self.file.resolve().parent


RawStep = Mapping[str, Any]
