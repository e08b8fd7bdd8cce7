"""What one job of the job template `e2e step` does: a step given by plain variables, as data for playbooks/step.yml.

AWX runs only playbooks that are in its project, so a step that is compiled to a playbook here is compiled there to
the hosts, roles and variables of one static playbook, by the same code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from e2e_ansible.awx.artifacts import OUTPUT, artifact
from e2e_ansible.awx.clients import integrity_node
from e2e_ansible.awx.job_variables import Asked, Registered, entry_of, options_of, refuse_unknown, runnable
from e2e_ansible.awx.loads import acted
from e2e_ansible.errors import UsageError
from e2e_ansible.faults.ledger import ledger_path, read
from e2e_ansible.names import suggestion
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.providers.home import default_home
from e2e_ansible.steps.base import CompileContext, CompiledStep, Unsafe
from e2e_ansible.steps.client_plan import CONTROLLER, ClientPlan
from e2e_ansible.suite.model import StepOptions, TestEntry
from e2e_ansible.suite.reference import split_references

__all__ = ["COLLECT", "HEAL_OPEN", "RESULT", "read_step"]

#: Steps that only workflows have: heal what is open at the end, bring logs of the nodes away, end a workflow as failed.
HEAL_OPEN, COLLECT, RESULT = "heal_open", "collect", "result"
_CONTROLLER = "localhost"
#: Roles that need the addresses of the nodes which they leave alone.
_MUST_KNOW_ALL = ("fault", "oracle_client", "load")
_INSTALL = "install"
_COMMAND, _LOOK, _WAIT = "plain_command", "observe", "await_node"
_FOLDER = "ansible.builtin.file"


def read_step(asked: Asked) -> dict[str, Any]:
    """The act of a step: `act` names the task file, `hosts` where it is done, `vars` the variables of its roles.

    `joins` says that the hosts are nodes of the deployment, `creates` that they are made first, `removes` that they go.
    `others` are nodes that must be known and have nothing done to them. `client` is the client to start or to stop,
    `output` the name of what the step returns and of the artifact that hands it on.

    Raises:
        UsageError: an unknown step, option, node or check; the hint names the nearest right one.
    """
    entry = entry_of(asked)
    if asked.step == COLLECT:
        return _act("collect_logs", entry.nodes, joins=True)
    if asked.step == HEAL_OPEN:
        return _heal_open(asked, entry)
    if asked.step == RESULT:
        return _act("result", (_CONTROLLER,))
    types = runnable()
    if asked.step not in types:
        raise UsageError(f"there is no step {asked.step!r}", hint=suggestion(asked.step, types))
    kind = types[asked.step]
    options = options_of(kind, asked)
    refuse_unknown(kind, options, entry.labels)
    return _compiled(asked, entry, options, kind.compile(options, _context(entry, asked.away)))


def _context(entry: TestEntry, away: tuple[str, ...]) -> CompileContext:
    labels = entry.labels
    return CompileContext(
        provider=entry.provider,
        nodes=entry.nodes,
        labels=labels,
        parameters=entry.parameters,
        primary="" if entry.parameters.database == "existing" else entry.nodes[0],
        away=away,
    )


def _compiled(asked: Asked, entry: TestEntry, options: StepOptions, made: CompiledStep) -> dict[str, Any]:
    if made.unchanged:
        raise UsageError(
            f"step {asked.step!r} looks for changes, which no job of AWX can do", hint="e2e-ansible run SUITE"
        )
    roles = [role for play in made.plays for role in play.get("roles", ())]
    told = [*made.plays, *roles]
    variables = {key: _plain(item) for each in told for key, item in each.get("vars", {}).items()}
    creates = len(made.plays) > 1 and bool(variables.get("provision_state"))
    if "provision_state" in variables:
        variables["provision_deployment"] = asked.deployment
    tasks = {key: task[key] for play in made.plays for task in play.get("tasks", ()) for key in task}
    installs = creates or asked.step == _INSTALL
    act = "deploy" if installs else roles[0]["role"] if roles else asked.step
    found = _act(act, made.hosts, joins=made.hosts != (_CONTROLLER,), creates=creates)
    found["vars"] = variables
    found["roles"] = [role["role"] for role in roles]
    found["wait"] = tasks.get(_WAIT, {})
    found["look"] = tasks.get(_LOOK, {})
    found["command"] = _command(tasks.get(_COMMAND, {}), asked.registered)
    found["folders"] = [task["path"] for name, task in tasks.items() if name == _FOLDER]
    found |= acted(made, _plain)
    found["client"] = _client(asked, entry, made)
    if installs and found["client"] and found["client"]["on"] not in made.hosts:
        found["hosts"] = [*found["hosts"], found["client"]["on"]]
    found["removes"] = made.removes_nodes
    if found["act"] in _MUST_KNOW_ALL or asked.step == _INSTALL:
        found["others"] = [node for node in entry.nodes if node not in found["hosts"]]
    name = made.judgement.register_as
    found["output"] = {"name": name, "artifact": artifact(OUTPUT, asked.step_id or name)} if name else {}
    found["attempts"] = made.judgement.retry.max_attempts
    found["delay_seconds"] = made.judgement.retry.delay_seconds
    return found


def _act(act: str, hosts: Sequence[str], *, joins: bool = False, creates: bool = False) -> dict[str, Any]:
    return {
        "act": act,
        "hosts": list(hosts),
        "others": [],
        "joins": joins,
        "creates": creates,
        "removes": False,
        "if_there": False,
        "client": {},
        "output": {},
        "vars": {},
    }


def _heal_open(asked: Asked, entry: TestEntry) -> dict[str, Any]:
    """Heal what the ledger of the deployment says is open, on the nodes that are still there."""
    records = read(ledger_path(os.environ, default_home(), asked.deployment))
    hosts = tuple(dict.fromkeys(record.node for record in records if record.open))
    others = [node for node in entry.nodes if node not in hosts] if hosts else []
    found = _act("fault", hosts, joins=True)
    return {**found, "others": others, "if_there": True, "vars": {"fault_phase": "heal"}}


def _client(asked: Asked, entry: TestEntry, made: CompiledStep) -> dict[str, Any]:
    """The client that the step starts or stops; the implicit one begins with the step that makes the cluster.

    Raises:
        UsageError: it would live on the controller.
    """
    client = made.client
    if client is not None and client.on == CONTROLLER:
        raise UsageError(
            f"the client {client.name} would live on the controller, and end with this job",
            hint="say place: client, or name a node",
        )
    if client is None and made.starts_writer and asked.writer:
        labels = entry.labels
        databases = tuple(node for node in entry.nodes if "database" in labels[node])
        alone = entry.parameters.database == "standalone"
        hosts = databases[:1] if alone else databases
        client = ClientPlan(act="start", name=INTEGRITY, on=integrity_node(labels), hosts=hosts)
    return client.model_dump(mode="json") if client is not None else {}


def _plain(value: object) -> object:
    """The value without the marks that only the text of a playbook needs."""
    if isinstance(value, Unsafe):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _command(arguments: Mapping[str, Any], registered: Registered) -> dict[str, Any]:
    """The arguments of `plain_command` with the output of earlier steps in their places."""
    if not arguments:
        return {}
    words = [_filled(word, registered) if isinstance(word, Unsafe) else word for word in arguments["argv"]]
    return {"argv": words, "timeout_seconds": arguments["timeout_seconds"]}


def _filled(text: str, registered: Registered) -> str:
    parts = [part if isinstance(part, str) else (part.step, part.field) for part in split_references(text)]
    return "".join(part if isinstance(part, str) else _output(registered, *part) for part in parts)


def _output(registered: Registered, step: str, field: str) -> str:
    if step not in registered:
        hint = suggestion(step, registered) or "steps give their output to later jobs of the same workflow"
        raise UsageError(f"no earlier step has registered {step!r}", hint=hint)
    if field != "json":
        return str(registered[step].get(field, ""))
    try:
        return json.dumps(json.loads(str(registered[step].get("stdout", ""))))
    except ValueError as error:
        raise UsageError(f"the output of {step!r} is no JSON: {error}") from error
