"""What all steps that run a load tool share: where it runs, which database it finds, what it must keep to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from math import ceil
from typing import Any

from pydantic import Field, field_validator

from e2e_ansible.errors import UsageError
from e2e_ansible.load.limits import LoadLimits
from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, Unsafe, play
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.steps.targets import nodes_with
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.verdict import Cause

__all__ = [
    "CONTROLLER",
    "LoadLimits",
    "LoadStepOptions",
    "LoadTask",
    "load_step",
    "place_of",
]

CONTROLLER = "controller"
_CLIENT = "client"
_DATABASE = "database"
_HOSTS, _PROXY = "hosts", "proxy"
_PORT, _PROXY_PORT, _LAST_PORT = 5432, 5000, 65_535
_USER = "e2e"
_LATER_SECONDS = 30  # what a tool takes beside its load: to connect, to end
_AROUND_SECONDS = 60  # what the play takes beside its tools
_CREATE_SECONDS = 60
_ADDRESS = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
_DATABASE_NAME = r"^[a-z_][a-z0-9_]{0,62}$"
_SUITE_FOLDER = "{{ lookup('ansible.builtin.env', 'E2E_SUITE_FOLDER', default=playbook_dir) }}"

#: On a node that takes no writes there is nothing to do. Two steps may be at it at the same time.
_CREATE = """\
sql() { (cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -p "$port" -d postgres -c "$1"); }
name=$1 user=$2 port=$3 tries=0
while :; do
  found=$(sql "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica'
    WHEN EXISTS (SELECT FROM pg_database WHERE datname = '$name') THEN 'there' ELSE 'missing' END") || exit 1
  [ "$found" = missing ] || exit 0
  sql "CREATE DATABASE \\"$name\\" OWNER \\"$user\\"" && exit 0
  tries=$((tries + 1))
  [ "$tries" -lt 5 ] || exit 1
  sleep 1
done
"""


class LoadStepOptions(StepOptions):
    """What every load step may say."""

    on: str = Field(
        "",
        description="Where the tool runs: controller, a node, or a label, whose first node is meant. By default the "
        "first node that only drives load, else the first with a database",
    )
    via: str = Field(
        _HOSTS,
        description="hosts: all database nodes, of which the one that takes writes is used; proxy: HAProxy on port "
        "5000 of them; or HOST:PORT, an IPv6 address in brackets",
    )
    database: str = Field(
        "load",
        pattern=_DATABASE_NAME,
        description="Name of the database, which is created where it is missing",
    )
    limits: LoadLimits = Field(
        LoadLimits.model_validate({}), description="What it must keep to, else the step fails"
    )

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The node or label that it names, for `StepType.target_names`."""
        return (("on", self.on),) if self.on not in ("", CONTROLLER) else ()

    @field_validator("via")
    @classmethod
    def _known_way(cls, value: str) -> str:
        if value not in (_HOSTS, _PROXY) and _place(value) is None:
            text = f"{value!r} is neither {_HOSTS} nor {_PROXY} nor HOST:PORT, such as n11:5000 or [fd00::1]:6432"
            raise ValueError(text)
        return value


@dataclass(frozen=True)
class LoadTask:
    """One run of a program by the action `load`; see `plugins/modules/load.py` for what its fields are.

    `seconds` is how long it may take on the node; it is ended after that. `argv`, `env` and `files` are texts of a
    user, which no template is made of; `@URL@` and its like in them stand for the address of the database. `copies`
    are files beside the suite, `programs` modules of `e2e_ansible.load` that run on the node. One that does not
    `measure` must end with status 0, else the step has failed.
    """

    name: str
    tool: str
    argv: Sequence[str]
    seconds: float
    workload: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    keep: Sequence[str] = ()
    after: Sequence[str] = ()
    measure: bool = True
    artifacts: str = ""


def place_of(options: LoadStepOptions, context: CompileContext, label: str = _CLIENT) -> str:
    """`controller`, or the node that the tool runs on: by default the first with this label.

    Raises:
        UsageError: the test has neither such a node nor such a label.
    """
    if options.on == CONTROLLER:
        return CONTROLLER
    if options.on:
        return nodes_with(options.on, context.labels)[0]
    if found := [node for node in context.nodes if label in context.labels[node]]:
        return found[0]
    if not context.nodes:
        return CONTROLLER
    return context.primary or context.nodes[0]


def load_step(
    options: LoadStepOptions, context: CompileContext, tasks: Sequence[LoadTask], *, on: str | None = None
) -> CompiledStep:
    """The plays that make the database and run the tasks one after the other, where `on` or the options say.

    Raises:
        UsageError: there is no such place, or no database for it.
    """
    place = place_of(options, context) if on is None else on
    database = _database(options, context)
    plays = _creating(options, context)
    made = [_task(task, database) for task in tasks]
    here = place == CONTROLLER
    title = tasks[-1].name
    way: dict[str, Any] = {"connection": "local"} if here else {}
    run = play(title, "localhost" if here else (place,), tasks=made, **way)
    return CompiledStep(
        plays=[*plays, run],
        hosts=("localhost" if here else place,),
        deadline_seconds=_deadline(tasks) + (_CREATE_SECONDS if plays else 0),
        replay=Replay.NEVER,
        judgement=Judgement(failure_cause=Cause.PRODUCT, timeout_cause=Cause.PRODUCT, load=options.limits),
    )


def _deadline(tasks: Sequence[LoadTask]) -> float:
    return sum(_seconds(task) for task in tasks) + _AROUND_SECONDS


def _seconds(task: LoadTask) -> int:
    return ceil(task.seconds) + _LATER_SECONDS


def _task(task: LoadTask, database: Mapping[str, Any]) -> Mapping[str, Any]:
    given: dict[str, Any] = {
        "tool": task.tool,
        "argv": [Unsafe(word) for word in task.argv],
        "timeout_seconds": _seconds(task),
        "workload": Unsafe(task.workload),
        "env": {name: Unsafe(text) for name, text in task.env.items()},
        "files": {name: Unsafe(text) for name, text in task.files.items()},
        "copies": {name: Unsafe(text) for name, text in task.copies.items()},
        "copies_from": _SUITE_FOLDER if task.copies else "",
        "programs": dict(task.programs),
        "database": database,
        "keep": list(task.keep),
        "after": [Unsafe(word) for word in task.after],
        "artifacts": task.artifacts,
    }
    said = {name: value for name, value in given.items() if value}
    return {"name": task.name, "load": {**said, **({} if task.measure else {"measure": False})}}


# ---- the database


def _connection(context: CompileContext) -> Mapping[str, str] | None:
    """That of a database which the test has not made."""
    given = getattr(context.parameters, "connection", None)
    if given is None:
        return None
    return dict(given) if isinstance(given, Mapping) else given.model_dump(exclude_none=True)


def _database(options: LoadStepOptions, context: CompileContext) -> dict[str, Any]:
    """What `load/address.py` makes an address of."""
    if connection := _connection(context):
        return {"connection": dict(connection)}
    if found := _place(options.via):
        return _at([found[0]], found[1], options)
    nodes = _nodes(context)
    if not nodes:
        raise UsageError(
            "the load has no database: no node of this test has one", hint="set cluster_size to 1 or more"
        )
    if options.via == _PROXY and not getattr(context.parameters, "proxy", None):
        raise UsageError("via: proxy needs one", hint="write proxy: haproxy in the parameters of this test")
    return _at(nodes, _PROXY_PORT if options.via == _PROXY else _PORT, options)


def _place(text: str) -> tuple[str, int] | None:
    """Host and port of HOST:PORT, an IPv6 address without its brackets; None of anything else."""
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[2]) <= _LAST_PORT:
        return None
    host = found[1]
    if not host.startswith("["):
        return host, int(found[2])
    try:
        return str(IPv6Address(host[1:-1])), int(found[2])
    except ValueError:
        return None


def _at(hosts: Sequence[str], port: int, options: LoadStepOptions) -> dict[str, Any]:
    return {"hosts": list(hosts), "port": port, "user": _USER, "name": options.database}


def _nodes(context: CompileContext) -> tuple[str, ...]:
    """Those that may take writes: of two sites the ones of the first, without failover the primary alone."""
    databases = tuple(node for node in context.nodes if _DATABASE in context.labels[node])
    if context.contexts:
        return tuple(node for node in databases if context.contexts[0] in context.labels[node])
    if context.parameters.database == "patroni" or not context.primary:
        return databases
    return (context.primary,)


def _creating(options: LoadStepOptions, context: CompileContext) -> list[Play]:
    if _connection(context):
        return []
    nodes = [node for node in _nodes(context) if node not in context.away]
    if not nodes:
        return []
    argv = ["/bin/sh", "-c", Unsafe(_CREATE), "sh", options.database, _USER, str(_PORT)]
    task = {
        "name": f"Make the database {options.database} where writes are taken",
        "plain_command": {"argv": argv, "timeout_seconds": _CREATE_SECONDS},
    }
    return [play(f"Make the database {options.database}", nodes, become=True, tasks=[task])]
