"""`e2e-ansible list`: the tests of suites."""

from __future__ import annotations

import json as json_text
from typing import Annotated

import typer

from e2e_ansible.cli.options import AllowPlugins, Provider, SuiteFiles

__all__ = ["list_tests"]

_COLUMNS = ("name", "provider", "nodes", "steps", "time_class", "description")
_HEADS = {"time_class": "class"}
_NUMBERS = (2, 3)


def list_tests(
    suites: SuiteFiles,
    provider: Provider = None,
    allow_plugins: AllowPlugins = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per test and line.")] = False,
) -> None:
    """List the tests of suites."""
    from e2e_ansible.cli.suites import load_files

    rows = [
        {
            "name": test.name,
            "provider": test.entry.provider,
            "nodes": len(test.nodes),
            "steps": len(test.steps),
            "time_class": test.entry.time_class or "",
            "description": test.entry.description,
            "suite": str(suite.file),
            "line": test.source.line,
        }
        for suite in load_files(suites, provider=provider, allow_plugins=allow_plugins)
        for test in suite.tests
    ]
    if json:
        for row in rows:
            typer.echo(json_text.dumps(row))
    else:
        _print(rows)


def _print(rows: list[dict[str, object]]) -> None:
    from rich.console import Console

    from e2e_ansible.report.table import print_table

    shown = [column for column in _COLUMNS if column != "time_class" or any(row[column] for row in rows)]
    cells = [[str(row[column]) for column in shown] for row in rows]
    head = [_HEADS.get(column, column) for column in shown]
    print_table(Console(), [head, *cells], wraps=len(shown) - 1, right=_NUMBERS)
