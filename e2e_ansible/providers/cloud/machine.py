"""A machine of a provider, how it is ordered, and the few calls that each provider's module has to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud.trouble import Trouble

__all__ = [
    "ADDRESS_TAG",
    "DEPLOYMENT_TAG",
    "EXPIRES_TAG",
    "LABEL_TAG",
    "NODE_TAG",
    "OWNER_TAG",
    "RUN_TAG",
    "Cloud",
    "Machine",
    "Order",
    "Pending",
    "Place",
    "Resource",
]

# Names and values of tags are of a-z, 0-9, - and _, at most 63: what the strictest provider takes.
DEPLOYMENT_TAG = "e2e-deployment"
NODE_TAG = "e2e-node"
OWNER_TAG = "e2e-owner"
RUN_TAG = "e2e-run"
EXPIRES_TAG = "e2e-expires"  # seconds since 1970 as digits
LABEL_TAG = "e2e-label-"  # and the label; its value is `yes`
ADDRESS_TAG = "e2e-address"  # `private` where the suite wants no public address; else there is no such tag


class Place(BaseModel):
    """Where a machine may be made, and of which size, in the provider's words. '' is the provider's default."""

    model_config = ConfigDict(frozen=True)

    zone: str = ""
    size: str = ""


class Order(BaseModel):
    """One machine to be made. Everything in it is fixed and written down before the first call.

    `machine` is its name at the provider, unique for the deployment; `token` makes a repeated call harmless where
    the provider knows such a thing. `user_data` is cloud-init that lets `user` log in with `public_key`.
    """

    model_config = ConfigDict(frozen=True)

    deployment: str
    node: str
    machine: str
    token: str
    place: Place
    image: str
    user: str
    public_key: str
    user_data: str
    tags: Mapping[str, str]
    settings: Mapping[str, object] = Field(default_factory=dict)


class Machine(BaseModel):
    """A machine as its provider describes it now.

    `power` is UNKNOWN between two states, `state` is the provider's word for it, `id` the provider's own. `ending`
    says that its end was asked for.
    `created` is in seconds since 1970, 0 where it is not told. `variables` are host variables of Ansible that this
    machine needs beside those that all have, such as the port. `failure` is why it never gets on by itself, '' if it
    may, and `trouble` is the kind of that.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    machine: str
    power: PowerState
    state: str
    address: str = ""
    private_address: str = ""
    place: Place = Place()
    tags: Mapping[str, str] = Field(default_factory=dict)
    ending: bool = False
    created: float = 0
    local_disk: bool = False
    variables: Mapping[str, object] = Field(default_factory=dict)
    failure: str = ""
    trouble: Trouble = Trouble.OTHER

    @property
    def reached_at(self) -> str:
        """The address to log in to, '' while it has none. One that is to be public is not reached before it is."""
        private = self.tags.get(ADDRESS_TAG) == "private"
        return self.address or (self.private_address if private else "")

    @property
    def deployment(self) -> str:
        """The deployment it is tagged with."""
        return self.tags.get(DEPLOYMENT_TAG, "")

    @property
    def node(self) -> str:
        """The node it is tagged with."""
        return self.tags.get(NODE_TAG, "")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its node."""
        return tuple(sorted(name[len(LABEL_TAG) :] for name in self.tags if name.startswith(LABEL_TAG)))


class Resource(BaseModel):
    """Something that is no machine and carries our tags: a disk, an address, a network card."""

    model_config = ConfigDict(frozen=True)

    kind: str
    id: str
    tags: Mapping[str, str] = Field(default_factory=dict)
    created: float = 0


Pending = Callable[[], bool]
"""Whether an operation that was asked for has ended, by the provider's own word. Raises CloudError if it failed."""


class Cloud(Protocol):
    """One provider. Calls are made once and not repeated; every error of the SDK becomes a CloudError.

    Making one of these imports no SDK and makes no call; the first call does, and names the pip command when the SDK
    is missing (`sdk.load`).
    """

    name: str
    user: str  # who logs in, where the suite does not say
    image: str  # what machines are made of, where the suite does not say; '' if it must
    size: str  # of a machine, where the suite does not say

    def findings(self) -> Sequence[Finding]:
        """The SDK, the credentials and what else it needs, each with whether it is there. Never raises."""
        ...

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """All machines with our tags, in any state but gone; of one deployment, or of all."""
        ...

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """Everything else with our tags. Empty when the provider removes all of it with the machine."""
        ...

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """How many more machines of this place the account may have; None when the provider does not tell."""
        ...

    def create(self, order: Order) -> None:
        """Ask for one machine that starts by itself; returns when it is ordered, not when it runs."""
        ...

    def delete(self, machine: Machine) -> None:
        """Ask for the end of a machine and all that came with it, once. One that is gone already is no error."""
        ...

    def remove(self, resource: Resource) -> None:
        """Remove something else. What is gone already is no error."""
        ...

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """Ask for an operation of the capability table; the answer tells when the provider is done with it."""
        ...
