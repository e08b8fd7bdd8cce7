"""`deploy`: create the nodes, wait for them, install PostgreSQL and what the suite asks for beside it."""

from __future__ import annotations

from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, StepType, Unsafe, play
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.steps.provisioning import provision
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.verdict import Cause

__all__ = ["Deploy"]

_CONNECT_SECONDS = 600


class Deploy(StepType[StepOptions]):
    """Deploy the cluster."""

    name = "deploy"
    summary = "Create the nodes and install the cluster on them"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        """Provision, wait for ssh, then the roles `postgresql` and `admin_ui`."""
        plays = [provision("present", context), _wait(context), _postgresql(context)]
        if context.parameters.admin_ui:
            plays.append(
                play("Install the admin UI", context.nodes, become=True, roles=[{"role": "admin_ui"}])
            )
        return CompiledStep(
            plays=plays,
            hosts=context.nodes,
            deadline_seconds=3600,
            judgement=Judgement(failure_cause=Cause.PRODUCT),
            brings_back=context.nodes,
            starts_writer=True,
        )


def _wait(context: CompileContext) -> Play:
    task = {
        "name": "Wait until the nodes answer",
        "await_node": {"until": "reachable", "deadline_seconds": _CONNECT_SECONDS},
    }
    return play("Wait for the nodes", context.nodes, any_errors_fatal=True, tasks=[task])


def _postgresql(context: CompileContext) -> Play:
    parameters = context.parameters
    databases = tuple(node for node in context.nodes if "database" in context.labels[node])
    variables: dict[str, object] = {
        "postgresql_topology": parameters.database,
        "postgresql_primary": context.primary,
    }
    if parameters.postgres_version:
        variables["postgresql_version"] = parameters.postgres_version
    if parameters.postgres_settings:
        variables["postgresql_settings"] = {
            key: Unsafe(value) if isinstance(value, str) else value
            for key, value in parameters.postgres_settings.items()
        }
    role = {"role": "postgresql", "vars": variables}
    return play("Install PostgreSQL", databases, become=True, any_errors_fatal=True, roles=[role])
