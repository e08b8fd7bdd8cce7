"""The plan: what will be run, step by step, and how each step will be judged. Plain data with a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from e2e_ansible.steps.client_plan import ClientPlan
from e2e_ansible.steps.group import OnRescue
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.condition import Condition
from e2e_ansible.suite.model import Contexts, Keep, Requirements, SourceRef
from e2e_ansible.suite.parameters import Database

__all__ = ["FlowGroup", "FlowItem", "FlowStep", "FlowWait", "Plan", "PlannedNode", "PlannedStep"]


class _Model(BaseModel):
    """Fields in `_sparse` are written only where they say something: most tests are a list of steps.

    Those in `_optional` are written unless they are None: there also nothing says something.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    _sparse: ClassVar[frozenset[str]] = frozenset()
    _optional: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = handler(self)
        return {key: item for key, item in made.items() if item or self._says_something(key, item)}

    def _says_something(self, key: str, empty: object) -> bool:
        return key not in self._sparse and not (key in self._optional and empty is None)


class PlannedNode(_Model):
    """A node the test will make."""

    name: str
    labels: tuple[str, ...]


class PlannedStep(_Model):
    """One step: its playbook, its deadline in seconds, and where in the suite it came from.

    `lines` is the source map of the playbook: the line of each role, play and task in it, by name. In a condition
    steps and groups are named by their ids. A step that `background` is set of runs while the next ones do; one with
    `watch` looks until its group ends, and every look must hold; one that is a `precondition` decides whether
    the experiment begins at all. `unchanged` are the names of plays in which no task may change anything.
    """

    _sparse = frozenset({"when", "background", "watch", "precondition", "client", "unchanged", "phase"})

    index: int
    id: str
    type: str
    description: str
    playbook: str
    hosts: tuple[str, ...]
    deadline_seconds: float
    replay: Replay
    source: SourceRef
    judgement: Judgement
    lines: Mapping[str, int] = Field(default_factory=dict)
    starts_writer: bool = False
    removes_nodes: bool = False
    when: Condition | None = None
    background: bool = False
    watch: bool = False
    precondition: bool = False
    client: ClientPlan | None = None
    unchanged: tuple[str, ...] = ()
    phase: str = ""


class FlowStep(_Model):
    """One step, by its id. `needs` are the ids of what it waits for in its list; None: all that is before it."""

    _optional = frozenset({"needs"})

    kind: Literal["step"] = "step"
    step: str
    needs: tuple[str, ...] | None = None

    @property
    def id(self) -> str:
        """The id of its step."""
        return self.step


class FlowWait(_Model):
    """Go on when these steps, which run in the background, have ended and passed."""

    kind: Literal["wait"] = "wait"
    steps: tuple[str, ...]
    source: SourceRef

    @property
    def id(self) -> str:
        """Nothing: no item needs one by name."""
        return ""

    @property
    def needs(self) -> tuple[str, ...] | None:
        """All that is before it in its list."""
        return None


class FlowGroup(_Model):
    """Items in order or at once; `rescue` when they fail, `final` whatever happened. The condition is of all of it.

    `needs` are the ids of what it waits for in its list; None: all that is before it.
    """

    _optional = frozenset({"needs"})

    kind: Literal["group"] = "group"
    id: str
    name: str
    body: tuple[FlowItem, ...]
    source: SourceRef
    parallel: bool = False
    rescue: tuple[FlowItem, ...] = ()
    final: tuple[FlowItem, ...] = ()
    on_rescue: OnRescue = "fail"
    when: Condition | None = None
    needs: tuple[str, ...] | None = None


FlowItem = Annotated[FlowStep | FlowWait | FlowGroup, Field(discriminator="kind")]
FlowGroup.model_rebuild()


class Plan(_Model):
    """One compiled test. `files` are relative paths to contents; the hash covers all of it.

    `steps` are all steps in the order of the text, `flow` says how they run; empty, it is one after the other.
    `contexts` are the two sites, the one that takes writes at first before the other.
    """

    _sparse = frozenset({"time_class", "repetition", "flow", "contexts"})

    name: str
    provider: str
    description: str
    suite_file: str
    suite_digest: str
    nodes: tuple[PlannedNode, ...]
    database: Database
    primary: str
    admin_ui: bool
    writer: bool
    keep: Keep
    requirements: Requirements
    parameters: Mapping[str, Any]
    source: SourceRef
    steps: tuple[PlannedStep, ...]
    flow: tuple[FlowItem, ...] = ()
    contexts: Contexts | None = None
    time_class: str = Field("", description="How long all steps together may take, by name")
    repetition: int = Field(0, description="Which one of several equal runs of the test this is, from 1 on")
    content_digest: str = Field("", description="SHA-256 over the roles and plugins that the playbooks use")
    files: Mapping[str, str] = Field(default_factory=dict, exclude=True, repr=False)

    @property
    def items(self) -> tuple[FlowItem, ...]:
        """The flow, also where it is only the list of steps."""
        return self.flow or tuple(FlowStep(step=step.id) for step in self.steps)

    def to_json(self) -> str:
        """The text of plan.json: without the files, with stable key order."""
        return self.model_dump_json(indent=1) + "\n"

    @property
    def hash(self) -> str:
        """SHA-256 over the plan and every generated file; the same input gives the same hash."""
        digest = hashlib.sha256(self.to_json().encode())
        for name in sorted(self.files):
            digest.update(f"\0{name}\0{self.files[name]}".encode(errors="surrogatepass"))
        return digest.hexdigest()
