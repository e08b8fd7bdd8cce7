"""The clients of a deployment between the jobs of AWX: they live on nodes, and what is known of them in the home.

A run has them as its children or behind its own connections; a job has neither before it nor after it anything but
the home that all jobs share. So who lives where is a file there, and their histories are fetched beside it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from e2e_ansible.awx.carried import PIECE_BYTES, Told, pieces
from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import E2EError, HarnessError, InfrastructureError
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.oracle.histories import history_path, key
from e2e_ansible.providers.base import Node
from e2e_ansible.run.folder import make_private, write_private
from e2e_ansible.run.node_client import Contact, NodeClient

__all__ = ["JobClients", "client_folder", "integrity_node"]

_STATE, _LOCK = "clients.json", "lock"
_AWAKE_SECONDS = 15  # a client on a node that has just booted begins with the other services
_FIRST_ROW_SECONDS = 10
_UP = ("on", "unknown")
_CLIENT, _DATABASE = "client", "database"


class _State(BaseModel):
    """`nodes` is where each client lives; `names` are the histories of this cluster as the journal calls them, `ever`
    those of all clusters.
    """

    model_config = ConfigDict(extra="forbid")

    cluster: int = 1
    nodes: dict[str, str] = Field(default_factory=dict)
    names: list[str] = Field(default_factory=list)
    ever: list[str] = Field(default_factory=list)


@dataclass
class _Found:
    """What one act has found."""

    said: list[str] = field(default_factory=list)
    errors: list[E2EError] = field(default_factory=list)
    still: bool = False
    last: int | None = None


def client_folder(home: Path, deployment: str) -> Path:
    """Where the histories of a deployment are, laid out as in the folder of a test."""
    return home / "histories" / deployment


def integrity_node(labels: Mapping[str, Sequence[str]]) -> str:
    """Where the implicit client lives: the first node that only drives load, else the last database node."""
    driving = [name for name, found in labels.items() if _CLIENT in found]
    databases = [name for name, found in labels.items() if _DATABASE in found]
    return driving[0] if driving else databases[-1]


class JobClients:
    """All clients of one deployment. `offsets` are the bytes of each history that earlier jobs have carried.

    Nothing here raises for what a client or a node does: that is told, and spoils the step where it must.
    """

    def __init__(
        self, folder: Path, nodes: Callable[[], Sequence[Node]], offsets: Mapping[str, int] | None = None
    ) -> None:
        self._folder = folder
        self._nodes = nodes
        self._offsets = dict(offsets or {})

    def start(self, name: str, on: str) -> Told:
        """Know of a client that a role has started, and wait a moment for its first notes."""
        with self._state() as state:
            found = _Found()
            full = key(name, state.cluster)
            if name in state.nodes and name != INTEGRITY:
                text = f"the client {name} is running already on {state.nodes[name]}"
                found.errors.append(HarnessError(text, hint="stop it first"))
            else:
                state.nodes[name] = on
                state.names = list(dict.fromkeys((*state.names, full)))
                state.ever = list(dict.fromkeys((*state.ever, full)))
                with _collected(found):
                    self._first(self._client(name, state))
            return self._told(state, found)

    def pause(self) -> Told:
        """Fetch all histories and let `integrity` write no more until `resume`.

        When its node is away, the rows that are known from before count: they were acknowledged, too.
        """
        with self._state() as state:
            found = _Found()
            self._fetch_all(state, found, pauses=True)
            found.still = key(INTEGRITY, state.cluster) in state.names
            return self._told(state, found)

    def look(self) -> Told:
        """Fetch all histories."""
        with self._state() as state:
            found = _Found()
            self._fetch_all(state, found)
            return self._told(state, found)

    def resume(self) -> Told:
        """Let `integrity` go on; who is away goes on by itself."""
        with self._state() as state:
            found = _Found()
            if INTEGRITY in state.nodes and self._is_up(state.nodes[INTEGRITY]):
                try:
                    self._client(INTEGRITY, state).resume()
                except InfrastructureError as error:
                    found.said.append(f"{_called(INTEGRITY, state)} was not told to go on: {error}")
            return self._told(state, found, carries=False)

    def stop(self, name: str = "") -> Told:
        """End one client, or all, and fetch what is left; after all of them the next cluster begins."""
        with self._state() as state:
            found = _Found()
            if name and name not in state.nodes:
                found.errors.append(HarnessError(f"there is no client {name} to stop"))
            for each in [name] if name else list(state.nodes):
                if each in state.nodes:
                    self._end(each, state, found)
                    del state.nodes[each]
            told = self._told(state, found)
            if not name:
                state.cluster += bool(state.names)
                state.names = []
            return told

    def rest(self) -> Told:
        """What of the histories here was not carried yet; no client is asked."""
        with self._state() as state:
            return self._carrying(self._sizes(state.ever), state, _Found())

    # ---- one client

    def _client(self, name: str, state: _State) -> NodeClient:
        node = next((each for each in self._nodes() if each.name == state.nodes[name]), None)
        if node is None:
            raise InfrastructureError(f"there is no node {state.nodes[name]}, where the client {name} lived")
        path = history_path(self._folder, key(name, state.cluster))
        make_private(path.parent)
        return NodeClient(name, node.name, node.variables, path)

    def _is_up(self, name: str) -> bool:
        return any(node.name == name and node.power.value in _UP for node in self._nodes())

    def _first(self, client: NodeClient) -> None:
        self._awake(client, client.fetch)
        begun = Deadline(_FIRST_ROW_SECONDS)
        begun.wait_for(lambda: client.fetch() and b'"event":"ok"' in client.history.read_bytes(), 0.3)

    def _fetch_all(self, state: _State, found: _Found, *, pauses: bool = False) -> None:
        for name, on in state.nodes.items():
            if not self._is_up(on):
                found.said.append(f"{_called(name, state)} is down with its node; its history ends for now")
                continue
            with _collected(found, away=_called(name, state)):
                client = self._client(name, state)
                if pauses and name == INTEGRITY:
                    found.last = self._awake(client, client.pause).last
                else:
                    self._awake(client, client.fetch)

    def _awake(self, client: NodeClient, act: Callable[[], Contact]) -> Contact:
        """Do it, again for a while when the node answers and the client does not yet.

        Raises:
            HarnessError: it never did.
            InfrastructureError: the node does not answer.
        """
        contact = act()
        if not contact.running:
            deadline = Deadline(_AWAKE_SECONDS)
            contact = deadline.wait_for(lambda: (again := act()).running and again, 0.5) or contact
        if not contact.running:
            raise HarnessError(f"the client {client.name} on {client.node} has died: {contact.said}")
        return contact

    def _end(self, name: str, state: _State, found: _Found) -> None:
        if name == INTEGRITY and not self._is_up(state.nodes[name]):
            text = "was down with its node when it was to stop; its history ends where it was fetched last"
            found.said.append(f"{_called(name, state)} {text}")
            return
        with _collected(found, away=_called(name, state) if name == INTEGRITY else ""):
            self._client(name, state).stop()

    # ---- what is told

    def _told(self, state: _State, found: _Found, *, carries: bool = True) -> Told:
        if carries:
            return self._carrying(self._sizes(state.names), state, found)
        return _of(found, state.cluster)

    def _carrying(self, sizes: Mapping[str, int], state: _State, found: _Found) -> Told:
        told = tuple(pieces(self._folder, self._offsets, sizes))
        length = sum(max(0, size - self._offsets.get(name, 0)) for name, size in sizes.items())
        left = max(0, -(-length // PIECE_BYTES) - 1)
        return _of(found, state.cluster).model_copy(update={"pieces": told, "sizes": sizes, "left": left})

    def _sizes(self, names: Sequence[str]) -> dict[str, int]:
        paths = {name: history_path(self._folder, name) for name in names}
        return {name: path.stat().st_size for name, path in paths.items() if path.exists()}

    @contextmanager
    def _state(self) -> Iterator[_State]:
        """What is known, one job after the other; written down when it has changed.

        Raises:
            HarnessError: the file in the home cannot be read.
            OSError: the home cannot be written.
        """
        path = self._folder / _STATE
        make_private(self._folder)
        descriptor = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            state = _read(path)
            before = state.model_dump_json()
            yield state
            if state.model_dump_json() != before:
                write_private(path, state.model_dump_json(indent=1) + "\n")
        finally:
            os.close(descriptor)


def _read(path: Path) -> _State:
    try:
        return _State.model_validate_json(path.read_text()) if path.exists() else _State()
    except (OSError, ValidationError) as error:
        raise HarnessError(f"{path} cannot be read: {error}") from error


@contextmanager
def _collected(found: _Found, away: str = "") -> Iterator[None]:
    """Keep an error; for the one that is `away`, that its node does not answer is only told."""
    try:
        yield
    except InfrastructureError as error:
        if away:
            found.said.append(f"{away} does not answer, its history ends for now: {error}")
        else:
            found.errors.append(error)
    except E2EError as error:
        found.errors.append(error)


def _called(name: str, state: _State) -> str:
    return f"the client {name} on {state.nodes[name]}"


def _of(found: _Found, cluster: int) -> Told:
    outside = bool(found.errors) and all(isinstance(each, InfrastructureError) for each in found.errors)
    return Told(
        still=found.still,
        last=found.last,
        cluster=cluster,
        said=tuple(found.said),
        trouble="; ".join(dict.fromkeys(map(str, found.errors))),
        outside=outside,
    )
