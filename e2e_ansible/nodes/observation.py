"""What one look at all nodes found. Everything that checks may know, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from e2e_ansible.nodes.guard import Identity
from e2e_ansible.nodes.load import Load
from e2e_ansible.nodes.physical import Physical
from e2e_ansible.nodes.services import Services

__all__ = [
    "AdminUi",
    "NodeObservation",
    "Observation",
    "Patroni",
    "PatroniMember",
    "Postgres",
    "PowerState",
    "Replica",
    "Unreachable",
]


class PowerState(StrEnum):
    """What the provider says; never guessed from ssh."""

    ON = "on"
    OFF = "off"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Unreachable(StrEnum):
    """Why ssh did not answer. `AUTH` and `LOCAL` are never the fault of the product under test."""

    AUTH = "auth"
    LOCAL = "local"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    OTHER = "other"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Replica(_Record):
    """One row of pg_stat_replication on the node that sends."""

    name: str
    state: str
    sync_state: str
    lag_bytes: int | None = None


class Postgres(_Record):
    """PostgreSQL on one node, as its own superuser sees it over the local socket.

    `writable` is the result of a real committed transaction, None when none was tried. `integrity` holds the row
    numbers found in the table of the integrity writer as inclusive ranges, or None when they were not asked for or
    not readable.
    """

    installed: bool
    accepting: bool = False
    error: str = ""
    version: str = ""
    in_recovery: bool | None = None
    writable: bool | None = None
    timeline: int | None = None
    lsn: str = ""
    replicas: tuple[Replica, ...] = ()
    receiver: str = ""
    integrity: tuple[tuple[int, int], ...] | None = None
    integrity_error: str = ""


class PatroniMember(_Record):
    """One member as Patroni lists it. `lag_bytes` is None for the leader and where Patroni does not know it."""

    name: str
    role: str
    state: str
    timeline: int | None = None
    lag_bytes: int | None = None
    pending_restart: bool = False


class Patroni(_Record):
    """Patroni on one node, as its own REST API tells it, and the member of etcd beside it.

    `role` is `leader`, `sync_standby`, `replica` or whatever else Patroni says. `leader` and `members` come out
    of etcd: they are empty when etcd does not answer, and then `error` says so. `etcd` is None on a node without
    etcd, else whether its member has a quorum.
    """

    answers: bool
    role: str = ""
    state: str = ""
    timeline: int | None = None
    lag_bytes: int | None = None
    pending_restart: bool = False
    paused: bool = False
    leader: str = ""
    members: tuple[PatroniMember, ...] = ()
    error: str = ""
    etcd: bool | None = None
    etcd_error: str = ""


class AdminUi(_Record):
    """One HTTP(S) GET from the controller. `status` is 0 when nothing answered."""

    url: str
    status: int
    error: str = ""


class NodeObservation(_Record):
    """One node, once. `boot` facts and services are known only when it was reachable."""

    node: str
    power: PowerState
    reachable: bool
    unreachable: Unreachable | None = None
    reason: str = ""
    labels: tuple[str, ...] = ()
    identity: Identity | None = None
    system_state: str = ""
    failed_units: tuple[str, ...] = ()
    postgres: Postgres | None = None
    patroni: Patroni | None = None
    services: Services | None = None
    physical: Physical | None = None
    load: Load | None = None
    admin_ui: AdminUi | None = None

    @property
    def running(self) -> bool:
        """On (or not known to be off) and answering over ssh."""
        return self.reachable and self.power in (PowerState.ON, PowerState.UNKNOWN)


class Observation(_Record):
    """All nodes at about one moment; `at` is the epoch time in seconds when the look began."""

    at: float
    nodes: tuple[NodeObservation, ...]

    def __iter__(self) -> Iterator[NodeObservation]:  # type: ignore[override]  # a collection of nodes, not of fields
        return iter(self.nodes)

    def node(self, name: str) -> NodeObservation | None:
        """The observation of one node, None when it was not looked at."""
        return next((node for node in self.nodes if node.node == name), None)
