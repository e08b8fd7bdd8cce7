"""`deploy`: create the nodes, wait for them, install PostgreSQL and what the suite asks for beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, StepType, Unsafe, play
from e2e_ansible.steps.judgement import TRANSIENT_RETRIES, Judgement
from e2e_ansible.steps.provisioning import provision
from e2e_ansible.steps.services import archive_settings, databases, service_plays
from e2e_ansible.steps.sites import site_nodes
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.verdict import Cause

__all__ = [
    "Deploy",
    "DeployOptions",
    "admin_ui_plays",
    "await_plays",
    "looked_at",
    "patroni_plays",
    "postgresql_plays",
    "product_plays",
]

_CONNECT_SECONDS = 600
_PORT = 5432


class DeployOptions(StepOptions):
    """How it is shown to be well made."""

    verify_idempotence: bool = Field(
        False, description="Install everything a second time, which must change nothing"
    )


class Deploy(StepType[DeployOptions]):
    """Deploy the cluster."""

    name = "deploy"
    summary = "Create the nodes and install the cluster on them"
    options = DeployOptions

    def compile(self, options: DeployOptions, context: CompileContext) -> CompiledStep:
        """Provision, wait for ssh, then the roles `postgresql`, or `etcd` and `patroni`, and `admin_ui`."""
        product = product_plays(context)
        again = looked_at(product, "Once more, without a change") if options.verify_idempotence else []
        return CompiledStep(
            plays=[provision("present", context), *await_plays(context), *product, *again],
            unchanged=tuple(each["name"] for each in again),
            hosts=context.nodes,
            deadline_seconds=3600,
            judgement=Judgement(failure_cause=Cause.PRODUCT, transient_retries=TRANSIENT_RETRIES),
            brings_back=context.nodes,
            starts_writer=True,
        )


def product_plays(context: CompileContext) -> list[Play]:
    """What is installed on nodes that answer, in order. To a database that exists nothing is added."""
    if context.parameters.database == "existing":
        return []
    failover = context.parameters.database == "patroni"
    plays = [*(patroni_plays(context) if failover else postgresql_plays(context)), *service_plays(context)]
    return [*plays, *admin_ui_plays(context)] if context.parameters.admin_ui else plays


def admin_ui_plays(context: CompileContext) -> list[Play]:
    """The web interface on all nodes with a database."""
    return [play("Install the admin UI", databases(context), become=True, roles=[{"role": "admin_ui"}])]


def looked_at(plays: Sequence[Play], prefix: str, **more: object) -> list[Play]:
    """The same plays under other names, telling what they change."""
    return [_renamed(each, f"{prefix}: {each['name']}", more) for each in plays]


def _renamed(made: Play, name: str, more: Mapping[str, object]) -> Play:
    head = {key: value for key, value in made.items() if key not in ("name", "roles")}
    return {"name": name, **head, "diff": True, **more, "roles": made["roles"]}


def await_plays(context: CompileContext) -> list[Play]:
    """Wait until nodes that were just made can be logged in to."""
    task = {
        "name": "Wait until the nodes answer",
        "await_node": {"until": "reachable", "deadline_seconds": _CONNECT_SECONDS},
    }
    return [play("Wait for the nodes", context.nodes, any_errors_fatal=True, tasks=[task])]


def postgresql_plays(context: CompileContext) -> list[Play]:
    """The server on all nodes with a database, each for itself or replicas of the first one."""
    variables = {
        "postgresql_topology": context.parameters.database,
        "postgresql_primary": context.primary,
        **_server(context),
    }
    role = {"role": "postgresql", "vars": variables}
    return [play("Install PostgreSQL", databases(context), become=True, any_errors_fatal=True, roles=[role])]


def _server(context: CompileContext) -> dict[str, object]:
    """What is said of the server itself, whoever manages it."""
    parameters = context.parameters
    variables: dict[str, object] = {}
    if parameters.postgres_version:
        variables["postgresql_version"] = parameters.postgres_version
    archive = archive_settings(parameters) if parameters.database == "patroni" else {}
    settings = {**archive, **parameters.postgres_settings}
    if settings:
        variables["postgresql_settings"] = _inert(settings)
    return variables


def _inert(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings with their texts as text: no word of a suite becomes a template."""
    return {key: Unsafe(value) if isinstance(value, str) else value for key, value in settings.items()}


def patroni_plays(context: CompileContext) -> list[Play]:
    """One cluster of Patroni; of two sites one each, the second a standby of the first."""
    if context.contexts is None:
        return _patroni(context, databases(context))
    first, second = (site_nodes(context, site) for site in context.contexts)
    hosts = ",".join(f"{{{{ hostvars['{node}'].ansible_host }}}}" for node in first)
    return [
        *_patroni(context, first, context.contexts[0]),
        *_patroni(context, second, context.contexts[1], {"host": hosts, "port": _PORT}),
    ]


def _patroni(
    context: CompileContext,
    members: tuple[str, ...],
    site: str = "",
    standby_of: Mapping[str, object] | None = None,
) -> list[Play]:
    """A cluster of etcd on the first three nodes, of less on the first one, and Patroni on all."""
    parameters = context.parameters
    store = members[:3] if len(members) > 2 else members[:1]
    etcd = {"role": "etcd", "vars": {"etcd_members": list(store)}}
    variables: dict[str, object] = {
        "patroni_members": list(members),
        "patroni_etcd_members": list(store),
    }
    if site:
        variables["patroni_scope"] = site
    if standby_of:
        variables["patroni_standby_of"] = dict(standby_of)
    if parameters.synchronous:
        variables["patroni_synchronous"] = "strict" if parameters.synchronous == "strict" else "on"
    if parameters.patroni_settings:
        variables["patroni_settings"] = _inert(parameters.patroni_settings)
    patroni = {"role": "patroni", "vars": variables}
    # Patroni's role has this in common with the role postgresql, whose names it uses.
    server = _server(context)
    shared: dict[str, Any] = {"vars": server} if server else {}
    of = f" of {site}" if site else ""
    return [
        play(f"Install etcd{of}", store, become=True, any_errors_fatal=True, roles=[etcd]),
        play(f"Install Patroni{of}", members, become=True, any_errors_fatal=True, roles=[patroni], **shared),
    ]
