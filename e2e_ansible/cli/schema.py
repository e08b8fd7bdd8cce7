"""`e2e-ansible schema`: the JSON Schema of suites."""

from __future__ import annotations

import json

import typer

__all__ = ["schema"]


def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    from e2e_ansible.suite.schema import schema as make

    typer.echo(json.dumps(make(), indent=2))
