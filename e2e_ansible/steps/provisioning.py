"""The play that makes or removes the nodes of a deployment; shared by init, deploy and destroy."""

from __future__ import annotations

from typing import Literal

from e2e_ansible.providers.releases import DEFAULT_SUITE, release_of_test
from e2e_ansible.steps.base import CompileContext, Play, Unsafe, play

__all__ = ["provision"]

_DEPLOYMENT = "{{ lookup('ansible.builtin.env', 'E2E_DEPLOYMENT') }}"
_NOT_OF_MACHINES = {
    *("cluster_size", "sites", "clients", "database", "synchronous", "patroni_settings"),
    *("postgres_version", "postgres_settings", "admin_ui", "backup", "proxy", "exporter"),
    *("labels", "connection"),
    *("stroppy", "coverage"),
}
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
        "provision_deployment": _DEPLOYMENT,
    }
    if state != "absent":
        variables["provision_nodes"] = [
            {"name": node, "labels": list(context.labels[node])} for node in context.nodes
        ]
        parameters = _of_machines(context)
        if parameters:
            variables["provision_parameters"] = parameters
    return play(
        _TITLES[state], "localhost", connection="local", roles=[{"role": "provision", "vars": variables}]
    )


def _of_machines(context: CompileContext) -> dict[str, object]:
    """The parameters that are about machines, not about what is installed on them."""
    given = context.parameters.model_dump(mode="json", exclude=_NOT_OF_MACHINES, exclude_none=True)
    return {key: _text(value) for key, value in given.items()} | _of_image(context)


def _of_image(context: CompileContext) -> dict[str, str]:
    """What an image that is made here has to be of, where it is not the usual one."""
    parameters = context.parameters
    known = {"image": parameters.image, "postgres_version": parameters.postgres_version}
    release = release_of_test(context.provider, known)
    if release is None:
        return {}
    suite = {} if release.suite in (DEFAULT_SUITE, parameters.image) else {"suite": release.suite}
    return suite | ({"pgdg": release.pgdg} if release.pgdg else {})


def _text(value: object) -> object:
    """Text stays text, also in a list: no word of a suite becomes a template."""
    if isinstance(value, list):
        return [_text(item) for item in value]
    return Unsafe(value) if isinstance(value, str) else value
