"""`e2e-ansible plan`: a suite to plan folders that a person can read and run."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from e2e_ansible.cli.options import AllowPlugins, Provider, SuiteFile

if TYPE_CHECKING:
    from e2e_ansible.compile.plan import Plan
    from e2e_ansible.run.context import RunOptions

__all__ = ["plan", "show_plans"]


def plan(
    suite: SuiteFile,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="A folder that is empty or does not exist.")
    ],
    run_test: Annotated[
        list[str] | None, typer.Option("--run-test", metavar="NAME", help="Only this test; may be repeated.")
    ] = None,
    provider: Provider = None,
    allow_plugins: AllowPlugins = False,
) -> None:
    """Compile a suite: one folder per test, one playbook per step, runnable with plain ansible-playbook."""
    from e2e_ansible.api import write
    from e2e_ansible.cli.suites import compile_files
    from e2e_ansible.errors import UsageError
    from e2e_ansible.run.folder import manifest_tests

    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} is not an empty folder", hint="name a new one")
    plans = compile_files([suite], provider=provider, allow_plugins=allow_plugins, tests=run_test or ())
    for made, test in zip(plans, manifest_tests("", plans), strict=True):
        folder = output if len(plans) == 1 else output / Path(test.folder).name
        write(made, folder)
        typer.echo(f"{folder}: {made.name}, {len(made.steps)} steps, {made.hash}")


def show_plans(plans: list[Plan], options: RunOptions, *, runs: Path, json: bool) -> None:
    """Everything of a run but the nodes: requirements, the run folder with its plans, and what would be done."""
    from e2e_ansible.cli.folders import shown
    from e2e_ansible.run.session import prepare

    folder = prepare(plans, runs=runs, options=options)
    if json:
        typer.echo(json_text.dumps([_summary(plan) for plan in plans]))
        return
    for plan, test in zip(plans, folder.manifest().tests, strict=True):
        _print_plan(plan, shown(folder.test(test.folder).plan))
    typer.echo("dry run: no node was made")


def _summary(plan: Plan) -> dict[str, Any]:
    return {"hash": plan.hash, **plan.model_dump(mode="json", exclude={"files"})}


def _print_plan(plan: Plan, folder: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from e2e_ansible.report.words import duration, host_words

    table = Table(box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for heading in ("step", "hosts", "checks", "at most", "suite line"):
        table.add_column(heading, overflow="fold")
    for step in plan.steps:
        cells = (
            step.id,
            host_words(step.hosts),
            ", ".join(step.judgement.checks),
            duration(step.deadline_seconds),
            str(step.source.line),
        )
        table.add_row(*map(Text, cells))
    console = Console()
    nodes = ", ".join(node.name for node in plan.nodes)
    console.print(Text.assemble((plan.name, "bold"), f"  {plan.provider}: {nodes}"), soft_wrap=True)
    console.print(table)
    console.print(Text(f"plan {folder}\nhash {plan.hash}"), soft_wrap=True)
    console.print()
