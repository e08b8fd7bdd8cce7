"""A test as a workflow job template of AWX: a node for each step, and what follows when one does not pass.

Every node is a job of the one template `e2e step`. A step that passes leads to the next; one that does not leads to
the collection of logs, from there whatever comes of it to the clean-up, and at last to a job that fails, so that AWX
shows the workflow as what it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from e2e_ansible.awx.act import COLLECT, RESULT, runnable
from e2e_ansible.checks.registry import is_built_in
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.content import content_root
from e2e_ansible.errors import Problem, SuiteError
from e2e_ansible.judge.attempt import checks_of
from e2e_ansible.suite.model import Keep, SourceRef, Step, Test

__all__ = [
    "CLEAN_UP",
    "CLEAN_UP_AFTER",
    "COLLECT_NODE",
    "RESULT_NODE",
    "STEP_TEMPLATE",
    "Node",
    "Workflow",
    "exported",
    "workflow_of",
]

STEP_TEMPLATE = "e2e step"
COLLECT_NODE, CLEAN_UP, CLEAN_UP_AFTER, RESULT_NODE = (
    "collect",
    "clean-up",
    "clean-up-after-failure",
    "result",
)
_MAKE_NODES = ("init", "deploy")
_OTHERWISE_SECONDS = {COLLECT_NODE: 300, CLEAN_UP: 1200, CLEAN_UP_AFTER: 1200, RESULT_NODE: 120}
#: AWX has its own work before and after the playbook: a project update, a container.
_AROUND_SECONDS = 30
_NOT_TOLD = {"step", "name", "description"}
_LONGEST_NAME = 512


@dataclass(frozen=True)
class Node:
    """One job of the workflow. `extra_data` are its variables, `timeout_seconds` is when AWX ends it."""

    identifier: str
    extra_data: Mapping[str, Any]
    timeout_seconds: int
    success: tuple[str, ...] = ()
    failure: tuple[str, ...] = ()
    always: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workflow:
    """A workflow job template. `variables` are given to all of its jobs, under those of each launch."""

    name: str
    description: str
    nodes: tuple[Node, ...]
    variables: Mapping[str, Any] = field(default_factory=dict)


def workflow_of(plan: Plan, test: Test, *, keep: Keep | None = None) -> Workflow:
    """The workflow of a compiled test. Pure but for the place of the suite in the project.

    Raises:
        SuiteError: steps or checks that AWX cannot do, each with its place in the suite and what it can do.
    """
    _refuse(plan, test)
    policy = keep or plan.keep
    variables: dict[str, Any] = {
        "e2e_provider": plan.provider,
        "e2e_parameters": _text(plan.parameters),
        "e2e_suite_folder": _suite_folder(plan.suite_file),
    }
    stem = Path(plan.suite_file).stem
    description = f"{plan.description or plan.name} ({plan.source.file})"
    return Workflow(
        name=f"e2e {stem}: {plan.name}"[:_LONGEST_NAME],
        description=description,
        nodes=(*_steps(plan, test, policy), *_afterwards(plan, policy)),
        variables=variables,
    )


def exported(workflows: Sequence[Workflow], *, organization: str) -> dict[str, Any]:
    """The workflows as arguments of the module awx.awx.workflow_job_template, which playbooks/awx_setup.yml calls."""
    return {"awx_workflows": [_arguments(each, organization) for each in workflows]}


def _arguments(workflow: Workflow, organization: str) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "description": workflow.description,
        "extra_vars": dict(workflow.variables),
        "ask_variables_on_launch": True,
        "allow_simultaneous": True,
        "workflow_nodes": [_node_arguments(node, organization) for node in workflow.nodes],
    }


def _node_arguments(node: Node, organization: str) -> dict[str, Any]:
    edges = {"success_nodes": node.success, "failure_nodes": node.failure, "always_nodes": node.always}
    template = {"name": STEP_TEMPLATE, "type": "job_template", "organization": {"name": organization}}
    return {
        "identifier": node.identifier,
        "unified_job_template": template,
        "extra_data": dict(node.extra_data),
        "timeout": node.timeout_seconds,
        "related": {key: [{"identifier": name} for name in names] for key, names in edges.items() if names},
    }


def _steps(plan: Plan, test: Test, keep: Keep) -> Iterator[Node]:
    ids = [step.id for step in plan.steps]
    failed = _after_failure(plan, keep)[0]
    last = (CLEAN_UP,) if _cleans_up(plan, keep) else ()
    for planned, written, following in zip(plan.steps, test.steps, [*ids[1:], ""], strict=True):
        yield Node(
            identifier=planned.id,
            extra_data={"e2e_step": planned.type, "e2e_options": _text(_options(written))},
            timeout_seconds=ceil(planned.deadline_seconds) + _AROUND_SECONDS,
            success=(following,) if following else last,
            failure=(failed,),
        )


def _text(value: Mapping[str, Any]) -> str:
    """As one text: inside of a mapping AWX would turn the text "5" into a number, and "" into nothing."""
    return json.dumps(value, ensure_ascii=False)


def _options(step: Step) -> dict[str, Any]:
    return step.options.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_NOT_TOLD)


def _afterwards(plan: Plan, keep: Keep) -> Iterator[Node]:
    """The nodes after the steps: a clean-up when all passed, and the way of failure."""
    if _cleans_up(plan, keep):
        yield _node(CLEAN_UP, "destroy")
    chain = _after_failure(plan, keep)
    steps = {COLLECT_NODE: COLLECT, CLEAN_UP_AFTER: "destroy", RESULT_NODE: RESULT}
    for name, following in zip(chain, [*chain[1:], ""], strict=True):
        yield _node(name, steps[name], always=(following,) if following else ())


def _node(identifier: str, step: str, always: tuple[str, ...] = ()) -> Node:
    return Node(identifier, {"e2e_step": step}, _OTHERWISE_SECONDS[identifier], always=always)


def _after_failure(plan: Plan, keep: Keep) -> list[str]:
    chain = [COLLECT_NODE] if _makes_nodes(plan) else []
    if _makes_nodes(plan) and keep == "never":
        chain.append(CLEAN_UP_AFTER)
    return [*chain, RESULT_NODE]


def _cleans_up(plan: Plan, keep: Keep) -> bool:
    return _makes_nodes(plan) and keep != "always" and not plan.steps[-1].removes_nodes


def _makes_nodes(plan: Plan) -> bool:
    return any(step.type in _MAKE_NODES for step in plan.steps)


def _suite_folder(suite: str) -> str:
    """The folder of the suite in the project, which is where its commands run; that of the project for another."""
    folder = Path(suite).resolve().parent
    root = content_root().resolve()
    return os.path.relpath(folder, root) if folder.is_relative_to(root) else "."


def _refuse(plan: Plan, test: Test) -> None:
    problems = [
        _problem(step.source, text, hint)
        for step, written in zip(plan.steps, test.steps, strict=True)
        for text, hint in _unable(step, written)
    ]
    if problems:
        raise SuiteError(problems)


def _problem(source: SourceRef, text: str, hint: str) -> Problem:
    return Problem(source.file, source.line, source.column, text, hint)


def _unable(step: PlannedStep, written: Step) -> Iterator[tuple[str, str]]:
    if written.type not in runnable():
        known = ", ".join(sorted(runnable()))
        yield f"AWX has no playbook for the step {written.type!r}", f"playbooks/step.yml does: {known}"
    for name in checks_of(step):
        if not is_built_in(name):
            yield f"the check {name!r} is code beside the suite, which AWX does not have", "e2e-ansible run"
    if step.judgement.needs_integrity:
        text = "data_integrity needs a client that writes from the first step to the last, and jobs have none"
        yield text, "leave it out of a suite for AWX, or use e2e-ansible run"
