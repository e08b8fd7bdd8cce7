"""`e2e-ansible report`: a run folder to its verdict, whatever became of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from e2e_ansible.cli.options import RunArgument, Runs

__all__ = ["report"]


def report(
    run: RunArgument = None,
    json: Annotated[bool, typer.Option("--json", help="The result as one JSON object, on one line.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every step, and long messages in full.")
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Judge a run again from its folder. Writes its reports anew and exits with the code of the run."""
    from e2e_ansible.cli.folders import find_real_run
    from e2e_ansible.cli.views import show
    from e2e_ansible.run.reading import read_run
    from e2e_ansible.run.reports import write_reports
    from e2e_ansible.run.session import writing

    folder = find_real_run(run, runs)
    result = read_run(folder)
    try:
        if json:
            typer.echo(result.model_dump_json())
        else:
            show(result, folder, verbose=verbose)
    finally:  # what is known is shown also where nothing can be written
        with writing(folder):
            write_reports(folder, result)
    raise typer.Exit(result.exit_code)
