"""`e2e-ansible plan`: a suite to plan folders that a person can read and run."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from e2e_ansible.cli.options import AllowPlugins, Budget, Provider, RunTest, SuiteFile

if TYPE_CHECKING:
    from e2e_ansible.compile.plan import Plan
    from e2e_ansible.run.context import RunOptions

__all__ = ["plan", "show_plans"]


def plan(
    suite: SuiteFile,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="A folder that is empty or does not exist.")
    ],
    run_test: RunTest = None,
    provider: Provider = None,
    budget: Budget = "",
    allow_plugins: AllowPlugins = False,
) -> None:
    """Compile a suite to playbooks. One folder per test, one playbook per step; ansible-playbook runs them.

    A test larger than a budget, and a PostgreSQL that cannot be had, are refused as `run` does.
    """
    from rich.console import Console

    from e2e_ansible.api import write
    from e2e_ansible.cli.suites import compile_files
    from e2e_ansible.errors import UsageError
    from e2e_ansible.report.plan_graph import print_graph
    from e2e_ansible.run.context import RunOptions
    from e2e_ansible.run.folder import manifest_tests
    from e2e_ansible.run.requirements import check_plans

    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} is not an empty folder", hint="name a new one")
    plans = compile_files([suite], provider=provider, allow_plugins=allow_plugins, tests=run_test or ())
    check_plans(plans, RunOptions(budget=budget, dry_run=True))
    for made, test in zip(plans, manifest_tests("", plans), strict=True):
        folder = output if len(plans) == 1 else output / Path(test.folder).name
        write(made, folder)
        typer.echo(f"{folder}: {made.name}, {len(made.steps)} steps, {made.hash}")
        print_graph(Console(), made)


def show_plans(plans: list[Plan], options: RunOptions, *, runs: Path, json: bool) -> None:
    """Everything of a run but the nodes: requirements, the run folder with its plans, and what would be done."""
    from e2e_ansible.cli.folders import shown
    from e2e_ansible.run.session import prepare

    folder = prepare(plans, runs=runs, options=options)
    for plan, test in zip(plans, folder.manifest().tests, strict=True):
        place = shown(folder.test(test.folder).plan)
        if json:
            typer.echo(json_text.dumps({"folder": place, **_summary(plan)}))
        else:
            _print_plan(plan, place)
    if not json:
        typer.echo("dry run: no node was made")


def _summary(plan: Plan) -> dict[str, Any]:
    from e2e_ansible.report.plan_graph import graph_data

    graph = graph_data(plan)
    made = {"hash": plan.hash, **plan.model_dump(mode="json", exclude={"files"})}
    return made if graph is None else {**made, "graph": graph}


def _class_words(plan: Plan) -> str:
    from e2e_ansible.report.words import duration
    from e2e_ansible.suite.times import LIMITS

    if not plan.time_class:
        return ""
    return f"; {plan.time_class}, all steps at most {duration(LIMITS[plan.time_class])}"


def _print_plan(plan: Plan, folder: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from e2e_ansible.compile.bounds import most_seconds
    from e2e_ansible.report.plan_graph import print_graph
    from e2e_ansible.report.table import print_table
    from e2e_ansible.report.words import duration, host_words

    console = Console()
    nodes = ", ".join(node.name for node in plan.nodes)
    console.print(
        Text.assemble((plan.name, "bold"), f"  {plan.provider}: {nodes}{_class_words(plan)}"), soft_wrap=True
    )
    rows = [
        (
            step.id,
            host_words(step.hosts),
            "; ".join(text for text in (step.description, ", ".join(step.judgement.checks)) if text),
            duration(most_seconds(plan, step)),
            str(step.source.line),
        )
        for step in plan.steps
    ]
    print_table(console, [("step", "hosts", "what, checks", "at most", "line"), *rows], wraps=2, right=(3, 4))
    print_graph(console, plan)
    console.print(Text(f"plan {folder}\nhash {plan.hash}\n"), soft_wrap=True)
