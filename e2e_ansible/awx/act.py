"""What one job of the job template `e2e step` does: a step given by plain variables, as data for playbooks/step.yml.

AWX runs only playbooks that are in its project, so a step that is compiled to a playbook here is compiled there to
the hosts, roles and variables of one static playbook, by the same code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from e2e_ansible.awx.carried import Told, rows
from e2e_ansible.awx.clients import client_folder, integrity_node
from e2e_ansible.awx.loads import acted
from e2e_ansible.checks.base import Situation
from e2e_ansible.checks.registry import checks, evaluate
from e2e_ansible.errors import UsageError
from e2e_ansible.faults.ledger import ledger_path, read
from e2e_ansible.names import suggestion
from e2e_ansible.nodes.observation import NodeObservation, Observation
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.oracle.histories import Histories
from e2e_ansible.providers.home import default_home
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, Unsafe
from e2e_ansible.steps.client_plan import CONTROLLER, ClientPlan
from e2e_ansible.steps.drift import Drift
from e2e_ansible.steps.group import Composition
from e2e_ansible.steps.registry import step_types
from e2e_ansible.steps.sites import SiteStep
from e2e_ansible.steps.targets import nodes_with
from e2e_ansible.steps.validate import ValidateOptions
from e2e_ansible.steps.wait import Wait
from e2e_ansible.suite.model import StepOptions, TestEntry
from e2e_ansible.suite.reference import split_references

__all__ = ["COLLECT", "HEAL_OPEN", "RESULT", "Asked", "Registered", "hold", "read_step", "runnable"]

#: Steps that only workflows have: heal what is open at the end, bring logs of the nodes away, end a workflow as failed.
HEAL_OPEN, COLLECT, RESULT = "heal_open", "collect", "result"
_LABELS = ("database",)
_OURS = "e2e_ansible.steps."
_CONTROLLER = "localhost"
#: Roles that need the addresses of the nodes which they leave alone.
_MUST_KNOW_ALL = ("fault", "oracle_client", "load")
_INSTALL = "install"
_COMMAND, _LOOK, _WAIT = "plain_command", "observe", "await_node"
_FOLDER = "ansible.builtin.file"

Registered = Mapping[str, Mapping[str, Any]]


def _read(value: object) -> object:
    """Text is read as YAML or JSON. AWX turns text such as "5" or "" inside of a mapping into what YAML makes of it."""
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(value) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"this is neither YAML nor JSON: {error}") from error


_Mapping = Annotated[dict[str, Any], BeforeValidator(_read)]


class Asked(BaseModel):
    """The extra variables of a job. `options` are those of the step in a suite, `registered` is of earlier steps.

    `writer` says that rows are written from this step on, `away` names nodes that earlier steps took down.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    options: _Mapping = {}
    provider: str = "local"
    deployment: str = ""
    parameters: _Mapping = {}
    registered: _Mapping = {}
    writer: bool = False
    away: tuple[str, ...] = ()


def runnable() -> Mapping[str, StepType[Any]]:
    """The step types that playbooks/step.yml can run: those of this package, whose roles it knows."""
    return {
        name: kind
        for name, kind in step_types().items()
        if type(kind).__module__.startswith(_OURS)
        and not isinstance(kind, (Composition, Wait, Drift, SiteStep))
    }


def read_step(asked: Asked) -> dict[str, Any]:
    """The act of a step: `act` names the task file, `hosts` where it is done, `vars` the variables of its roles.

    `joins` says that the hosts are nodes of the deployment, `creates` that they are made first, `removes` that they go.
    `others` are nodes that must be known and have nothing done to them. `client` is the client to start or to stop.

    Raises:
        UsageError: an unknown step, option, node or check; the hint names the nearest right one.
    """
    entry = _entry(asked)
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
    options = _options(kind, asked)
    _refuse_unknown(kind, options, entry.labels)
    return _compiled(asked, entry, options, kind.compile(options, _context(entry, asked.away)))


def hold(
    asked: Asked,
    observations: Sequence[Mapping[str, Any]],
    at: float,
    nodes: Sequence[str] = (),
    told: Told | None = None,
) -> dict[str, Any]:
    """Hold the checks of a `validate` step against one look, as the judge of a run does.

    `nodes` are those expected, the first of them the primary; without any they follow from the size of the cluster.
    `told` is what is known of the clients. `held` is true when none of those that decide fails; `said` is a line for
    each.

    Raises:
        UsageError: as `read_step`.
        HarnessError: a history cannot be read.
    """
    told = told or Told()
    histories = Histories(client_folder(default_home(), asked.deployment))
    entry = _entry(asked)
    kind = runnable()[asked.step]
    options = _options(kind, asked)
    _refuse_unknown(kind, options, {})
    assert isinstance(options, ValidateOptions)
    expected = tuple(nodes) or entry.nodes
    seen = Situation(
        observation=Observation(
            at=at, nodes=tuple(NodeObservation.model_validate(each) for each in observations)
        ),
        expected={name: entry.labels.get(name, _LABELS) for name in expected},
        database=entry.parameters.database,
        primary=expected[0] if expected else "",
        acknowledged=rows(histories, told),
        histories=histories.at(told.sizes),
    )
    said, held = [told.trouble] * bool(told.trouble), not told.trouble
    for name in dict.fromkeys((*options.checks, *options.allow_failures)):
        outcome = evaluate(name, seen)
        word = {True: "holds", False: "does not hold", None: "is not decided"}[outcome.passed]
        held = held and (outcome.passed is True or name in options.allow_failures)
        said.append(f"{name} {word}: {outcome.message}")
    return {"held": held, "said": said}


def _entry(asked: Asked) -> TestEntry:
    try:
        entry = TestEntry.model_validate({"provider": asked.provider, "parameters": asked.parameters})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"e2e_parameters: {_words(first)}") from error
    if not entry.nodes and entry.parameters.database != "existing":
        raise UsageError("e2e_parameters: cluster_size: a cluster has a node at least")
    if entry.parameters.sites:
        # A job knows one cluster; it would make one of both sites.
        raise UsageError("tests with sites are not run by jobs of AWX", hint="e2e-ansible run SUITE")
    return entry


def _options(kind: StepType[Any], asked: Asked) -> StepOptions:
    try:
        return kind.options.model_validate({**asked.options, "step": asked.step})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
        known = [field.alias or name for name, field in kind.options.model_fields.items()]
        hint = suggestion(str(first["loc"][-1]), known) if first["type"] == "extra_forbidden" else ""
        raise UsageError(f"e2e_options of {asked.step}: {_words(first)}", hint=hint) from error


def _words(error: Mapping[str, Any]) -> str:
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def _refuse_unknown(kind: StepType[Any], options: StepOptions, labels: Mapping[str, Sequence[str]]) -> None:
    nodes = list(labels)
    for field, node in kind.node_names(options):
        if node not in nodes:
            raise UsageError(f"{field}: there is no node {node!r}", hint=suggestion(node, nodes))
    for _, name in kind.target_names(options):
        nodes_with(name, labels)
    known = checks()
    for field, _, text in kind.check_names(options):
        name = text.partition(":")[0]
        if name not in known:
            raise UsageError(f"{field}: there is no check {name!r}", hint=suggestion(name, known))


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
    found["registered"] = asked.registered
    found["folders"] = [task["path"] for name, task in tasks.items() if name == _FOLDER]
    found |= acted(made, _plain)
    found["client"] = _client(asked, entry, made)
    if installs and found["client"] and found["client"]["on"] not in made.hosts:
        found["hosts"] = [*found["hosts"], found["client"]["on"]]
    found["removes"] = made.removes_nodes
    if found["act"] in _MUST_KNOW_ALL or asked.step == _INSTALL:
        found["others"] = [node for node in entry.nodes if node not in found["hosts"]]
    found["register"] = made.judgement.register_as or ""
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
