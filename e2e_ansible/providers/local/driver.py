"""The driver of provider `local`: the calls of the protocol, each a few lines over the modules beside it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError, UnsupportedOperation
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Deployed, DeploymentSpec, Finding, Node, Operation, PowerResult
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local import deployment as work
from e2e_ansible.providers.local import network
from e2e_ansible.providers.local.doctor import findings
from e2e_ansible.providers.local.image import ensure_image
from e2e_ansible.providers.local.node import LocalNode
from e2e_ansible.providers.local.record import Deployment, DeploymentRecord, Store, new_record
from e2e_ansible.providers.names import checked_id, checked_nodes
from e2e_ansible.providers.system import reported

__all__ = ["LocalProvider"]

#: The default costs a quarter of a second of CPU for each new connection, against somebody who records the traffic now
#: and breaks it in years. This traffic stays on this machine.
_CHEAP_KEY_EXCHANGE = "-o KexAlgorithms=curve25519-sha256"


class LocalProvider:
    """Nodes are systemd containers of this machine. `home` holds images and deployments (mode 0700)."""

    name = "local"

    def __init__(self, home: Path | None = None) -> None:
        self.home = (home or default_home()).resolve()
        self._store = Store(self.home)

    def doctor(self) -> Sequence[Finding]:
        """Root, the programs, overlays and free disk."""
        return findings(self.home)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """Record the deployment, make its keys and, when missing, the image. See `Provider.prepare`.

        The parameter `suite`, or else an `image` that is one, names the Debian suite of the nodes; `pgdg` the
        major version of PostgreSQL that the image has from PGDG.

        Raises:
            UsageError: the id or a node name is not usable.
            ProviderError: the id is taken by other nodes, or the image could not be built.
        """
        checked_id(spec.id)
        checked_nodes(spec.nodes)
        with reported(f"deployment {spec.id} could not be prepared"):
            with self._store.lock():
                found = self._store.find(spec.id) or self._store.add(self._new(spec))
            _refuse_other_nodes(found.record, spec)
            work.make_secrets(found)
            if not (self._store.images / found.record.image).is_dir():
                ensure_image(self._store.images, found.record.release)
        return found.folder

    def create(self, deployment: str) -> bool:
        """See `Provider.create`. Returns when process 1 of every node runs; ssh answers two seconds later."""
        with reported(f"deployment {deployment} could not be created"):
            return work.create(self._store.load(deployment), self._store)

    def destroy(self, deployment: str) -> bool:
        """See `Provider.destroy`."""
        found = self._store.find(deployment)
        if found is None:
            return False
        return work.destroy(found, self._store)

    def nodes(self, deployment: str) -> Sequence[Node]:
        """See `Provider.nodes`.

        Raises:
            ProviderError: the deployment is not known.
        """
        found = self._store.load(deployment)
        return [_as_node(found, node) for node in work.local_nodes(found, self._store)]

    def power(self, deployment: str, node: str, operation: Operation, deadline_seconds: float) -> PowerResult:
        """See `Provider.power`. Of a node that is off, `reboot` is an error and `reset` starts it."""
        found = self._store.load(deployment)
        wanted = found.node(node)
        target = work.local_node(found, wanted, self._store)
        before = target.power()
        if before is PowerState.ABSENT:
            raise ProviderError(
                f"{node} of {deployment} does not exist yet", hint="create the deployment first"
            )
        deadline = Deadline(deadline_seconds)
        with reported(f"{operation.value} of {node}"):
            if operation in (Operation.ON, Operation.RESET):
                with self._store.lock():
                    network.bring_up(found.record, self.home)
            changed = _act(target, operation, deadline)
        return PowerResult(changed=changed, before=before, after=target.power(), detail=operation.value)

    def deployments(self) -> Sequence[str]:
        """See `Provider.deployments`."""
        return self._store.ids()

    def deployed(self) -> Sequence[Deployed]:
        """See `Provider.deployed`. A deployment is as old as its record."""
        return [
            Deployed(
                deployment=name,
                things=tuple(f"container {node.machine}" for node in found.record.nodes),
                run=Path(found.record.owner).name,
                folder=found.record.owner,
                created=found.recorded,
            )
            for name in self._store.ids()
            if (found := self._store.find(name))
        ]

    def _new(self, spec: DeploymentSpec) -> DeploymentRecord:
        taken = network.host_networks() | {record.subnet for record in self._store.records()}
        return new_record(spec, self.home, network.choose_subnet(f"{self.home}/{spec.id}", taken))


def _refuse_other_nodes(record: DeploymentRecord, spec: DeploymentSpec) -> None:
    recorded = [(node.name, node.labels) for node in record.nodes]
    if recorded != [(node.name, node.labels) for node in spec.nodes]:
        raise ProviderError(
            f"deployment {spec.id} exists with other nodes: {', '.join(name for name, _ in recorded)}",
            hint="destroy it first, or use another id",
        )


def _act(node: LocalNode, operation: Operation, deadline: Deadline) -> bool:
    match operation:
        case Operation.ON:
            return node.start(deadline)
        case Operation.OFF:
            return node.off(deadline)
        case Operation.HARD_OFF:
            return node.hard_off(deadline)
        case Operation.REBOOT:
            return node.reboot(deadline)
        case Operation.RESET:
            stopped = node.hard_off(deadline)
            return node.start(deadline) or stopped
        case Operation.NMI:
            raise UnsupportedOperation("a container has no kernel of its own that an NMI could reach")


def _as_node(deployment: Deployment, node: LocalNode) -> Node:
    record = node.record
    known_hosts = shlex.quote(f"UserKnownHostsFile={deployment.known_hosts}")
    return Node(
        name=record.name,
        labels=record.labels,
        power=node.power(),
        address=record.address,
        machine_id=record.machine_id,
        variables={
            "ansible_host": record.address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(deployment.key),
            "ansible_ssh_common_args": f"-o {known_hosts} -o StrictHostKeyChecking=yes {_CHEAP_KEY_EXCHANGE}",
            "ansible_python_interpreter": "/usr/bin/python3",
            "e2e_provider": "local",
            "e2e_deployment": deployment.record.id,
            "e2e_machine_id": record.machine_id,
            "e2e_client_password_file": str(deployment.client_password),
        },
    )
