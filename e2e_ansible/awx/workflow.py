"""A test as a workflow job template of AWX: a node for each step, and what follows when one does not pass.

Every node is a job of the one template `e2e step`. A step that passes leads to the next; one that does not leads to
the collection of logs, from there whatever comes of it to the clean-up, and at last to a job that fails, so that AWX
shows the workflow as what it is. A rescue comes before the logs are collected, as AWX has only one way of failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from math import ceil
from pathlib import Path
from typing import Any

from e2e_ansible.awx.act import COLLECT, HEAL_OPEN, RESULT
from e2e_ansible.awx.graph import Edges, edges
from e2e_ansible.awx.project import folder_in_project, inventory_in_project
from e2e_ansible.awx.refusal import refuse
from e2e_ansible.compile.bounds import in_time, most_seconds
from e2e_ansible.compile.made import played
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.model import Keep, Step, Test

__all__ = [
    "CLEAN_UP",
    "CLEAN_UP_AFTER",
    "COLLECT_NODE",
    "HEAL_AFTER",
    "HEAL_NODE",
    "RESULT_NODE",
    "STEP_TEMPLATE",
    "Node",
    "Workflow",
    "told_options",
    "workflow_of",
]

STEP_TEMPLATE = "e2e step"
COLLECT_NODE, CLEAN_UP, CLEAN_UP_AFTER, RESULT_NODE = (
    "collect",
    "clean-up",
    "clean-up-after-failure",
    "result",
)
HEAL_NODE, HEAL_AFTER = "heal", "heal-after-failure"
_INJECTS = "fault"
_MAKE_NODES = ("init", "deploy", "create_nodes")
_OTHERWISE_SECONDS = {
    HEAL_NODE: 600,
    HEAL_AFTER: 600,
    COLLECT_NODE: 300,
    CLEAN_UP: 1200,
    CLEAN_UP_AFTER: 1200,
    RESULT_NODE: 120,
}
#: AWX has its own work before and after the playbook: a project update, a container.
_AROUND_SECONDS = 30
_NOT_TOLD = {"step", "name", "description", "when", "background", "needs"}
#: A fault is healed by the name of its step.
_TOLD_BY_NAME = ("fault",)
_LONGEST_NAME = 512


@dataclass(frozen=True)
class Node:
    """One job of the workflow. `extra_data` are its variables, `timeout_seconds` is when AWX ends it, 0 for never.

    After jobs that ran at once, `all_parents_must_converge`: each of them has to lead here. It is a job of the
    template `e2e step`, or the workflow job of another `workflow`, by its name.
    """

    identifier: str
    extra_data: Mapping[str, Any]
    timeout_seconds: int
    success: tuple[str, ...] = ()
    failure: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    all_parents_must_converge: bool = False
    workflow: str = ""


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
    refuse(plan, test)
    policy = keep or plan.keep
    variables: dict[str, Any] = {
        "e2e_provider": plan.provider,
        "e2e_parameters": _text(_parameters(plan)),
        "e2e_suite_folder": folder_in_project(plan.suite_file),
    }
    stem = Path(plan.suite_file).stem
    description = f"{plan.description or plan.name} ({plan.source.file})"
    return Workflow(
        name=f"e2e {stem}: {plan.name}"[:_LONGEST_NAME],
        description=description,
        nodes=(*_steps(plan, test, policy), *_afterwards(plan, policy)),
        variables=variables,
    )


def _parameters(plan: Plan) -> Mapping[str, Any]:
    inventory = plan.parameters.get("inventory")
    if not inventory:
        return plan.parameters
    return {**plan.parameters, "inventory": inventory_in_project(plan.suite_file, str(inventory))}


def _steps(plan: Plan, test: Test, keep: Keep) -> Iterator[Node]:
    failed = _after_failure(plan, keep)[0]
    last = _after_success(plan, keep)[:1]
    planned = {step.id: step for step in plan.steps}
    written = dict(zip(planned, played(test.steps, step_types()), strict=True))
    jobs, _ = edges(plan.items, last, (failed,), _background(plan))
    bounded, first = in_time(plan), _first(jobs)
    for name in sorted(jobs, key=lambda name: (jobs[name].step != name, planned[jobs[name].step].index)):
        job = jobs[name]
        step = planned[job.step]
        yield Node(
            identifier=name,
            extra_data={
                **_variables(plan, step, written[step.id]),
                **({"e2e_time_class": plan.time_class} if step.id in bounded else {}),
                **(_requirements(plan) if name in first else {}),
            },
            timeout_seconds=_timeout(plan, step),
            success=job.success,
            failure=job.failure,
            always=job.always,
            all_parents_must_converge=job.converges,
        )


def _timeout(plan: Plan, step: PlannedStep) -> int:
    """When AWX ends the job, at the latest; the job itself ends its tasks when the time of the class is over."""
    return ceil(most_seconds(plan, step)) + _AROUND_SECONDS


def _first(jobs: Mapping[str, Edges]) -> frozenset[str]:
    """The jobs that begin with the workflow."""
    later = {name for job in jobs.values() for name in (*job.success, *job.failure, *job.always)}
    return frozenset(jobs) - later


def _requirements(plan: Plan) -> dict[str, Any]:
    """What the machine of the first jobs must have."""
    wanted = plan.requirements.model_dump(mode="json", exclude_defaults=True)
    return {"e2e_requirements": _text(wanted)} if wanted else {}


def _variables(plan: Plan, step: PlannedStep, written: Step) -> dict[str, Any]:
    """`e2e_step_id` is what faults are called after; with `e2e_writer` the job starts the client of data_integrity.

    `e2e_away` are nodes that are down on purpose: a job knows nothing of the steps before it.
    """
    found: dict[str, Any] = {
        "e2e_step": step.type,
        "e2e_step_id": step.id,
        "e2e_options": _text(told_options(written)),
    }
    if plan.writer and step.starts_writer:
        found["e2e_writer"] = True
    if step.judgement.load is not None and step.judgement.away:
        found["e2e_away"] = list(step.judgement.away)
    return found


def _text(value: Mapping[str, Any]) -> str:
    """As one text: inside of a mapping AWX would turn the text "5" into a number, and "" into nothing."""
    return json.dumps(value, ensure_ascii=False)


def told_options(step: Step) -> dict[str, Any]:
    """The options of a step as its job gets them: without what says nothing of what it does."""
    left = _NOT_TOLD - {"name"} if step.type in _TOLD_BY_NAME else _NOT_TOLD
    return step.options.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=left)


def _afterwards(plan: Plan, keep: Keep) -> Iterator[Node]:
    """The nodes after the steps: those when all passed, and the way of failure."""
    chain = _after_failure(plan, keep)
    good = _after_success(plan, keep)
    _, converges = edges(plan.items, tuple(good[:1]), (), _background(plan))
    steps = {HEAL_NODE: HEAL_OPEN, CLEAN_UP: "destroy"}
    for name, following in zip_longest(good, good[1:], fillvalue=""):
        failed = tuple(each for each in chain if each != HEAL_AFTER)[:1] if name == HEAL_NODE else ()
        node = _node(name, steps[name], success=(following,) if following else (), failure=failed)
        yield replace(node, all_parents_must_converge=converges and name == good[0])
    steps = {HEAL_AFTER: HEAL_OPEN, COLLECT_NODE: COLLECT, CLEAN_UP_AFTER: "destroy", RESULT_NODE: RESULT}
    for name, following in zip_longest(chain, chain[1:], fillvalue=""):
        yield _node(name, steps[name], always=(following,) if following else ())


def _node(
    identifier: str,
    step: str,
    *,
    success: tuple[str, ...] = (),
    failure: tuple[str, ...] = (),
    always: tuple[str, ...] = (),
) -> Node:
    variables = {"e2e_step": step}
    return Node(identifier, variables, _OTHERWISE_SECONDS[identifier], success, failure, always)


def _after_success(plan: Plan, keep: Keep) -> tuple[str, ...]:
    chain = (HEAL_NODE,) if _injects(plan) and not plan.steps[-1].removes_nodes else ()
    return (*chain, CLEAN_UP) if _cleans_up(plan, keep) else chain


def _after_failure(plan: Plan, keep: Keep) -> list[str]:
    chain = [HEAL_AFTER] if _injects(plan) else []
    chain += [COLLECT_NODE] if _makes_nodes(plan) else []
    if _makes_nodes(plan) and keep == "never":
        chain.append(CLEAN_UP_AFTER)
    return [*chain, RESULT_NODE]


def _background(plan: Plan) -> set[str]:
    return {step.id for step in plan.steps if step.background}


def _injects(plan: Plan) -> bool:
    return any(step.type == _INJECTS for step in plan.steps)


def _cleans_up(plan: Plan, keep: Keep) -> bool:
    return _makes_nodes(plan) and keep != "always" and not plan.steps[-1].removes_nodes


def _makes_nodes(plan: Plan) -> bool:
    return any(step.type in _MAKE_NODES for step in plan.steps)
