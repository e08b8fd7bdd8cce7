"""`e2e-ansible schema`: the JSON Schema of suites."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from e2e_ansible.cli.options import AllowPlugins

__all__ = ["schema"]


def schema(
    suite: Annotated[
        Path | None,
        typer.Argument(metavar="SUITE", help="With the words that code beside this suite adds, if allowed."),
    ] = None,
    allow_plugins: AllowPlugins = False,
) -> None:
    """Print the JSON Schema of suite files, for editors."""
    from e2e_ansible.checks.custom import load_folder, real_folder
    from e2e_ansible.errors import UsageError
    from e2e_ansible.suite.schema import schema as make

    if suite is not None:
        if not os.path.isfile(suite):  # noqa: PTH113  # unlike Path.is_file it takes a name of any length
            raise UsageError(f"there is no suite {str(suite)!r}")
        load_folder(real_folder(suite), allowed=allow_plugins)
    typer.echo(json.dumps(make(), indent=2))
