"""The provider of machines by an API: one for all of them, over the `Cloud` of each."""

from __future__ import annotations

import hashlib
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import (
    Deployed,
    DeploymentSpec,
    Finding,
    Node,
    NodeSpec,
    Operation,
    PowerResult,
)
from e2e_ansible.providers.cloud import powering
from e2e_ansible.providers.cloud.creation import Creation, await_unseen, destroy
from e2e_ansible.providers.cloud.found import found, listed, one_of
from e2e_ansible.providers.cloud.machine import (
    DEPLOYMENT_TAG,
    EXPIRES_TAG,
    OWNER_TAG,
    RUN_TAG,
    Cloud,
    Machine,
)
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.quota import Reservations
from e2e_ansible.providers.cloud.record import CloudDeployment, CloudStore, new_record
from e2e_ansible.providers.cloud.refusal import refuse
from e2e_ansible.providers.cloud.trouble import patiently
from e2e_ansible.providers.names import refuse_other_nodes
from e2e_ansible.providers.system import locked, reported

__all__ = ["CloudProvider"]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class CloudProvider:
    """Machines of one cloud. They are found by their tags, so they can be listed, powered and removed from anywhere.

    What only the controller that made them has is the key to log in; elsewhere ssh is the inventory's affair.
    `cannot` are parameters of a suite that the provider cannot follow, each with the reason.
    """

    cannot: ClassVar[Mapping[str, str]] = {}

    def __init__(self, cloud: Cloud, home: Path | None = None, pace: Pace | None = None) -> None:
        self.cloud = cloud
        self.name = cloud.name
        self._store = CloudStore(cloud.name, home)
        self._pace = pace or Pace()

    def doctor(self) -> Sequence[Finding]:
        """The SDK, the credentials and what else the cloud needs."""
        return self.cloud.findings()

    def prepare(self, spec: DeploymentSpec) -> Path:
        """Record names, tokens, places and the key; no call is made. See `Provider.prepare`.

        Raises:
            UsageError: the id, a node name or a parameter is not usable.
            ProviderError: the id is taken by other nodes.
        """
        refuse(self.name, spec.parameters, self.cannot)
        with reported(f"deployment {spec.id} could not be prepared"), self._store.lock():
            known = self._store.find(spec.id)
            if known is None:
                return self._store.add(new_record(spec, self.cloud, self._store.home, time.time())).folder
        recorded, wanted = ([node.name for node in nodes] for nodes in (known.record.nodes, spec.nodes))
        refuse_other_nodes(spec.id, recorded, wanted)
        return known.folder

    def create(self, deployment: str) -> bool:
        """Reserve quota, then make all machines or none. See `Provider.create`.

        Raises:
            ProviderError: they could not be made, and none is left.
            CleanUpError: they could not be made, and something is left.
        """
        recorded = self._store.load(deployment)
        quota = Reservations(self.cloud, self._store, recorded.record.settings, self._pace)
        with (
            reported(f"deployment {deployment} could not be created"),
            locked(recorded.folder, self._pace.whole),
            quota.released(),
        ):
            return Creation(self.cloud, recorded, self._pace).run(quota.take, quota.give_back)

    def destroy(self, deployment: str) -> bool:
        """Remove all that carries the deployment's tag, then its record. See `Provider.destroy`."""
        recorded = self._store.find(deployment)
        if recorded is None:
            return destroy(self.cloud, deployment, self._pace)
        with (
            reported(f"deployment {deployment} could not be removed"),
            locked(recorded.folder, self._pace.whole),
        ):
            await_unseen(self.cloud, recorded, self._pace)
            destroy(self.cloud, deployment, self._pace)
            self._store.forget(recorded)
        return True

    def nodes(self, deployment: str) -> Sequence[Node]:
        """What the cloud has with the deployment's tag, and the recorded nodes that it has not (absent).

        A machine whose tag names no host is no node; `destroy` removes it all the same.
        """
        recorded = self._store.find(deployment)
        there = found(self.cloud, deployment, self._pace, recorded.record if recorded else None)
        planned = recorded.record.nodes if recorded else ()
        specs = {spec.name: spec for spec in planned}
        names = [*specs, *sorted(name for name in set(there) - set(specs) if _NAME.fullmatch(name))]
        return [self._node(deployment, name, specs.get(name), there.get(name), recorded) for name in names]

    def power(self, deployment: str, node: str, operation: Operation, deadline_seconds: float) -> PowerResult:
        """See `Provider.power`.

        Raises:
            ProviderError: as there, or there is no such machine, or it cannot be told which one is meant.
        """
        recorded = self._store.find(deployment)
        machines = listed(self.cloud, deployment, self._pace)
        machine = one_of(machines, node, recorded.record if recorded else None)
        if machine is None:
            raise ProviderError(f"deployment {deployment} has no machine for {node}", hint="create it first")
        return powering.operate(self.cloud, machine, operation, deadline_seconds, self._pace)

    def deployments(self) -> Sequence[str]:
        """Ids of the deployments that are recorded here or tagged in the account."""
        tagged = {machine.deployment for machine in self._machines()}
        return sorted({*self._store.ids(), *filter(_ID.fullmatch, tagged)})

    def deployed(self) -> Sequence[Deployed]:
        """Everything that carries our tags, by deployment. See `Provider.deployed`.

        A tag that is no id of a deployment is somebody else's.
        """
        resources = patiently(self.cloud.resources, Deadline(self._pace.call))
        tagged = [
            *((machine.tags, machine.created, machine.machine) for machine in self._machines()),
            *((each.tags, each.created, f"{each.kind} {each.id}") for each in resources),
        ]
        found_ids = sorted(filter(_ID.fullmatch, {tags.get(DEPLOYMENT_TAG, "") for tags, _, _ in tagged}))
        return [
            _deployed(
                name,
                [each for each in tagged if each[0].get(DEPLOYMENT_TAG) == name],
                self._store.find(name) if name in self._store.ids() else None,
            )
            for name in found_ids
        ]

    def _machines(self) -> Sequence[Machine]:
        return patiently(self.cloud.machines, Deadline(self._pace.call))

    def _node(
        self,
        deployment: str,
        name: str,
        spec: NodeSpec | None,
        machine: Machine | None,
        recorded: CloudDeployment | None,
    ) -> Node:
        labels = spec.labels if spec else machine.labels if machine else ()
        variables: dict[str, object] = {"e2e_provider": self.name, "e2e_deployment": deployment}
        variables |= _login(machine, recorded)
        if machine is None:
            return Node(name=name, labels=labels, power=PowerState.ABSENT, variables=variables)
        variables |= {
            "ansible_host": machine.reached_at or machine.private_address,
            "ansible_python_interpreter": "/usr/bin/python3",
            "e2e_machine": machine.machine,
            "e2e_provider_id": machine.id,
            "e2e_provider_state": machine.state,
            "e2e_zone": machine.place.zone,
            "e2e_size": machine.place.size,
            "e2e_private_address": machine.private_address,
            **machine.variables,
        }
        return Node(
            name=name, labels=labels, power=machine.power, address=machine.reached_at, variables=variables
        )


def _login(machine: Machine | None, deployment: CloudDeployment | None) -> dict[str, object]:
    """How to log in: the user and key are known only on the controller that made the machines.

    Host keys are learned at the first login and held to afterwards, under a name that no other machine ever has:
    an address may be another machine's tomorrow. They are in a file of the deployment where there is one, else in
    the user's own.
    """
    options = ["-o StrictHostKeyChecking=accept-new"]
    if machine is not None:
        unique = hashlib.sha256(f"{machine.id} {machine.created:.0f}".encode()).hexdigest()[:8]
        options.append(f"-o HostKeyAlias={shlex.quote(f'{machine.machine}-{unique}')}")
    if deployment is None:
        return {"ansible_ssh_common_args": " ".join(options)}
    known_hosts = shlex.quote(f"UserKnownHostsFile={deployment.known_hosts}")
    return {
        "ansible_user": deployment.record.user,
        "ansible_ssh_private_key_file": str(deployment.key),
        "ansible_ssh_common_args": " ".join([f"-o {known_hosts}", *options, "-o IdentitiesOnly=yes"]),
        "e2e_client_password_file": str(deployment.client_password),
    }


def _deployed(
    name: str, tagged: Sequence[tuple[Mapping[str, str], float, str]], recorded: CloudDeployment | None
) -> Deployed:
    def of(tag: str) -> str:
        return next((tags[tag] for tags, _, _ in tagged if tags.get(tag)), "")

    expires = of(EXPIRES_TAG)
    return Deployed(
        deployment=name,
        things=tuple(thing for _, _, thing in tagged),
        owner=of(OWNER_TAG),
        run=of(RUN_TAG),
        folder=recorded.record.folder if recorded else "",
        created=min((created for _, created, _ in tagged if created), default=0),
        expires=float(expires) if expires.isdecimal() else 0,
    )
