"""`e2e-ansible analyze`: what a soak showed, and whether the reports of a run are what its folder says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.options import RunArgument, Runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from e2e_ansible.run.analysis import Compared
    from e2e_ansible.run.folder import RunFolder

__all__ = ["analyze"]


def analyze(
    run: RunArgument = None,
    write: Annotated[
        bool, typer.Option("--write", help="Replace the reports that are not byte-equal.")
    ] = False,
    json: Annotated[
        bool,
        typer.Option("--json", help="One JSON object per file; of a soak, its analysis as the last one."),
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Judge a run again and compare every report with the one in its folder. Exits with 0 when all are byte-equal,
    else with 1. Needs no network; a copy of the folder gives the same. `report` shows the verdict and writes anew.

    Of a soak it tells how often it works, how long it takes, whether it got slower, and what to do. It writes
    analysis.json, analysis.csv and analysis.html into the run folder where they are missing or the soak has gone on."""
    from e2e_ansible.cli.folders import find_real_run
    from e2e_ansible.run.soak_numbers import is_soak

    folder = find_real_run(run, runs)
    equal = (_soak if is_soak(folder) else _ordinary)(folder, write=write, json=json)
    raise typer.Exit(0 if equal else 1)


def _ordinary(folder: RunFolder, *, write: bool, json: bool) -> bool:
    from e2e_ansible.report.words import verdict_words
    from e2e_ansible.run.analysis import analyze as analyzed

    analysis = analyzed(folder, write=write)
    _tell_files(analysis.files, json=json)
    if not json:
        result = analysis.result
        typer.echo(f"{folder.run_id}: {verdict_words(result.verdict, result.cause)}")
        if write and not analysis.equal:
            typer.echo("The reports were replaced.")
    return analysis.equal


def _soak(folder: RunFolder, *, write: bool, json: bool) -> bool:
    """Reports that were missing, or of an earlier state of the soak, are no difference."""
    from rich.console import Console

    from e2e_ansible.report.soak_screen import print_soak
    from e2e_ansible.run.soak_reports import analyze_soak_run

    analysis = analyze_soak_run(folder, write=write)
    if json:
        _tell_files(analysis.files, json=True)
        typer.echo(analysis.found.model_dump_json())
        return analysis.fine
    print_soak(Console(), analysis.found)
    typer.echo()
    if analysis.stale:
        typer.echo(f"Written: {', '.join(analysis.texts)}")
        return True
    _tell_files(analysis.files, json=False)
    if write and not analysis.equal:
        typer.echo("The reports were replaced.")
    return analysis.fine


def _tell_files(files: Iterable[Compared], *, json: bool) -> None:
    from e2e_ansible.report.words import clean

    for one in files:
        if json:
            typer.echo(_line(one.file, one.agreement.value, one.difference))
            continue
        typer.echo(f"{one.agreement.value:<11} {one.file}")
        for line in one.difference.splitlines():
            typer.echo(f"            {clean(line)}")


def _line(file: str, agreement: str, difference: str) -> str:
    from json import dumps

    return dumps({"file": file, "agreement": agreement, "difference": difference})
