"""Plays for the services beside the cluster: backups, proxy, metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from e2e_ansible.nodes.services import proxy_nodes, repository_node
from e2e_ansible.steps.base import CompileContext, Play, play
from e2e_ansible.suite.parameters import BackupOptions, Parameters

__all__ = [
    "archive_settings",
    "backup_plays",
    "databases",
    "exporter_plays",
    "proxy_plays",
    "service_plays",
]

_STANZA = "main"


def archive_settings(parameters: Parameters) -> Mapping[str, str]:
    """Settings for a server whose configuration Patroni keeps; the role pgbackrest sets those of others itself."""
    if not parameters.backup:
        return {}
    command = f'pgbackrest --stanza={_STANZA} archive-push "%p"'
    return {"archive_mode": "on", "archive_command": command, "archive_timeout": "60s"}


def service_plays(context: CompileContext) -> list[Play]:
    """What the suite asks for, in the order in which it needs each other; run them when the cluster is up."""
    return [*backup_plays(context), *proxy_plays(context), *exporter_plays(context)]


def databases(context: CompileContext) -> tuple[str, ...]:
    """The nodes with a database, in order."""
    return tuple(node for node in context.nodes if "database" in context.labels[node])


def backup_plays(context: CompileContext) -> Iterator[Play]:
    """An archive of WAL and backups, if the suite asks for them."""
    options = context.parameters.backup
    if not options:
        return
    servers = list(databases(context))
    alone = context.parameters.database == "standalone" and len(servers) > 1
    # Servers that have nothing to do with each other keep their own backups.
    keeper = "" if alone else repository_node(context.labels)
    hosts = [node for node in context.nodes if node in servers or node == keeper]
    variables: dict[str, object] = {"pgbackrest_hosts": servers, "pgbackrest_repository_host": keeper}
    if isinstance(options, BackupOptions):
        variables["pgbackrest_backup_interval_seconds"] = options.interval_seconds
        variables["pgbackrest_backup_type"] = options.type
    role = {"role": "pgbackrest", "vars": variables}
    yield play("Set up backups", hosts, become=True, any_errors_fatal=True, roles=[role])


def proxy_plays(context: CompileContext) -> Iterator[Play]:
    """What leads writes to the leader, if the suite asks for it."""
    if context.parameters.proxy == "haproxy":
        role = {"role": "haproxy", "vars": {"haproxy_servers": list(databases(context))}}
        hosts = proxy_nodes(context.labels)
        yield play("Install the proxy", hosts, become=True, any_errors_fatal=True, roles=[role])


def exporter_plays(context: CompileContext) -> Iterator[Play]:
    """Numbers of each server over HTTP, if the suite asks for them."""
    if context.parameters.exporter:
        roles = [{"role": "postgres_exporter"}]
        hosts = databases(context)
        yield play("Install the exporter", hosts, become=True, any_errors_fatal=True, roles=roles)
