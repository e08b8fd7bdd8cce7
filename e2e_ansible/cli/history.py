"""`e2e-ansible history`: all runs there were, and how each compares with those before it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from e2e_ansible.run.past import PastRun

__all__ = ["history"]


def history(
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="The folder with the run folders.")] = Path(
        "runs"
    ),
    suite: Annotated[
        str | None,
        typer.Option("--suite", metavar="NAME", help="Only runs of this suite, by its file or name."),
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", min=1, help="Only the newest so many of them.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per run.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A line per run.")] = False,
) -> None:
    """List runs, oldest first: verdict, cycles or tests, success, durations, outage of writes, and a trend.

    The trend says how the cycles of a run compare with those of up to 20 earlier runs of its suite; each load has a
    trend of its own, over all its metrics. A run that cannot be read is listed with the reason."""
    from e2e_ansible.errors import UsageError
    from e2e_ansible.run.past import past_runs

    if json and csv:
        raise UsageError("--json and --csv both go to standard output", hint="take one of them")
    if not runs.is_dir():
        raise UsageError(f"there is no folder {str(runs)!r}", hint="name the folder with the run folders")
    found = _chosen(list(past_runs(runs)), suite, runs)
    found = found[-last:] if last else found
    if json:
        for one in found:
            typer.echo(one.model_dump_json())
    elif csv:
        from e2e_ansible.report.history import history_csv

        typer.echo(history_csv(found), nl=False)
    else:
        from rich.console import Console

        from e2e_ansible.report.history import print_history

        print_history(Console(), found)


def _chosen(found: list[PastRun], suite: str | None, runs: Path) -> list[PastRun]:
    from e2e_ansible.errors import UsageError
    from e2e_ansible.names import suggestion

    if not found:
        raise UsageError(f"there is no run in {runs}", hint="name the folder with the run folders")
    if suite is None:
        return found
    wanted = Path(suite).name
    chosen = [one for one in found if wanted in (one.suite, Path(one.suite).stem)]
    if not chosen:
        known = {one.suite for one in found if one.suite}
        raise UsageError(f"there is no run of suite {suite!r} in {runs}", hint=suggestion(wanted, known))
    return chosen
