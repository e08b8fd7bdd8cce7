"""Single arguments and options that several commands or groups share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from e2e_ansible.engine.name import EngineName

__all__ = [
    "AllowPlugins",
    "Budget",
    "Debug",
    "Engine",
    "JsonLines",
    "Keep",
    "KeepPolicy",
    "Parallel",
    "Provider",
    "RunArgument",
    "RunTest",
    "Runs",
    "StopOnError",
    "SuiteFile",
    "SuiteFiles",
    "Verbose",
]


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
Provider = Annotated[
    str | None,
    typer.Option("--provider", metavar="NAME", help="Use this provider in place of what the tests say."),
]
Parallel = Annotated[int, typer.Option("--parallel", metavar="N", min=1, help="How many tests run at once.")]
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
