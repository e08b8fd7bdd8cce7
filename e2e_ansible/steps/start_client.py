"""`start_client`: begin a load whose every operation is noted, on the controller or on a node."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from e2e_ansible.errors import UsageError
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, StepType, play
from e2e_ansible.steps.client_plan import CONTROLLER, ClientPlan
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.suite.model import Name, StepOptions

__all__ = ["LABEL", "StartClient", "StartClientOptions", "place_of"]

LABEL = "client"
"""What nodes are labelled that only drive load; as a place it means the first of them."""

_DIRECT = "hosts"
_ADDRESS = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*):(\d{1,5})")
_LAST_PORT = 65_535
_SETTINGS = (
    "workload",
    "rate",
    "concurrency",
    "reads",
    "accounts",
    "keys",
    "isolation",
    "synchronous_commit",
    "seed",
    "statement_timeout_seconds",
    "connect_timeout_seconds",
)
_UNUSED = {
    "append": ("accounts", "keys", "isolation"),
    "bank": ("keys",),
    "register": ("accounts", "isolation"),
    "list-append": ("accounts",),
}
_STEP_SECONDS = 600


class StartClientOptions(StepOptions):
    """A client of its own name, with a history of its own."""

    client: Name = Field(
        description="Name of the client, for checks such as no_lost_rows:NAME and for stop_client"
    )
    workload: Literal["append", "bank", "register", "list-append"] = Field(
        "append", description="What it does: rows, transfers, registers, or lists in the shape of Elle"
    )
    rate: float = Field(
        20, ge=0.01, le=5000, description="Operations per second, whether they are answered or not"
    )
    concurrency: int = Field(4, ge=1, le=64, description="Connections that share the operations")
    reads: float = Field(0.2, ge=0, le=1, description="Share of the operations that only read")
    place: str = Field(
        CONTROLLER,
        description="Where it lives: controller, client (the first node with that label), or a node",
    )
    via: str = Field(
        _DIRECT,
        description="hosts: every database node until one takes writes; else HOST:PORT of a proxy or node",
    )
    accounts: int = Field(8, ge=2, le=1000, description="Of workload bank: number of accounts")
    keys: int = Field(
        4, ge=1, le=1000, description="Of register and list-append: number of registers or lists"
    )
    isolation: Literal["read committed", "repeatable read", "serializable"] = Field(
        "serializable", description="Isolation of the transactions of bank and list-append"
    )
    synchronous_commit: Literal["", "on", "off", "local", "remote_write", "remote_apply"] = Field(
        "", description="What its sessions set; empty: what the server has"
    )
    seed: int = Field(0, ge=0, description="Seed of what is drawn by chance")
    statement_timeout_seconds: float = Field(
        3, ge=0.1, le=600, description="After so long an answer is not awaited"
    )
    connect_timeout_seconds: float = Field(
        2, ge=0.1, le=600, description="Longest time to connect to one host"
    )

    @field_validator("client")
    @classmethod
    def _not_the_implicit_one(cls, value: str) -> str:
        if value == INTEGRITY:
            raise ValueError(
                f"{INTEGRITY} is the client that data_integrity starts by itself; choose another name"
            )
        return value

    @field_validator("via")
    @classmethod
    def _known_way(cls, value: str) -> str:
        found = _ADDRESS.fullmatch(value)
        if value != _DIRECT and not (found and 0 < int(found[2]) <= _LAST_PORT):
            raise ValueError(f"{value!r} is neither {_DIRECT} nor HOST:PORT, such as n11:5000")
        return value


class StartClient(StepType[StartClientOptions]):
    """Start a client."""

    name = "start_client"
    summary = "Start a client that does operations at a rate and notes what came of each"
    options = StartClientOptions

    def node_names(self, options: StartClientOptions) -> Sequence[tuple[str, str]]:
        """The node that it lives on, if it is one by name."""
        return [] if options.place in (CONTROLLER, LABEL) else [("place", options.place)]

    def compile(self, options: StartClientOptions, context: CompileContext) -> CompiledStep:
        """The role `oracle_client` on a node; on the controller the run itself starts the process."""
        client = _plan(options, context)
        here = client.on == CONTROLLER
        return CompiledStep(
            plays=[_on_controller(client) if here else _on_node(client)],
            hosts=("localhost",) if here else (client.on,),
            deadline_seconds=_STEP_SECONDS,
            replay=Replay.VERIFY_FIRST,
            client=client,
        )


def place_of(place: str, context: CompileContext) -> str:
    """`controller` or the node that is meant.

    Raises:
        UsageError: no node has the label `client`.
    """
    if place != LABEL:
        return place
    labelled = [node for node in context.nodes if LABEL in context.labels.get(node, ())]
    if not labelled:
        raise UsageError(
            "place: client needs a node with that label", hint="set the parameter clients to 1 or more"
        )
    return labelled[0]


def _plan(options: StartClientOptions, context: CompileContext) -> ClientPlan:
    unused = _UNUSED[options.workload]
    given = {name: getattr(options, name) for name in _SETTINGS if name not in unused}
    databases = [node for node in context.nodes if "database" in context.labels.get(node, ())]
    if context.parameters.database == "standalone":
        databases = [context.primary]
    if found := _ADDRESS.fullmatch(options.via):
        databases, given["port"] = [found[1]], int(found[2])
    return ClientPlan(
        act="start",
        name=options.client,
        on=place_of(options.place, context),
        hosts=tuple(databases),
        settings={name: value for name, value in given.items() if value != ""},
    )


def _on_node(client: ClientPlan) -> Play:
    variables: dict[str, Any] = {
        "oracle_client_name": client.name,
        "oracle_client_hosts": list(client.hosts),
        "oracle_client_settings": dict(client.settings),
    }
    roles = [{"role": "oracle_client", "vars": variables}]
    return play(f"Start the client {client.name} on {client.on}", (client.on,), become=True, roles=roles)


def _on_controller(client: ClientPlan) -> Play:
    """A run keeps the process as its child, so that it ends with the run; a playbook cannot."""
    settings = " ".join(f"{name}={value}" for name, value in client.settings.items())
    task = {
        "name": f"Say what a run does after this play: it starts the client {client.name} as its own process",
        "ansible.builtin.debug": {
            "msg": [
                f"By hand write a file of mode 0600 with hosts ({', '.join(client.hosts)}), history, {settings}",
                "and start: python -m e2e_ansible.oracle.client --config FILE",
            ]
        },
    }
    return play(f"Start the client {client.name}", "localhost", connection="local", tasks=[task])
