"""`e2e-ansible analyze`: whether the reports of a run are what its folder says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from e2e_ansible.cli.options import RunArgument, Runs

__all__ = ["analyze"]


def analyze(
    run: RunArgument = None,
    write: Annotated[
        bool, typer.Option("--write", help="Replace the reports that are not byte-equal.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per file.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Judge a run again and compare every report with the one in its folder. Exits with 0 when all are byte-equal,
    else with 1. Needs no network; a copy of the folder gives the same. `report` shows the verdict and writes anew."""
    from e2e_ansible.cli.folders import find_real_run
    from e2e_ansible.report.words import clean, verdict_words
    from e2e_ansible.run.analysis import analyze as analyzed

    folder = find_real_run(run, runs)
    analysis = analyzed(folder, write=write)
    for one in analysis.files:
        if json:
            typer.echo(_line(one.file, one.agreement.value, one.difference))
            continue
        typer.echo(f"{one.agreement.value:<11} {one.file}")
        for line in one.difference.splitlines():
            typer.echo(f"            {clean(line)}")
    if not json:
        result = analysis.result
        typer.echo(f"{folder.run_id}: {verdict_words(result.verdict, result.cause)}")
        if write and not analysis.equal:
            typer.echo("The reports were replaced.")
    raise typer.Exit(0 if analysis.equal else 1)


def _line(file: str, agreement: str, difference: str) -> str:
    from json import dumps

    return dumps({"file": file, "agreement": agreement, "difference": difference})
