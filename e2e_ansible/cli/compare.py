"""`e2e-ansible compare`: whether a run is worse than earlier ones of its suite."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.options import Runs

if TYPE_CHECKING:
    from e2e_ansible.analysis.rule import Rule
    from e2e_ansible.analysis.sheet import Sheet

__all__ = ["RuleName", "compare"]

_RATIO, _MATTERS = 1.2, 1.1


class RuleName(StrEnum):
    """How runs are compared."""

    BAND = "band"
    RATIO = "ratio"


def compare(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run in question: a folder or its name.")],
    baselines: Annotated[
        list[Path],
        typer.Argument(metavar="BASELINE", help="Earlier runs of the same suite; eight tell most."),
    ],
    rule: Annotated[
        RuleName,
        typer.Option(
            "--rule",
            metavar="NAME",
            help="band: larger than the noise of the baselines; ratio: more than so many times as long.",
        ),
    ] = RuleName.BAND,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="X",
            help=f"How many times as long, or as little, matters: {_RATIO} of rule ratio, {_MATTERS} of rule band.",
        ),
    ] = None,
    points: Annotated[
        float,
        typer.Option(
            "--points", metavar="N", min=0, max=100, help="By how many points a rate must fall to matter."
        ),
    ] = 5,
    check_regressions: Annotated[
        bool,
        typer.Option(
            "--check-regressions", help="Exit with 1 if anything is worse, with 3 if that is not decided."
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="The comparison as one JSON object, on one line.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A line per metric and statistic.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the comparison as a page, too.")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Compare a run with earlier ones of its suite: soaks by phases, outages and rates, others by steps, loads, outages
    and verdicts. More throughput is better; less of anything else is.

    Each metric is worse, better, same or inconclusive. Exits with 0; with --check-regressions with 1 if anything is
    worse, else with 3 if anything is inconclusive."""
    from e2e_ansible.cli.folders import find_real_run
    from e2e_ansible.errors import UsageError
    from e2e_ansible.run.comparing import compare_runs

    if json and csv:
        raise UsageError("--json and --csv both go to standard output", hint="take one of them")
    chosen = _rule(rule, threshold, points)
    found = compare_runs(find_real_run(run, runs), [find_real_run(one, runs) for one in baselines], chosen)
    if html is not None:
        _write_page(html, found)
    if json:
        typer.echo(found.model_dump_json())
    elif csv:
        from e2e_ansible.analysis.sheet import sheet_csv

        typer.echo(sheet_csv(found), nl=False)
    else:
        from rich.console import Console

        from e2e_ansible.report.sheet_screen import print_sheet

        print_sheet(Console(), found)
    raise typer.Exit(found.exit_code if check_regressions else 0)


def _rule(name: RuleName, threshold: float | None, points: float) -> Rule:
    from e2e_ansible.analysis.rule import Method, Rule
    from e2e_ansible.errors import UsageError

    wanted = threshold if threshold is not None else (_RATIO if name is RuleName.RATIO else _MATTERS)
    if not 1 < wanted < float("inf"):
        raise UsageError(
            f"--threshold {wanted:g} is not more than 1", hint="1.2 means: 1.2 times as long as the baseline"
        )
    if name is RuleName.RATIO:
        return Rule(method=Method.RATIO, ratio=wanted, points=points / 100)
    return Rule(matters=round(wanted - 1, 12), points=points / 100)


def _write_page(path: Path, found: Sheet) -> None:
    """Raises OSError if it could not be written."""
    from e2e_ansible import __version__
    from e2e_ansible.report.sheet_page import sheet_page

    path.write_text(sheet_page(found, version=__version__), encoding="utf-8", errors="replace")
