"""The play that makes or removes the nodes of a deployment; shared by init, deploy and destroy."""

from __future__ import annotations

from typing import Literal

from e2e_ansible.steps.base import CompileContext, Play, play

__all__ = ["provision"]

_TITLES = {
    "prepared": "Prepare the deployment",
    "present": "Create the nodes",
    "absent": "Destroy the nodes",
}


def provision(state: Literal["prepared", "present", "absent"], context: CompileContext) -> Play:
    """The role `provision` on the controller. The id of the deployment comes from the environment, not the plan."""
    variables: dict[str, object] = {
        "provision_state": state,
        "provision_provider": context.provider,
        "provision_deployment": "{{ lookup('ansible.builtin.env', 'E2E_DEPLOYMENT') }}",
    }
    if state != "absent":
        variables["provision_nodes"] = [
            {"name": node, "labels": list(context.labels[node])} for node in context.nodes
        ]
        variables["provision_parameters"] = {
            key: value
            for key, value in context.parameters.model_dump(mode="json").items()
            if value is not None
        }
    return play(
        _TITLES[state], "localhost", connection="local", roles=[{"role": "provision", "vars": variables}]
    )
