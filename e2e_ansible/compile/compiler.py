"""One test to one plan: every step to a playbook, with what earlier steps mean for later ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from e2e_ansible.compile.flow import arrange
from e2e_ansible.compile.made import Made
from e2e_ansible.compile.plan import FlowStep, Plan, PlannedNode, PlannedStep
from e2e_ansible.compile.render import REGISTERED, entry, playbook_text, to_yaml, used_registers
from e2e_ansible.steps.base import Play, StepType, play
from e2e_ansible.steps.coverage import coverage_play
from e2e_ansible.steps.heal import heal_play
from e2e_ansible.suite.model import Suite, Test

__all__ = [
    "ANSIBLE_CFG",
    "COVERAGE_PLAYBOOK",
    "EVIDENCE_PLAYBOOK",
    "HEAL_PLAYBOOK",
    "INVENTORY",
    "NOTHING_REGISTERED",
    "REGISTERED_FILE",
    "compile_suite",
    "compile_test",
    "source_map",
]

INVENTORY = "inventory/nodes.e2e.yml"
REGISTERED_FILE = "registered.json"
NOTHING_REGISTERED = f'{{"{REGISTERED}": {{}}}}\n'
EVIDENCE_PLAYBOOK = "playbooks/collect-logs.yml"
COVERAGE_PLAYBOOK = "playbooks/collect-coverage.yml"
HEAL_PLAYBOOK = "playbooks/heal.yml"
ANSIBLE_CFG = """\
# For runs by hand, from this folder: E2E_DEPLOYMENT=NAME ansible-playbook playbooks/FILE
[defaults]
inventory = inventory/nodes.e2e.yml
roles_path = content/roles
library = content/plugins/modules
action_plugins = content/plugins/action
inventory_plugins = content/plugins/inventory
interpreter_python = /usr/bin/python3
retry_files_enabled = False
forks = 25

[inventory]
enable_plugins = e2e, ini, yaml

[ssh_connection]
pipelining = True
timeout = 5
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=3 -o ServerAliveCountMax=2
"""
_SECTIONS = ("pre_tasks", "roles", "tasks", "post_tasks", "handlers")
_BLOCKS = ("block", "rescue", "always")


def compile_suite(
    suite: Suite, step_types: Mapping[str, StepType[Any]], *, content_digest: str = ""
) -> tuple[Plan, ...]:
    """Every test of a suite, in order."""
    return tuple(compile_test(suite, test, step_types, content_digest=content_digest) for test in suite.tests)


def compile_test(
    suite: Suite, test: Test, step_types: Mapping[str, StepType[Any]], *, content_digest: str = ""
) -> Plan:
    """One test. Pure: the same suite gives the same bytes, whatever the clock, folder or machine."""
    labels = test.entry.labels
    entry = test.entry
    made, flow = arrange(test, labels, step_types)
    texts = {item.id: _playbook(test, item) for item in made}
    return Plan(
        name=test.name,
        provider=entry.provider,
        description=entry.description,
        suite_file=test.source.file,
        suite_digest=suite.digest,
        nodes=tuple(PlannedNode(name=node, labels=labels[node]) for node in test.nodes),
        database=entry.parameters.database,
        primary=test.primary,
        contexts=test.contexts,
        admin_ui=entry.parameters.admin_ui,
        writer=_wants_writer(made),
        keep=entry.keep,
        time_class=entry.time_class or "",
        requirements=entry.requirements,
        parameters=entry.parameters.model_dump(mode="json", exclude_none=True),
        source=test.source,
        steps=tuple(_planned(index, item, texts[item.id]) for index, item in enumerate(made, start=1)),
        flow=flow if any(not isinstance(item, FlowStep) or item.needs is not None for item in flow) else (),
        content_digest=content_digest,
        files=_files(test, labels, {_playbook_path(step): text for step, text in texts.items()})
        | (_healing(test) if any(item.compiled.faults for item in made) else {})
        | _coverage(test),
    )


def _wants_writer(made: Sequence[Made]) -> bool:
    return any(item.compiled.needs_writer for item in made)


def _planned(index: int, made: Made, text: str) -> PlannedStep:
    compiled, options = made.compiled, made.step.options
    return PlannedStep(
        index=index,
        id=made.id,
        type=made.step.type,
        description=made.description,
        playbook=_playbook_path(made.id),
        hosts=compiled.hosts,
        deadline_seconds=options.timeout_seconds or compiled.deadline_seconds,
        replay=compiled.replay,
        source=made.step.source,
        lines=source_map(text, compiled.plays),
        judgement=compiled.judgement.model_copy(update={"away": made.away}),
        starts_writer=compiled.starts_writer,
        removes_nodes=compiled.removes_nodes,
        when=made.when,
        background=options.background,
        watch=made.step.watch,
        precondition=made.step.precondition,
        client=compiled.client,
        unchanged=compiled.unchanged,
        phase=made.phase,
    )


def _playbook_path(step_id: str) -> str:
    return f"playbooks/{step_id}.yml"


def source_map(text: str, plays: Sequence[Play]) -> dict[str, int]:
    """Line of the first play, task or role of each name in a generated playbook, counted from 1."""
    wanted = dict(_entries(plays, ""))
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if line in wanted:
            lines.setdefault(wanted[line], number)
    return lines


def _entries(items: Iterable[Mapping[str, Any]], pad: str) -> Iterator[tuple[str, str]]:
    """The first line of each play, role and task, and its name; `pad` tells it from text that looks like one."""
    for item in items:
        key = next(iter(item))
        if key in ("name", "role"):
            yield f"{pad}{entry(key, item[key])}", item[key]
        for section in (*_SECTIONS, *_BLOCKS):
            yield from _entries(item.get(section, ()), f"{pad}    ")


def _files(test: Test, labels: Mapping[str, tuple[str, ...]], playbooks: Mapping[str, str]) -> dict[str, str]:
    inventory = {
        "plugin": "e2e",
        "provider": test.entry.provider,
        "nodes": [{"name": node, "labels": list(labels[node])} for node in test.nodes],
    }
    files = {
        "ansible.cfg": ANSIBLE_CFG,
        INVENTORY: to_yaml(inventory),
        REGISTERED_FILE: NOTHING_REGISTERED,
    }
    evidence = {EVIDENCE_PLAYBOOK: _evidence_playbook(test)} if test.nodes else {}
    return {**files, **evidence, **playbooks}


def _evidence_playbook(test: Test) -> str:
    """Run before the nodes are removed whenever a step did not pass."""
    destination = "{{ lookup('ansible.builtin.env', 'E2E_EVIDENCE', default='evidence') }}"
    role = {"role": "collect_logs", "vars": {"collect_logs_dest": destination}}
    header = [f"{test.name}: logs and state of all nodes, into the folder E2E_EVIDENCE"]
    plays = [play("Collect the logs", test.nodes, become=True, roles=[role])]
    return playbook_text(header, _by_hand(EVIDENCE_PLAYBOOK), plays)


def _healing(test: Test) -> dict[str, str]:
    """Run after the steps whenever a fault is open, and by the command `heal`."""
    header = [f"{test.name}: heal all faults that are open"]
    return {HEAL_PLAYBOOK: playbook_text(header, _by_hand(HEAL_PLAYBOOK), [heal_play(test.nodes)])}


def _coverage(test: Test) -> dict[str, str]:
    """Run before the nodes are removed, whatever the steps came to."""
    options = test.entry.parameters.coverage
    if options is None:
        return {}
    header = [f"{test.name}: coverage of all nodes, into the folder E2E_COVERAGE"]
    plays = [coverage_play(options, test.nodes)]
    return {COVERAGE_PLAYBOOK: playbook_text(header, _by_hand(COVERAGE_PLAYBOOK), plays)}


def _playbook(test: Test, made: Made) -> str:
    compiled = made.compiled
    registers = sorted(used_registers(compiled.plays))
    plays = [_with_registered(each) for each in compiled.plays] if registers else compiled.plays
    header = _header(test, made, registers)
    # What was observed is in the result of the task, which Ansible shows only when asked.
    command = _by_hand(_playbook_path(made.id), *(("-v",) if compiled.judgement.observes else ()))
    return playbook_text(header, command, plays)


def _with_registered(made: Play) -> Play:
    """The play with the file of registered output where its text refers to it, before what it does."""
    if not used_registers(made):
        return made
    files = [*made.get("vars_files", ()), f"../{REGISTERED_FILE}"]
    does = {key: made[key] for key in _SECTIONS if key in made}
    head = {key: item for key, item in made.items() if key not in does}
    return {**head, "vars_files": files, **does}


def _header(test: Test, made: Made, registers: Sequence[str]) -> Iterator[str]:
    judgement = made.compiled.judgement
    description = f": {made.description}" if made.description else ""
    yield f"{test.name}, step {made.id}{description}"
    yield f"From {made.step.source}"
    if judgement.checks:
        yield f"Judged by e2e-ansible from what is observed: {', '.join(judgement.checks)}"
    if judgement.allow_failures:
        yield f"Recorded, but allowed to fail: {', '.join(judgement.allow_failures)}"
    if judgement.register_as:
        yield f"A run keeps the output as {judgement.register_as} in {REGISTERED_FILE}"
    if registers:
        yield f"Needs the output of {', '.join(registers)} in {REGISTERED_FILE}"


def _by_hand(*words: str) -> str:
    return f"E2E_DEPLOYMENT=NAME ansible-playbook {' '.join(words)}"
