"""Makes a workflow job template in AWX what it is here; a workflow that runs keeps what it began with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from e2e_ansible.awx.client import AwxError, Client
from e2e_ansible.awx.workflow import STEP_TEMPLATE, Node, Workflow
from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion

__all__ = ["find_template", "publish"]

_EDGES = ("success", "failure", "always")
_SETUP = "ansible-playbook playbooks/awx_setup.yml makes it"

Object = Mapping[str, Any]


def find_template(client: Client, name: str) -> Object:
    """The job template of this name.

    Raises:
        AwxError: there is none; the hint names the nearest one.
        UsageError: it is the name of a workflow.
    """
    found = client.named("job_templates", name)
    if found is not None:
        return found
    if client.named("workflow_job_templates", name):
        raise UsageError(f"{name!r} is a workflow", hint="launch the suite that it was made from")
    known = [str(each["name"]) for each in client.each("job_templates/")]
    hint = _SETUP if name == STEP_TEMPLATE else suggestion(name, known) or _SETUP
    raise AwxError(f"AWX has no job template {name!r}", hint=hint)


def publish(client: Client, workflow: Workflow) -> Object:
    """The workflow job template in AWX with these nodes and edges; nothing is changed if it has them already.

    Raises:
        AwxError: the job template of the steps or a workflow in it is missing, or AWX refused.
    """
    step = find_template(client, STEP_TEMPLATE)
    known = {"": int(step["id"])}
    for name in dict.fromkeys(node.workflow for node in workflow.nodes if node.workflow):
        known[name] = _workflow(client, name)
    template = _template(client, workflow, step)
    place = f"workflow_job_templates/{template['id']}/workflow_nodes/"
    there = list(client.each(place))
    if _same(workflow.nodes, there, known):
        return template
    for node in there:
        client.delete(f"workflow_job_template_nodes/{node['id']}/")
    _make(client, workflow.nodes, template["id"], known)
    return template


def _workflow(client: Client, name: str) -> int:
    found = client.named("workflow_job_templates", name)
    if found is None:
        raise AwxError(f"AWX has no workflow {name!r}", hint="e2e-ansible awx launch makes those of a suite")
    return int(found["id"])


def _template(client: Client, workflow: Workflow, step: Object) -> Object:
    wanted: dict[str, Any] = {
        "name": workflow.name,
        "description": workflow.description,
        "extra_vars": json.dumps(workflow.variables),
        "ask_variables_on_launch": True,
        "allow_simultaneous": True,
        "organization": step.get("organization"),
    }
    found = client.named("workflow_job_templates", workflow.name)
    if found is None:
        return client.post("workflow_job_templates/", wanted)
    if all(found.get(key) == value for key, value in wanted.items()):
        return found
    return client.patch(f"workflow_job_templates/{found['id']}/", wanted)


def _same(nodes: Iterable[Node], there: Iterable[Object], known: Mapping[str, int]) -> bool:
    names = {each["id"]: each["identifier"] for each in there}
    found = {
        each["identifier"]: (
            each.get("unified_job_template"),
            each.get("extra_data"),
            each.get("timeout"),
            bool(each.get("all_parents_must_converge")),
            *(sorted(names.get(other, "") for other in each.get(f"{edge}_nodes", ())) for edge in _EDGES),
        )
        for each in there
    }
    return found == {
        node.identifier: (
            known[node.workflow],
            dict(node.extra_data),
            node.timeout_seconds or None,
            node.all_parents_must_converge,
            *(sorted(getattr(node, edge)) for edge in _EDGES),
        )
        for node in nodes
    }


def _make(client: Client, nodes: Iterable[Node], template: int, known: Mapping[str, int]) -> None:
    nodes = tuple(nodes)
    made = {
        node.identifier: client.post(
            f"workflow_job_templates/{template}/workflow_nodes/",
            {
                "identifier": node.identifier,
                "unified_job_template": known[node.workflow],
                "extra_data": dict(node.extra_data),
                **({"timeout": node.timeout_seconds} if node.timeout_seconds else {}),
                "all_parents_must_converge": node.all_parents_must_converge,
            },
        )["id"]
        for node in nodes
    }
    for node in nodes:
        for edge in _EDGES:
            for other in getattr(node, edge):
                place = f"workflow_job_template_nodes/{made[node.identifier]}/{edge}_nodes/"
                client.post(place, {"id": made[other]})
