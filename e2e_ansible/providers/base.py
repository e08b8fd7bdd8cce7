"""What every provider driver offers. Ansible plugins call drivers, so a playbook run by hand does the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.nodes.observation import PowerState

__all__ = [
    "Deployed",
    "DeploymentSpec",
    "Finding",
    "Node",
    "NodeSpec",
    "Operation",
    "PowerResult",
    "Provider",
]


class Operation(StrEnum):
    """The vocabulary of power. `OFF` and `REBOOT` ask the guest; `HARD_OFF`, `RESET` and `NMI` do not."""

    ON = "on"
    OFF = "off"
    HARD_OFF = "hard_off"
    REBOOT = "reboot"
    RESET = "reset"
    NMI = "nmi"


class NodeSpec(BaseModel):
    """A node as the plan wants it: a name such as `n11` and its labels."""

    model_config = ConfigDict(frozen=True)

    name: str
    labels: tuple[str, ...] = ("database",)


class DeploymentSpec(BaseModel):
    """All nodes of one test. `id` is fixed before anything is created; `owner` is the run folder or ''."""

    model_config = ConfigDict(frozen=True)

    id: str
    nodes: tuple[NodeSpec, ...]
    parameters: Mapping[str, object] = Field(default_factory=dict)
    owner: str = ""


class Node(BaseModel):
    """A node as it is now. `variables` are Ansible host variables (ansible_host, ansible_user, key file, ...)."""

    name: str
    labels: tuple[str, ...]
    power: PowerState
    address: str = ""
    machine_id: str = ""
    variables: dict[str, object] = Field(default_factory=dict)


class PowerResult(BaseModel):
    """What a power operation found and left; `changed` is False when there was nothing to do.

    `side_effects` are sentences, such as that the address is another one now, or that a local disk is lost;
    `address_changed` says that of the address for whoever has to read the inventory again.
    """

    changed: bool
    before: PowerState
    after: PowerState
    detail: str = ""
    side_effects: tuple[str, ...] = ()
    address_changed: bool = False


class Deployed(BaseModel):
    """A deployment as it is found without any run folder. Times are in seconds since 1970, 0 where not told.

    `things` names each machine, and everything else that was made for it. `folder` is the folder of the run, '' when
    it was made elsewhere or by hand.
    """

    model_config = ConfigDict(frozen=True)

    deployment: str
    things: tuple[str, ...]
    owner: str = ""
    run: str = ""
    folder: str = ""
    created: float = 0
    expires: float = 0


class Finding(BaseModel):
    """One thing `doctor` looked at. `remedy` is what `doctor --fix` runs (an argument list), or None.

    What is `optional` is not needed by every suite: a run goes on without it.
    """

    name: str
    ok: bool
    detail: str
    remedy: tuple[str, ...] | None = None
    optional: bool = False


class Provider(Protocol):
    """A driver. Every method that changes something has written it to its own record before."""

    name: str

    def doctor(self) -> Sequence[Finding]:
        """What this provider needs on the controller, each with whether it is there."""
        ...

    def prepare(self, spec: DeploymentSpec) -> Path:
        """Fix names, addresses, keys and images for a deployment. Idempotent. Returns its folder (0700)."""
        ...

    def create(self, deployment: str) -> bool:
        """Create and start every node of a prepared deployment; whether anything changed."""
        ...

    def destroy(self, deployment: str) -> bool:
        """Remove everything the deployment made; whether anything was there. Safe to repeat.

        Raises:
            CleanUpError: something is left, with what and how to remove it.
        """
        ...

    def nodes(self, deployment: str) -> Sequence[Node]:
        """All nodes of a deployment with their present power state; stopped nodes stay listed."""
        ...

    def power(self, deployment: str, node: str, operation: Operation, deadline_seconds: float) -> PowerResult:
        """Do one operation and wait until the provider itself reports the new state.

        Raises:
            ProviderError: the state was not reached by the deadline, or the node is not known.
        """
        ...

    def deployments(self) -> Sequence[str]:
        """Ids of all deployments recorded on this controller, and of those the provider itself knows of."""
        ...

    def deployed(self) -> Sequence[Deployed]:
        """What is there now by the provider's own word, whoever made it; `reap` chooses from this."""
        ...
