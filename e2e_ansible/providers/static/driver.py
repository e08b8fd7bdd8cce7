"""The provider of machines that exist already. It makes nothing and removes nothing; it powers what has Redfish."""

from __future__ import annotations

import os
import shlex
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import E2EError, ProviderError, UnsupportedOperation
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import (
    Deployed,
    DeploymentSpec,
    Finding,
    Node,
    Operation,
    PowerResult,
)
from e2e_ansible.providers.cloud.sdk import load
from e2e_ansible.providers.names import checked_id, checked_nodes, refuse_other_nodes
from e2e_ansible.providers.static.inventory import (
    VARIABLE,
    Machine,
    assign,
    inventory_path,
    machines,
    refuse_controller,
)
from e2e_ansible.providers.static.power import operate
from e2e_ansible.providers.static.record import StaticDeployment, StaticNode, StaticRecord, StaticStore
from e2e_ansible.providers.static.redfish import Redfish
from e2e_ansible.providers.system import reported

__all__ = ["BY_HAND", "StaticProvider"]

BY_HAND = "inventory"
"""The deployment of all hosts of the inventory that the environment names, under their own names."""

_LIVES_HOURS = 24.0
_LOOK_SECONDS = 10
_SSH_SECONDS = 15
_MOST_AT_ONCE = 16


class StaticProvider:
    """Machines of an ordinary inventory. `home` holds which deployment has which of them (mode 0700)."""

    name = "static"

    def __init__(self, home: Path | None = None) -> None:
        self._store = StaticStore(home)

    def doctor(self) -> Sequence[Finding]:
        """The SDK for Redfish, and the inventory where the environment names one."""
        return [_sdk(), *([_inventory()] if os.environ.get(VARIABLE) else [])]

    def prepare(self, spec: DeploymentSpec) -> Path:
        """Choose a machine for each node and reserve it; none is contacted. See `Provider.prepare`.

        Raises:
            UsageError: the inventory is not usable, or a machine in it is this controller.
            ProviderError: a machine is in use by another deployment, or the id is taken by other nodes.
        """
        checked_id(spec.id)
        checked_nodes(spec.nodes)
        with reported(f"deployment {spec.id} could not be prepared"), self._store.lock():
            known = self._store.find(spec.id)
            if known is None:
                record = _record(spec)
                self._store.refuse_taken(node.machine for node in record.nodes)
                return self._store.add(record).folder
        recorded, wanted = ([node.name for node in nodes] for nodes in (known.record.nodes, spec.nodes))
        refuse_other_nodes(spec.id, recorded, wanted)
        return known.folder

    def create(self, deployment: str) -> bool:
        """See that the ssh server of every machine can be reached; nothing is changed, so it is always False.

        Raises:
            ProviderError: a machine is off, or does not answer.
        """
        found = self._load(deployment)
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            complaints = [text for text in pool.map(_complaint, found.record.nodes) if text]
        if complaints:
            hint = f"E2E_DEPLOYMENT={deployment} ansible-playbook playbooks/node_power.yml -l NODE"
            raise ProviderError("; ".join(complaints), hint=f"{hint} -e node_power_operation=on starts one")
        return False

    def destroy(self, deployment: str) -> bool:
        """Give the machines back as they are: nothing on them is removed, and their power stays as it is."""
        found = self._store.find(deployment)
        if found is None:
            return False
        self._store.forget(found)
        return True

    def nodes(self, deployment: str) -> Sequence[Node]:
        """See `Provider.nodes`. A machine whose power is not told is listed with `unknown` and the reason."""
        found = self._load(deployment)
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            return list(pool.map(lambda node: _node(found, node), found.record.nodes))

    def power(self, deployment: str, node: str, operation: Operation, deadline_seconds: float) -> PowerResult:
        """See `Provider.power`. Of a machine that is off, `reboot` and `nmi` are errors and `reset` starts it.

        Raises:
            UnsupportedOperation: the machine has no Redfish, or that does not offer it.
            ProviderError: it could not be done, or by hand, the machine is in use by a run.
        """
        deadline = Deadline(deadline_seconds)
        machine = self._load(deployment).node(node).machine
        refuse_controller(machine)
        if deployment == BY_HAND:
            self._store.refuse_taken([machine])
        named = _named(node, machine)
        if machine.redfish is None:
            raise UnsupportedOperation(
                f"{operation.value} of {named}: the inventory names no Redfish for it, so its power is out of reach",
                hint="e2e_redfish_url in the inventory; or act from inside: crash_node and restart_node, method ssh",
            )
        with Redfish(machine.redfish, named, deadline) as system:
            return operate(system, named, operation, deadline)

    def deployments(self) -> Sequence[str]:
        """Ids of the deployments that have machines, and `inventory` where the environment names an inventory."""
        return [*self._store.ids(), *([BY_HAND] if os.environ.get(VARIABLE) else [])]

    def deployed(self) -> Sequence[Deployed]:
        """What is reserved on this controller. See `Provider.deployed`."""
        records = [found.record for name in self._store.ids() if (found := self._store.find(name))]
        return [
            Deployed(
                deployment=record.id,
                things=tuple(f"reservation of {_named(node.name, node.machine)}" for node in record.nodes),
                owner=record.owner,
                run=record.run,
                folder=record.folder,
                created=record.created,
                expires=record.expires,
            )
            for record in records
        ]

    def _load(self, deployment: str) -> StaticDeployment:
        found = self._store.find(deployment)
        if found is not None:
            return found
        if deployment == BY_HAND and os.environ.get(VARIABLE):
            return StaticDeployment(self._store.folder / BY_HAND, _by_hand())
        text = f"deployment {deployment} of provider static is not known here"
        raise ProviderError(text, hint=f"looked in {self._store.folder}")


def _record(spec: DeploymentSpec) -> StaticRecord:
    path = inventory_path(spec.parameters)
    chosen = assign(spec.nodes, machines(path))
    now = time.time()
    return StaticRecord(
        id=spec.id,
        owner=os.environ.get("USER") or f"uid-{os.getuid()}",
        run=Path(spec.owner).name,
        folder=spec.owner,
        inventory=str(path),
        user=str(spec.parameters.get("ssh_user") or ""),
        created=now,
        expires=now + float(str(spec.parameters.get("expires_hours") or _LIVES_HOURS)) * 3600,
        nodes=tuple(
            StaticNode(
                name=node.name,
                labels=tuple(dict.fromkeys((*node.labels, *chosen[node.name].groups))),
                machine=chosen[node.name],
                keys=chosen[node.name].keys,
            )
            for node in spec.nodes
        ),
    )


def _by_hand() -> StaticRecord:
    path = inventory_path({})
    nodes = (StaticNode(name=each.host, labels=each.groups, machine=each) for each in machines(path))
    return StaticRecord(
        id=BY_HAND,
        owner="",
        run="",
        folder="",
        inventory=str(path),
        user="",
        created=0,
        expires=0,
        nodes=tuple(nodes),
    )


def _node(deployment: StaticDeployment, node: StaticNode) -> Node:
    machine = node.machine
    power, word = _power(node.name, machine)
    return Node(
        name=node.name,
        labels=node.labels,
        power=power,
        address=machine.address,
        variables=_variables(deployment, machine) | {"e2e_provider_state": word, "e2e_machine": machine.host},
    )


def _variables(deployment: StaticDeployment, machine: Machine) -> dict[str, object]:
    """Those of the inventory, and what is ours where it says nothing. By hand ssh is wholly the inventory's affair."""
    variables: dict[str, object] = {
        "ansible_host": machine.address,
        **machine.variables,
        "e2e_provider": StaticProvider.name,
        "e2e_deployment": deployment.record.id,
    }
    if deployment.record.id == BY_HAND:
        return variables
    if deployment.record.user:
        variables.setdefault("ansible_user", deployment.record.user)
    # Keys that the user knows count; others are learned at the first login and kept for this deployment.
    known = shlex.quote(f"UserKnownHostsFile={deployment.known_hosts} ~/.ssh/known_hosts")
    theirs = str(machine.variables.get("ansible_ssh_common_args") or "")
    variables["ansible_ssh_common_args"] = f"{theirs} -o {known} -o StrictHostKeyChecking=accept-new".strip()
    return variables | {"e2e_client_password_file": str(deployment.client_password)}


def _power(node: str, machine: Machine) -> tuple[PowerState, str]:
    """A look never fails: a board that does not answer must not hide the other machines."""
    if machine.redfish is None:
        return PowerState.UNKNOWN, "no Redfish"
    try:
        with Redfish(machine.redfish, _named(node, machine), Deadline(_LOOK_SECONDS)) as system:
            return system.state()
    except E2EError as error:
        return PowerState.UNKNOWN, f"not told: {error}" + (f" ({error.hint})" if error.hint else "")


def _complaint(node: StaticNode) -> str:
    machine = node.machine
    power, word = _power(node.name, machine)
    if power is PowerState.OFF:
        return f"{_named(node.name, machine)} is {word}"
    if not machine.direct:
        return ""
    said: list[str] = []

    def answers() -> bool:
        try:
            socket.create_connection((machine.address, machine.port), timeout=_SSH_SECONDS / 3).close()
        except OSError as error:
            said[:] = [str(error)]
            return False
        return True

    if Deadline(_SSH_SECONDS).wait_for(answers, interval=0.5):
        return ""
    return (
        f"{_named(node.name, machine)} does not answer at port {machine.port} of {machine.address}: {said[0]}"
    )


def _named(node: str, machine: Machine) -> str:
    return node if node == machine.host else f"{node} ({machine.host})"


def _sdk() -> Finding:
    """Only machines with Redfish need it, and not every inventory has such."""
    try:
        load("sushy", "static")
    except E2EError as error:
        detail = f"{error}; {error.hint}; only Redfish needs it"
        return Finding(name="static SDK", ok=False, detail=detail, optional=True)
    return Finding(name="static SDK", ok=True, detail="sushy is installed")


def _inventory() -> Finding:
    try:
        path = inventory_path({})
        return Finding(name="inventory", ok=True, detail=f"{path} has {len(machines(path))} machines")
    except E2EError as error:
        detail = f"{error}; {error.hint}"
        return Finding(name="inventory", ok=False, detail=detail, optional=True)  # a suite may name its own
