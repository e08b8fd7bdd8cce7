"""`e2e-ansible schema`: the JSON Schema of suites."""

from __future__ import annotations

import json
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
    from e2e_ansible.checks.custom import load_folder
    from e2e_ansible.suite.schema import schema as make

    if suite is not None:
        load_folder(suite.resolve().parent, allowed=allow_plugins)
    typer.echo(json.dumps(make(), indent=2))
