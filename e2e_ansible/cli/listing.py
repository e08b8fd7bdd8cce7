"""`e2e-ansible list`: the tests of suites."""

from __future__ import annotations

import json as json_text
from typing import Annotated

import typer

from e2e_ansible.cli.options import AllowPlugins, Provider, SuiteFiles

__all__ = ["list_tests"]


def list_tests(
    suites: SuiteFiles,
    provider: Provider = None,
    allow_plugins: AllowPlugins = False,
    json: Annotated[bool, typer.Option("--json", help="As a JSON list.")] = False,
) -> None:
    """List the tests of suites: name, provider, number of nodes and steps, description."""
    from e2e_ansible.cli.suites import load_files

    rows = [
        {
            "name": test.name,
            "provider": test.entry.provider,
            "nodes": len(test.nodes),
            "steps": len(test.steps),
            "description": test.entry.description,
            "suite": str(suite.file),
            "line": test.source.line,
        }
        for suite in load_files(suites, provider=provider, allow_plugins=allow_plugins)
        for test in suite.tests
    ]
    if json:
        typer.echo(json_text.dumps(rows, indent=1))
    else:
        _print(rows)


def _print(rows: list[dict[str, object]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "provider", "nodes", "steps", "description"):
        table.add_column(
            heading, overflow="fold", justify="right" if heading in ("nodes", "steps") else "left"
        )
    for row in rows:
        table.add_row(*(Text(str(row[key])) for key in ("name", "provider", "nodes", "steps", "description")))
    Console().print(table)
