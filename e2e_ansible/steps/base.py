"""What a step type is: typed options, and a pure function from options to plays and a judgement.

A reader who has seen one step type has seen them all. Third parties subclass `StepType` and register it by the
entry point group `e2e_ansible.steps` or in a folder beside the suite.

Example:
    >>> class Checkpoint(StepType[StepOptions]):
    ...     name = "checkpoint"
    ...     summary = "Force a PostgreSQL checkpoint on every node"
    ...     options = StepOptions
    ...
    ...     def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
    ...         command = {"argv": ["psql", "-c", "CHECKPOINT"], "timeout_seconds": 60}
    ...         task = {"name": "Checkpoint", "plain_command": command}
    ...         return CompiledStep(plays=[play("Checkpoint", context.nodes, tasks=[task])], hosts=context.nodes)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from e2e_ansible.providers.capabilities import Requirement
from e2e_ansible.steps.client_plan import ClientPlan
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.model import Contexts, StepOptions
from e2e_ansible.suite.parameters import Parameters

__all__ = ["CompileContext", "CompiledStep", "Play", "StepType", "Unsafe", "play"]

Play = dict[str, Any]
Options = TypeVar("Options", bound=StepOptions)


class Unsafe(str):
    """Text of a user. Written as `!unsafe`, so that Ansible never takes it for a template."""

    __slots__ = ()


@dataclass(frozen=True)
class CompileContext:
    """What a step may know at compile time.

    `away` are nodes that earlier steps took down and none brought back; `felled` are those that a fault took down
    last, with the names by which it may be healed. `contexts` are the two sites, the primary one first.
    """

    provider: str
    nodes: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    parameters: Parameters
    primary: str
    away: tuple[str, ...] = ()
    felled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    contexts: Contexts | None = None

    @property
    def cluster(self) -> tuple[str, ...]:
        """The nodes under test: all but those that only drive load."""
        return tuple(node for node in self.nodes if "client" not in self.labels[node])


@dataclass(frozen=True)
class CompiledStep:
    """What a step became.

    `takes_away` and `brings_back` are the nodes whose being up changes with it. `needs_writer` says that rows must
    be written from deployment on, `starts_writer` that this can begin after the step. `faults` are the names
    by which a later step may heal what it leaves open. `client` is what is done to a client after its playbook has
    passed. `unchanged` are the names of plays in which no task may change anything.
    """

    plays: Sequence[Play]
    hosts: tuple[str, ...]
    deadline_seconds: float = 600
    replay: Replay = Replay.VERIFY_FIRST
    judgement: Judgement = field(default_factory=Judgement)
    takes_away: tuple[str, ...] = ()
    brings_back: tuple[str, ...] = ()
    needs_writer: bool = False
    starts_writer: bool = False
    removes_nodes: bool = False
    faults: tuple[str, ...] = ()
    client: ClientPlan | None = None
    unchanged: tuple[str, ...] = ()


class StepType(ABC, Generic[Options]):
    """One kind of step."""

    name: ClassVar[str]
    summary: ClassVar[str]
    options: ClassVar[type[StepOptions]]

    def about(self, options: Options) -> str:
        """What it does, in few words, for a step with neither a name nor a description; '' if its type says it."""
        return ""

    def node_names(self, options: Options) -> Sequence[tuple[str, str]]:
        """Nodes named by the options, as (field, node) pairs; they are checked against the test's nodes."""
        target = getattr(options, "target_node", None)
        return [("target_node", target)] if target else []

    def target_names(self, options: Options) -> Sequence[tuple[str, str]]:
        """Nodes or labels of nodes named by the options, as (field, name) pairs; the test must have them."""
        return ()

    def missing_parameters(self, options: Options, parameters: Parameters) -> Sequence[tuple[str, str]]:
        """What the test must say in its parameters for this step and does not, as (field, what to write) pairs."""
        return ()

    def wrong_options(
        self, options: Options, parameters: Parameters, folder: Path
    ) -> Sequence[tuple[tuple[str | int, ...], str, str]]:
        """What is wrong in them as far as files of this machine tell, as (place, message, hint) triples.

        `folder` is that of the suite.
        """
        return ()

    def file_names(self, options: Options) -> Sequence[tuple[tuple[str | int, ...], str]]:
        """Files beside the suite named by the options, as (place, name) pairs; each must be there."""
        return ()

    def site_names(self, options: Options) -> Sequence[tuple[str, str]]:
        """Sites named by the options, as (field, site) pairs; each must be one of the test's."""
        return ()

    def check_names(self, options: Options) -> Sequence[tuple[str, int, str]]:
        """Checks named by the options, as (field, index in it, check) triples; each must be known."""
        return [
            (name, index, check)
            for name in ("checks", "allow_failures")
            for index, check in enumerate(getattr(options, name, ()))
        ]

    def requires(self, options: Options) -> Sequence[Requirement]:
        """Power operations the provider must offer for this step."""
        return ()

    @abstractmethod
    def compile(self, options: Options, context: CompileContext) -> CompiledStep:
        """Options to plays. Pure: no file, no clock, no process."""


def play(
    name: str,
    hosts: Sequence[str] | str,
    *,
    tasks: Sequence[Mapping[str, Any]] = (),
    roles: Sequence[Mapping[str, Any]] = (),
    **keywords: Any,
) -> Play:
    """A play without fact gathering; `hosts` is a list of names or a pattern."""
    made: Play = {
        "name": name,
        "hosts": hosts if isinstance(hosts, str) else hosts[0] if len(hosts) == 1 else list(hosts),
        "gather_facts": False,
        **keywords,
    }
    if roles:
        made["roles"] = list(roles)
    if tasks:
        made["tasks"] = list(tasks)
    return made
