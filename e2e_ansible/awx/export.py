"""Workflows as arguments of the module awx.awx.workflow_job_template, which playbooks/awx_setup.yml calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from e2e_ansible.awx.workflow import STEP_TEMPLATE, Node, Workflow

__all__ = ["exported"]


def exported(workflows: Sequence[Workflow], *, organization: str) -> dict[str, Any]:
    """What is to be given to the playbook; the job template of the steps is that of the `organization`."""
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
    kind = "workflow_job_template" if node.workflow else "job_template"
    template = {
        "name": node.workflow or STEP_TEMPLATE,
        "type": kind,
        "organization": {"name": organization},
    }
    return {
        "identifier": node.identifier,
        "unified_job_template": template,
        "extra_data": dict(node.extra_data),
        **({"timeout": node.timeout_seconds} if node.timeout_seconds else {}),
        **({"all_parents_must_converge": True} if node.all_parents_must_converge else {}),
        "related": {key: [{"identifier": name} for name in names] for key, names in edges.items() if names},
    }
