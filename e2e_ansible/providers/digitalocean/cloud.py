"""The calls of `Cloud` for Droplets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.machine import (
    DEPLOYMENT_TAG,
    Cloud,
    Machine,
    Order,
    Pending,
    Place,
    Resource,
)
from e2e_ansible.providers.cloud.refusal import way_of
from e2e_ansible.providers.digitalocean.api import TOKENS, Api
from e2e_ansible.providers.digitalocean.machine import read_machine
from e2e_ansible.providers.digitalocean.order import request
from e2e_ansible.providers.digitalocean.tags import owner, value

__all__ = ["DigitalOceanCloud"]

_ACTIONS = {
    Operation.ON: "power_on",
    Operation.OFF: "shutdown",
    Operation.HARD_OFF: "power_off",
    Operation.REBOOT: "reboot",
    Operation.RESET: "power_cycle",
}


class DigitalOceanCloud(Cloud):
    """Tags of DigitalOcean are words that outlive what carries them: see `tags`, and `resources`."""

    name = "digitalocean"
    user = "e2e"
    image = "debian-12-x64"
    size = "s-2vcpu-2gb"

    def __init__(self) -> None:
        self._api = Api()

    def findings(self) -> Sequence[Finding]:
        """See `Cloud.findings`; the token is tried."""
        return sdk.findings(self.name, ["pydo"], {"token": self._may_read})

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`. GPU Droplets are not listed by the API with the others, so there are none."""
        chosen = {"tag_name": f"{DEPLOYMENT_TAG}:{deployment}"} if deployment else {}
        droplets = self._api.every("droplets", **chosen)
        with self._api.told():
            return [machine for machine in map(read_machine, droplets) if machine.deployment]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """The tags of each deployment, as one thing: that of the deployment tells that there are some."""
        ids = sorted({value(tag) for tag in self._flat_tags() if tag.startswith(f"{DEPLOYMENT_TAG}:")})
        return [
            Resource(kind="tags of", id=name, tags={DEPLOYMENT_TAG: name})
            for name in ids
            if deployment in ("", name)
        ]

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """The account's limit of Droplets, less those there are, in all regions."""
        with self._api.told():
            limit = self._api.client.account.get()["account"]["droplet_limit"]
            there = self._api.client.droplets.list(per_page=1)["meta"]["total"]
        return int(limit) - int(there)

    def create(self, order: Order) -> None:
        """See `Cloud.create`. Names are not unique, and the API knows no token: `creation` looks before it repeats."""
        with self._api.told():
            self._api.client.droplets.create(body=request(order))

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`."""
        with self._api.told():
            self._api.client.droplets.destroy(int(machine.id))  # of a Droplet that is gone this is no error

    def remove(self, resource: Resource) -> None:
        """Delete all tags of a deployment, and last the one by which `resources` finds them."""
        theirs = [tag for tag in self._flat_tags() if owner(tag) == resource.id]
        for tag in sorted(theirs, key=lambda tag: tag.startswith(f"{DEPLOYMENT_TAG}:")):
            with self._api.told():
                self._api.client.tags.delete(tag)  # of a tag that is gone this is no error

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        kind = way_of(self.name, operation, _ACTIONS)
        action = self._api.ask(machine, kind)
        return lambda: self._api.ended(machine, action)

    def _flat_tags(self) -> list[str]:
        """All tags of the account that are ours."""
        return [name for name in (str(tag["name"]) for tag in self._api.every("tags")) if owner(name)]

    def _may_read(self) -> str:
        self.remaining(Place(), {})
        return f"{TOKENS[0]} may read the account"
