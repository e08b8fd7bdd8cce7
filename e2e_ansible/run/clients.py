"""The clients of one test: on the controller or on a node, from their start until the nodes are removed.

The client `integrity` is implied by checks that need it: it writes from deploy to destroy, and holds still while the
cluster is looked at. The others are started and stopped by steps and never wait for a look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import E2EError, HarnessError, InfrastructureError
from e2e_ansible.oracle.config import INTEGRITY, ClientConfig
from e2e_ansible.oracle.cycle import Cycle
from e2e_ansible.oracle.histories import Histories, history_path, key
from e2e_ansible.oracle.history import acknowledged
from e2e_ansible.oracle.history_file import in_use
from e2e_ansible.oracle.process import ClientProcess
from e2e_ansible.oracle.ranges import Ranges
from e2e_ansible.providers.base import Node
from e2e_ansible.run.node_client import NodeClient
from e2e_ansible.steps.client_plan import CONTROLLER, ClientPlan

__all__ = ["Clients"]

_FIRST_ROW_SECONDS = 10
_AWAKE_SECONDS = 15  # a client on a node that has just booted begins with the other services
_FORMER_SECONDS = 30  # one whose run has died ends what is under way
_USER = "e2e"


class Clients:
    """All clients of a test; any thread may call. Without `integrity`, every look has `None` acknowledged.

    A client that is started after `stop` works on another cluster, so it gets a history of its own. In a `cycle` of a
    soak it works on the cluster of the cycles before, with numbers of its own.
    """

    def __init__(self, plan: Plan, folder: Path, cycle: Cycle = Cycle()) -> None:  # noqa: B008  # it is frozen
        self._plan = plan
        self._soak = cycle
        self._folder = folder
        self._cluster = 1
        self._patient = True
        self._lock = threading.RLock()
        self._here: dict[str, ClientProcess] = {}
        self._there: dict[str, NodeClient] = {}
        self._names: list[str] = []
        #: What the clients have noted, for those who judge now.
        self.histories = Histories(folder)

    def start(self, nodes: Sequence[Node]) -> None:
        """Start `integrity`, and wait a moment for the first row.

        Raises:
            HarnessError: it did not start, or the provider names no password for clients.
        """
        with self._lock:
            if INTEGRITY in self._here:  # the cluster was deployed once more; its rows are still there
                self._here.pop(INTEGRITY).stop()
            self._begin_here(INTEGRITY, self._addresses(nodes), {}, nodes)

    def act(self, client: ClientPlan, nodes: Sequence[Node]) -> None:
        """Do what a step says of a client, after its playbook has passed.

        Raises:
            E2EError: it did not start; it runs already; it had died; its history cannot be fetched.
        """
        with self._lock:
            if client.act == "stop":
                self._end([client.name])
            elif client.name in self._here or client.name in self._there:
                raise HarnessError(f"the client {client.name} is running already", hint="stop it first")
            elif client.on == CONTROLLER:
                self._begin_here(client.name, _places(client.hosts, nodes), client.settings, nodes)
            else:
                self._begin_there(client, nodes)

    def come_back(
        self, steps: Iterable[tuple[PlannedStep, bool]], nodes: Callable[[], Sequence[Node]]
    ) -> None:
        """Begin again what ran when the run died: `steps` in their order, each with whether it has passed.

        Those on the controller died with it; they go on with their histories, and the time between stays blind. Those
        on nodes have gone on.

        Raises:
            E2EError: one could not be started.
        """
        there: dict[str, ClientPlan | None] = {}
        ending: set[str] = set()
        for step, passed in steps:
            client = step.client
            if step.removes_nodes:
                there.clear()
                self._cluster += bool(self._names)
                self._names = []
            elif passed and step.starts_writer and self._plan.writer:
                there[INTEGRITY] = None
            elif client is not None and client.act == "stop":
                ending.add(client.name)
                if passed:
                    there.pop(client.name, None)
            elif client is not None and passed:
                there[client.name] = client
                ending.discard(client.name)
            for each in there:
                self._remember(key(each, self._cluster))
        self._patient = False  # the cluster is as the steps have made it, and may answer nobody
        for name, plan in there.items():
            self._begin_again(name, plan, nodes(), ending=name in ending)
        self._patient = True

    def _begin_again(
        self, name: str, client: ClientPlan | None, nodes: Sequence[Node], *, ending: bool
    ) -> None:
        path = self._path(key(name, self._cluster))
        Deadline(_FORMER_SECONDS).wait_for(lambda: not in_use(path), interval=0.1)
        if client is None:
            self.start(nodes)
        elif client.on == CONTROLLER:
            self.act(client, nodes)
        else:
            self._there[name] = self._node_client(client, nodes)
            if not ending:
                self._fetch(self._there[name])

    @contextmanager
    def still(self) -> Iterator[Ranges | None]:
        """Hold `integrity` for a look; gives the rows that it saw committed up to now.

        Raises:
            HarnessError: it has ended, or does not answer.
        """
        with self._lock:
            process = self._here.get(INTEGRITY)
        if process is None:
            yield None
            return
        reply = process.pause()
        name = key(INTEGRITY, self._cluster)
        try:
            yield acknowledged(self.histories.read(name, reply.size), upto=reply.last)
        finally:
            process.resume()

    def look(self) -> dict[str, int]:
        """Bytes of the history of each client of this cluster at this moment, fetched from where it is.

        Raises:
            HarnessError: a client has died.
        """
        with self._lock:
            for process in self._here.values():
                process.check()
            for client in self._there.values():
                self._fetch(client)
            paths = {name: self._path(name) for name in self._names}
            return {name: path.stat().st_size for name, path in paths.items() if path.exists()}

    def stop(self) -> None:
        """End all clients and fetch what is left of their histories; the cluster is about to go.

        Raises:
            E2EError: one had died, or its history cannot be fetched; all were ended none the less.
        """
        with self._lock:
            try:
                self._end([*self._here, *self._there])
            finally:
                self._cluster += bool(self._names)
                self._names = []

    # ---- one client

    def _begin_here(
        self,
        name: str,
        hosts: Sequence[str],
        settings: Mapping[str, str | float | int],
        nodes: Sequence[Node],
    ) -> None:
        found = (
            node.variables.get("e2e_client_password_file") for node in nodes if "database" in node.labels
        )
        password = next((each for each in found if each), None)
        if not isinstance(password, str) or not hosts:
            raise HarnessError(f"the provider names no password file, so {_what(name)} cannot be shown")
        config = ClientConfig(
            hosts=tuple(hosts),
            user=_USER,
            password_file=Path(password),
            history=self._new(name),
            name=name,
            **{**self._soak.settings(name), **settings},  # type: ignore[arg-type]  # the options of the step are typed; ClientConfig checks again
        )
        process = self._here[name] = ClientProcess.start(config)
        if self._patient:
            Deadline(_FIRST_ROW_SECONDS).wait_for(lambda: process.status().ok > 0, interval=0.1)

    def _begin_there(self, client: ClientPlan, nodes: Sequence[Node]) -> None:
        there = self._there[client.name] = self._node_client(client, nodes)
        self._fetch(there, patient=True)

    def _node_client(self, client: ClientPlan, nodes: Sequence[Node]) -> NodeClient:
        variables = next((node.variables for node in nodes if node.name == client.on), None)
        if variables is None:
            raise HarnessError(f"the client {client.name} cannot live on {client.on}: there is no such node")
        return NodeClient(client.name, client.on, variables, self._new(client.name), self._soak.number)

    def _fetch(self, client: NodeClient, *, patient: bool = False) -> None:
        """Bring its notes. While its node is away they end where they are; `patient` calls that an error.

        Raises:
            HarnessError: the node answers, and the client does not.
        """
        try:
            contact = client.fetch()
            if not contact.running:
                deadline = Deadline(_AWAKE_SECONDS)
                contact = (
                    deadline.wait_for(lambda: (found := client.fetch()).running and found, 0.5) or contact
                )
        except InfrastructureError:  # a fault on that node must not end the look at the others
            if patient:
                raise
            return
        if not contact.running:
            raise HarnessError(f"the client {client.name} on {client.node} has died: {contact.said}")

    def _end(self, names: Sequence[str]) -> None:
        errors: list[E2EError] = []
        for name in names:
            for act in self._last_acts(name):
                try:
                    act()
                except E2EError as error:
                    errors.append(error)
            self._here.pop(name, None)
            self._there.pop(name, None)
        if errors:
            outside = all(isinstance(error, InfrastructureError) for error in errors)
            text = "; ".join(dict.fromkeys(str(error) for error in errors))
            raise InfrastructureError(text) if outside else HarnessError(text)

    def _last_acts(self, name: str) -> Sequence[Callable[[], object]]:
        if name in self._here:
            return (self._here[name].check, self._here[name].stop)
        if name in self._there:
            return (self._there[name].stop,)
        raise HarnessError(f"there is no client {name} to stop")

    # ---- names and places

    def _new(self, name: str) -> Path:
        full = key(name, self._cluster)
        self._remember(full)
        path = self._path(full)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        return path

    def _remember(self, name: str) -> None:
        if name not in self._names:
            self._names.append(name)

    def _path(self, name: str) -> Path:
        return history_path(self._folder, name)

    def _addresses(self, nodes: Sequence[Node]) -> list[str]:
        """Servers that stand alone share nothing: there only the primary is written to."""
        alone = self._plan.database == "standalone"
        targets = [node.name for node in nodes if "database" in node.labels]
        return _places([name for name in targets if not alone or name == self._plan.primary], nodes)


def _places(hosts: Sequence[str], nodes: Sequence[Node]) -> list[str]:
    """Addresses of nodes; what is no node is an address."""
    known = {node.name: str(node.variables.get("ansible_host") or node.address) for node in nodes}
    return [known.get(host, host) for host in hosts]


def _what(name: str) -> str:
    return "data_integrity" if name == INTEGRITY else f"what the client {name} sees"
