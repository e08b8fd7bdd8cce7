"""`install`: one service on nodes that answer, with the plays that `deploy` has for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from e2e_ansible.errors import UsageError
from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, StepType, play
from e2e_ansible.steps.deploy import admin_ui_plays, patroni_plays, postgresql_plays
from e2e_ansible.steps.judgement import TRANSIENT_RETRIES, Judgement
from e2e_ansible.steps.services import backup_plays, exporter_plays, proxy_plays
from e2e_ansible.steps.stroppy_install import stroppy_install
from e2e_ansible.steps.targets import nodes_of
from e2e_ansible.suite.labels import DATABASE, RUN_STROPPY
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.suite.parameters import Parameters
from e2e_ansible.verdict import Cause

__all__ = ["Install", "InstallOptions", "Service"]

#: Where each service that stands for itself goes when the step names no targets.
_USUAL = {"stroppy": (RUN_STROPPY,), "redis": (DATABASE,)}
_OF_THE_CLUSTER: Mapping[str, Callable[[CompileContext], Iterable[Play]]] = {
    "postgresql": postgresql_plays,
    "patroni": patroni_plays,
    "backup": backup_plays,
    "proxy": proxy_plays,
    "exporter": exporter_plays,
    "admin_ui": admin_ui_plays,
}
#: What they are called where a step has no words of its own.
_TITLES: Mapping[str, str] = {
    "postgresql": "PostgreSQL",
    "patroni": "Patroni",
    "backup": "backups",
    "proxy": "HAProxy",
    "exporter": "exporters of metrics",
    "admin_ui": "admin UI",
    "stroppy": "Stroppy",
    "redis": "Redis",
}
#: Services that are the database itself: with them it can be written to.
_DATABASES = frozenset({"postgresql", "patroni"})
Service = Literal["postgresql", "patroni", "backup", "proxy", "exporter", "admin_ui", "stroppy", "redis"]


class InstallOptions(StepOptions):
    """Several may run at the same time, on the same nodes too: only what needs the packages' lock waits its turn."""

    service: Service = Field(description="What is installed")
    targets: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = Field(
        None, description="Names or labels of nodes, else those that `deploy` would take"
    )


class Install(StepType[InstallOptions]):
    """Install one service."""

    name = "install"
    summary = (
        "Install one service on nodes that are there, as `deploy` does for all of them one after the other"
    )
    options = InstallOptions

    def about(self, options: InstallOptions) -> str:
        """Its service."""
        return _TITLES.get(options.service, options.service)

    def target_names(self, options: InstallOptions) -> Sequence[tuple[str, str]]:
        """Where it goes, also when that goes without saying."""
        usual: tuple[str, ...] = _USUAL.get(options.service, ())
        return [("targets", target) for target in options.targets or usual]

    def missing_parameters(
        self, options: InstallOptions, parameters: Parameters
    ) -> Sequence[tuple[str, str]]:
        """A service of the cluster is one that its parameters know of."""
        said, how = _asked_for(options.service, parameters)
        return [] if said else [("service", how)]

    def compile(self, options: InstallOptions, context: CompileContext) -> CompiledStep:
        """The plays of the service, each on those of its nodes that are wanted.

        Raises:
            UsageError: none of its nodes is wanted, so nothing would be installed.
        """
        plays = _plays(options, context)
        if not plays:
            where = ", ".join(options.targets or ())
            raise UsageError(
                f"{options.service} is not installed on {where or 'any node'}: nothing would be done",
                hint="leave out targets, or name nodes with a database",
            )
        hosts = {host for each in plays for host in _hosts(each)}
        return CompiledStep(
            plays=plays,
            hosts=tuple(node for node in context.nodes if node in hosts),
            deadline_seconds=1800,
            judgement=Judgement(failure_cause=Cause.PRODUCT, transient_retries=TRANSIENT_RETRIES),
            starts_writer=options.service in _DATABASES,
        )


def _asked_for(service: str, parameters: Parameters) -> tuple[bool, str]:
    """Whether a suite says that it has this service, and how it would say so: checks and other roles go by that."""
    said = {
        "backup": (bool(parameters.backup), "backup: true"),
        "proxy": (parameters.proxy == "haproxy", "proxy: haproxy"),
        "exporter": (bool(parameters.exporter), "exporter: true"),
        "admin_ui": (parameters.admin_ui, "admin_ui: true"),
        "patroni": (parameters.database == "patroni", "database: patroni"),
        "postgresql": (parameters.database in ("standalone", "replication"), "database: replication"),
    }
    return said.get(service, (True, ""))


def _plays(options: InstallOptions, context: CompileContext) -> list[Play]:
    of_the_cluster = _OF_THE_CLUSTER.get(options.service)
    if of_the_cluster is None:
        nodes = nodes_of(options.targets or _USUAL[options.service], context)
        return [stroppy_install(context, nodes) if options.service == "stroppy" else _redis(nodes)]
    plays = list(of_the_cluster(context))
    if options.targets is None:
        return plays
    nodes = nodes_of(options.targets, context)
    wanted = [(each, [host for host in _hosts(each) if host in nodes]) for each in plays]
    return [{**each, "hosts": hosts[0] if len(hosts) == 1 else hosts} for each, hosts in wanted if hosts]


def _redis(nodes: Sequence[str]) -> Play:
    return play("Install Redis", nodes, become=True, any_errors_fatal=True, roles=[{"role": "redis"}])


def _hosts(made: Play) -> list[str]:
    hosts = made["hosts"]
    return [hosts] if isinstance(hosts, str) else list(hosts)
