"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AllowPlugins",
    "Debug",
    "Keep",
    "KeepPolicy",
    "Provider",
    "RunArgument",
    "Runs",
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
    list[Path], typer.Argument(metavar="SUITE...", help="Suite files, or folders that hold some.")
]
RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[RUN]", help="A run folder or its name. Without it, the newest run."),
]
Provider = Annotated[
    str | None, typer.Option("--provider", help="Use this provider in place of what the tests say.")
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
    KeepPolicy | None, typer.Option("--keep", help="Keep the nodes afterwards, whatever the tests say.")
]
Runs = Annotated[Path, typer.Option("--runs", help="Where run folders are made and looked for.")]
Debug = Annotated[
    bool, typer.Option("--debug", help="Ansible's debug output in the logs; a traceback for a bug.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show Ansible's own output.")]
