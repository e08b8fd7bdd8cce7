"""What a fault is: typed options, and a pure function from options and a node to what is done there.

A fault of the shell is four programs: inject, effect (exit 0 only when the effect is really there), heal (safe to
repeat) and healed (exit 0 only when the effect is really gone). A fault of the power is a role and its way back.
Third parties subclass one of the two and register it by the entry point group `e2e_ansible.faults`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from e2e_ansible.providers.capabilities import Requirement

__all__ = ["Fault", "FaultOptions", "NodeFacts", "Peer", "PowerFault", "Program", "Programs", "ShellFault"]


class FaultOptions(BaseModel):
    """What every fault may be told: nothing. Faults subclass it with their own fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Options = TypeVar("Options", bound=FaultOptions)


@dataclass(frozen=True)
class Peer:
    """Another node as this one reaches it; `port` is where its sshd listens."""

    address: str
    port: int = 22


@dataclass(frozen=True)
class NodeFacts:
    """The node a fault goes to. `key` names all that it leaves there; `targets` are all nodes that were chosen."""

    name: str
    key: str
    container: bool = False
    peers: Mapping[str, Peer] = field(default_factory=dict)
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """Text for a POSIX shell, run as root on the node; it has `$state`, a folder of its own, and its arguments."""

    text: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Programs:
    """All that a fault of the shell is on one node."""

    inject: Program
    effect: Program
    heal: Program
    healed: Program


class Fault(ABC, Generic[Options]):
    """One kind of fault. The texts are for the table in docs/faults.md.

    A node that it `takes_away` is down after it; where it `disconnects`, connections to the node end;
    where it `cuts`, it cannot be reached by others, or they by it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    options: ClassVar[type[FaultOptions]]
    effect_proof: ClassVar[str]
    healing: ClassVar[str]
    works: ClassVar[str]
    machines_only: ClassVar[bool] = False
    takes_away: ClassVar[bool] = False
    disconnects: ClassVar[bool] = False
    cuts: ClassVar[bool] = False
    requires: ClassVar[tuple[Requirement, ...]] = ()

    def refusal(self, options: Options, node: NodeFacts) -> str:
        """Why it cannot be done to this node, '' when it can."""
        if self.machines_only and node.container:
            return f"{self.name} is for machines with a kernel of their own; {node.name} is a container"
        return ""

    def places(self, options: Options, targets: Sequence[str], nodes: Sequence[str]) -> tuple[str, ...]:
        """The nodes it is injected on: the targets, unless it says otherwise."""
        return tuple(targets)


class ShellFault(Fault[Options]):
    """A fault that is four programs.

    `fresh_login` asks for its effect over a new ssh connection. What does not survive a boot is over on a node that is
    off.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    fresh_login: ClassVar[bool] = False
    survives_boot: ClassVar[bool] = False
    effect_seconds: ClassVar[float] = 10
    healed_seconds: ClassVar[float] = 60

    @abstractmethod
    def programs(self, options: Options, node: NodeFacts) -> Programs:
        """Options and node to programs. Pure: no file, no clock, no process."""


class PowerFault(Fault[Options]):
    """A fault that a role of its own does and proves."""

    takes_away: ClassVar[bool] = True
    disconnects: ClassVar[bool] = True

    @abstractmethod
    def role(self, options: Options) -> tuple[str, Mapping[str, Any]]:
        """The role that does it, and its variables."""

    @abstractmethod
    def way_back(self, options: Options) -> Literal["on", "reset", ""]:
        """The operation of `node_power` that heals it; '' for a fault that heals itself."""
