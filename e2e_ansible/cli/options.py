"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.engine.name import EngineName
from e2e_ansible.notify.when import NotifyOn

if TYPE_CHECKING:
    from e2e_ansible.notify.notifier import Notifier
    from e2e_ansible.run.context import RunOptions

__all__ = [
    "AllowPlugins",
    "Budget",
    "Debug",
    "Engine",
    "JsonLines",
    "Keep",
    "KeepPolicy",
    "MaxNodes",
    "Notify",
    "Otel",
    "Parallel",
    "PrometheusFile",
    "Provider",
    "Pushgateway",
    "Repeat",
    "RunArgument",
    "RunTest",
    "Runs",
    "StopOnError",
    "SuiteFile",
    "SuiteFiles",
    "TimeClasses",
    "Verbose",
    "When",
    "notifier_for",
    "run_options",
]

_DEBUG_VERBOSITY = 4


class KeepPolicy(StrEnum):
    """When the nodes of a test stay after it."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


SuiteFile = Annotated[Path, typer.Argument(metavar="SUITE", help="A suite file (YAML or JSON).")]
SuiteFiles = Annotated[
    list[Path], typer.Argument(metavar="SUITE", help="Suite files, folders that hold some, or plans.")
]
RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="RUN", help="A run folder or its name. Without it, the newest run."),
]
RunTest = Annotated[
    list[str] | None, typer.Option("--run-test", metavar="NAME", help="Only this test; may be repeated.")
]
TimeClasses = Annotated[
    list[str] | None,
    typer.Option(
        "--time-class",
        metavar="NAME",
        help="Only tests of this class: fast, standard, slow, infrastructure; may be repeated.",
    ),
]
Repeat = Annotated[
    int,
    typer.Option(
        "--repeat", metavar="N", min=1, help="Run every test so many times, and tell how steady each step is."
    ),
]
Provider = Annotated[
    str | None,
    typer.Option("--provider", metavar="NAME", help="Use this provider in place of what the tests say."),
]
Parallel = Annotated[int, typer.Option("--parallel", metavar="N", min=1, help="How many tests run at once.")]
MaxNodes = Annotated[
    int | None, typer.Option("--max-nodes", metavar="N", min=1, help="How many nodes may exist at once.")
]
Budget = Annotated[
    str,
    typer.Option(
        "--budget",
        metavar="AMOUNTS",
        help="What may exist at once, such as nodes=12,cpus=2,memory_gb=8,disk_gb=100.",
    ),
]
StopOnError = Annotated[
    bool, typer.Option("--stop-on-error", help="Begin no other test after one that is not a pass.")
]
AllowPlugins = Annotated[
    bool,
    typer.Option(
        "--allow-plugins",
        envvar="E2E_ALLOW_PLUGINS",
        help="Run the Python code in the folder e2e_plugins beside the suite.",
    ),
]
Keep = Annotated[
    KeepPolicy | None,
    typer.Option(
        "--keep",
        metavar="WHEN",
        help=f"Keep the nodes afterwards, whatever the tests say: {', '.join(KeepPolicy)}.",
    ),
]
Engine = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="How playbooks are started: warm, forked from a process that has Ansible loaded; or cold.",
    ),
]
Runs = Annotated[
    Path, typer.Option("--runs", metavar="DIR", help="Where run folders are made and looked for.")
]
JsonLines = Annotated[bool, typer.Option("--json", help="One JSON object per line on standard output.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show Ansible's own output.")]
Debug = Annotated[
    bool,
    typer.Option("--debug", envvar="E2E_DEBUG", help="Ansible's debug output; a traceback for a bug."),
]
Notify = Annotated[
    list[str] | None,
    typer.Option(
        "--notify",
        metavar="TARGET",
        envvar="E2E_NOTIFY",
        help="Tell webhook:URL, slack:URL or mailto:ADDRESS; @FILE or env:NAME holds it. May be repeated.",
    ),
]
When = Annotated[
    NotifyOn,
    typer.Option(
        "--notify-on",
        metavar="WHEN",
        envvar="E2E_NOTIFY_ON",
        help=f"What they are told of: {', '.join(NotifyOn)}. Failures include alerts.",
    ),
]
PrometheusFile = Annotated[
    Path | None,
    typer.Option(
        "--prometheus-file",
        metavar="PATH",
        envvar="E2E_PROMETHEUS_FILE",
        help="Keep metrics in this file, for node_exporter's textfile collector.",
    ),
]
Pushgateway = Annotated[
    str | None,
    typer.Option(
        "--pushgateway",
        metavar="URL",
        envvar="E2E_PUSHGATEWAY",
        help="Push metrics to this Pushgateway; @FILE or env:NAME holds its address.",
    ),
]
Otel = Annotated[
    bool,
    typer.Option(
        "--otel",
        envvar="E2E_OTEL",
        help="Export spans by OTLP over HTTP, as the variables OTEL_* say.",
    ),
]


def notifier_for(
    notify: list[str] | None,
    notify_on: NotifyOn,
    prometheus_file: Path | None,
    pushgateway: str | None,
    *,
    otel: bool,
) -> Notifier | None:
    """Who is told of a run, None when nobody is.

    Raises:
        UsageError: a target is none, or a package is missing.
    """
    if not (notify or prometheus_file or pushgateway or otel):
        return None
    from e2e_ansible.notify.options import NotifyOptions, open_notifier

    return open_notifier(NotifyOptions(notify or (), notify_on, prometheus_file, pushgateway, otel))


def run_options(
    *,
    parallel: int,
    max_nodes: int | None,
    stop_on_error: bool,
    keep: KeepPolicy | None,
    verbose: bool,
    debug: bool,
    dry_run: bool = False,
    from_plans: bool = False,
    budget: str = "",
) -> RunOptions:
    """What the options of a command mean for a run."""
    from e2e_ansible.run.context import RunOptions

    return RunOptions(
        parallel=parallel,
        max_nodes=max_nodes,
        stop_on_error=stop_on_error,
        keep=keep.value if keep else None,
        verbosity=_DEBUG_VERBOSITY if debug else int(verbose),
        dry_run=dry_run,
        from_plans=from_plans,
        budget=budget,
    )
