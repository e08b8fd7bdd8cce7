"""One test to one plan: every step to a playbook, with what earlier steps mean for later ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2e_ansible.compile.plan import Plan, PlannedNode, PlannedStep
from e2e_ansible.compile.render import REGISTERED, playbook_text, to_yaml, uses_registered
from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, StepType, play
from e2e_ansible.suite.model import Step, Suite, Test

__all__ = [
    "ANSIBLE_CFG",
    "EVIDENCE_PLAYBOOK",
    "INVENTORY",
    "REGISTERED_FILE",
    "compile_suite",
    "compile_test",
    "source_map",
]

INVENTORY = "inventory/nodes.e2e.yml"
REGISTERED_FILE = "registered.json"
EVIDENCE_PLAYBOOK = "playbooks/collect-logs.yml"
ANSIBLE_CFG = """\
# For runs by hand, from this folder: E2E_DEPLOYMENT=NAME ansible-playbook playbooks/01-init.yml
[defaults]
inventory = inventory/nodes.e2e.yml
roles_path = content/roles
library = content/plugins/modules
action_plugins = content/plugins/action
inventory_plugins = content/plugins/inventory
interpreter_python = /usr/bin/python3
retry_files_enabled = False

[inventory]
enable_plugins = e2e, ini, yaml

[ssh_connection]
pipelining = True
timeout = 5
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=3 -o ServerAliveCountMax=2
"""
DATABASE_LABEL = "database"
_NAMED = re.compile(r"\s*- (?:name|role): (.+)")
_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class _Made:
    step: Step
    id: str
    compiled: CompiledStep
    away: tuple[str, ...]
    text: str

    @property
    def path(self) -> str:
        return _playbook_path(self.id)


def compile_suite(
    suite: Suite, step_types: Mapping[str, StepType[Any]], *, content_digest: str = ""
) -> tuple[Plan, ...]:
    """Every test of a suite, in order."""
    return tuple(compile_test(suite, test, step_types, content_digest=content_digest) for test in suite.tests)


def compile_test(
    suite: Suite, test: Test, step_types: Mapping[str, StepType[Any]], *, content_digest: str = ""
) -> Plan:
    """One test. Pure: the same suite gives the same bytes, whatever the clock, folder or machine."""
    labels = dict.fromkeys(test.nodes, (DATABASE_LABEL,))
    made = _compile_steps(test, labels, step_types)
    entry = test.entry
    return Plan(
        name=test.name,
        provider=entry.provider,
        description=entry.description,
        suite_file=test.source.file,
        suite_digest=suite.digest,
        nodes=tuple(PlannedNode(name=node, labels=labels[node]) for node in test.nodes),
        database=entry.parameters.database,
        primary=test.nodes[0],
        admin_ui=entry.parameters.admin_ui,
        writer=_wants_writer(made),
        keep=entry.keep,
        requirements=entry.requirements,
        parameters=entry.parameters.model_dump(mode="json", exclude_none=True),
        source=test.source,
        steps=tuple(_planned(index, item) for index, item in enumerate(made, start=1)),
        content_digest=content_digest,
        files=_files(test, labels, made),
    )


def _compile_steps(
    test: Test, labels: Mapping[str, tuple[str, ...]], step_types: Mapping[str, StepType[Any]]
) -> list[_Made]:
    made: list[_Made] = []
    away: tuple[str, ...] = test.nodes
    width = max(2, len(str(len(test.steps))))
    for index, step in enumerate(test.steps, start=1):
        context = CompileContext(
            provider=test.entry.provider,
            nodes=test.nodes,
            labels=labels,
            parameters=test.entry.parameters,
            primary=test.nodes[0],
            away=away,
        )
        compiled = step_types[step.type].compile(step.options, context)
        suffix = _NOT_IN_FILE_NAMES.sub("-", step.options.name or step.type).strip("-")
        step_id = f"{index:0{width}d}-{suffix}"
        made.append(_Made(step, step_id, compiled, away, _playbook(test, step, step_id, compiled)))
        gone = {*away, *compiled.takes_away} - set(compiled.brings_back)
        away = tuple(node for node in test.nodes if node in gone)
    return made


def _wants_writer(made: Sequence[_Made]) -> bool:
    checks = (check for item in made for check in item.compiled.judgement.checks)
    return any(check.partition(":")[0] == "data_integrity" for check in checks)


def _planned(index: int, made: _Made) -> PlannedStep:
    compiled, options = made.compiled, made.step.options
    return PlannedStep(
        index=index,
        id=made.id,
        type=made.step.type,
        description=options.description,
        playbook=made.path,
        hosts=compiled.hosts,
        deadline_seconds=options.timeout_seconds or compiled.deadline_seconds,
        replay=compiled.replay,
        source=made.step.source,
        lines=source_map(made.text),
        judgement=compiled.judgement.model_copy(update={"away": made.away}),
        starts_writer=compiled.starts_writer,
        removes_nodes=compiled.removes_nodes,
    )


def _playbook_path(step_id: str) -> str:
    return f"playbooks/{step_id}.yml"


def source_map(text: str) -> dict[str, int]:
    """Line of the first `- name:` or `- role:` of each name in a generated playbook, counted from 1."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        found = _NAMED.match(line)
        if found:
            lines.setdefault(found.group(1).strip('"'), number)
    return lines


def _files(test: Test, labels: Mapping[str, tuple[str, ...]], made: Sequence[_Made]) -> dict[str, str]:
    inventory = {
        "plugin": "e2e",
        "provider": test.entry.provider,
        "nodes": [{"name": node, "labels": list(labels[node])} for node in test.nodes],
    }
    files = {
        "ansible.cfg": ANSIBLE_CFG,
        INVENTORY: to_yaml(inventory),
        REGISTERED_FILE: f'{{"{REGISTERED}": {{}}}}\n',
        EVIDENCE_PLAYBOOK: _evidence_playbook(test),
    }
    return {**files, **{item.path: item.text for item in made}}


def _evidence_playbook(test: Test) -> str:
    """Run before the nodes are removed whenever a step did not pass."""
    destination = "{{ lookup('ansible.builtin.env', 'E2E_EVIDENCE', default='evidence') }}"
    role = {"role": "collect_logs", "vars": {"collect_logs_dest": destination}}
    header = [f"{test.name}: logs and state of all nodes, into the folder E2E_EVIDENCE"]
    return playbook_text(header, [play("Collect the logs", test.nodes, roles=[role])])


def _playbook(test: Test, step: Step, step_id: str, compiled: CompiledStep) -> str:
    plays = [_with_registered(made) for made in compiled.plays]
    return playbook_text(_header(test, step, step_id, compiled.judgement.checks), plays)


def _with_registered(made: Play) -> Play:
    return {**made, "vars_files": [f"../{REGISTERED_FILE}"]} if uses_registered(made) else made


def _header(test: Test, step: Step, step_id: str, checks: Sequence[str]) -> list[str]:
    title = f"{test.name}, step {step_id}"
    if step.options.description:
        title += f": {step.options.description}"
    lines = [title, f"From {step.source}"]
    if checks:
        lines.append(f"Judged by e2e-ansible from the observation: {', '.join(checks)}")
    lines.append(
        f"By hand, from the plan folder: E2E_DEPLOYMENT=NAME ansible-playbook {_playbook_path(step_id)}"
    )
    return lines
