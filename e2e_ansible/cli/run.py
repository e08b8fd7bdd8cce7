"""`e2e-ansible run`: suites to a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.options import (
    AllowPlugins,
    Debug,
    Engine,
    JsonLines,
    Keep,
    MaxNodes,
    Parallel,
    Provider,
    Runs,
    RunTest,
    StopOnError,
    SuiteFiles,
    Verbose,
    run_options,
)
from e2e_ansible.engine.name import EngineName

if TYPE_CHECKING:
    from e2e_ansible.compile.plan import Plan

__all__ = ["run"]


def run(
    suites: SuiteFiles,
    run_test: RunTest = None,
    only_provider: Annotated[
        str | None, typer.Option("--only-provider", metavar="NAME", help="Only tests that say this provider.")
    ] = None,
    provider: Provider = None,
    parallel: Parallel = 1,
    max_nodes: MaxNodes = None,
    stop_on_error: StopOnError = False,
    keep: Keep = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and compile everything, show the plan, make no node.")
    ] = False,
    json: JsonLines = False,
    verbose: Verbose = False,
    debug: Debug = False,
    allow_plugins: AllowPlugins = False,
    engine: Engine = EngineName.WARM,
    runs: Runs = Path("runs"),
) -> None:
    """Run suites, or plans that `plan -o` has written, on real nodes and judge them.

    A plan is run exactly as it is: one that was changed, or that other roles and plugins would run, is refused.
    """
    from e2e_ansible.cli.plan import show_plans
    from e2e_ansible.cli.suites import compile_files, of_provider, plan_folders, read_plans
    from e2e_ansible.cli.views import run_and_show
    from e2e_ansible.run.engines import open_engine

    written = plan_folders(suites)

    def compiled() -> list[Plan]:
        if written:
            return of_provider(read_plans(written, provider=provider, tests=run_test or ()), only_provider)
        made = compile_files(suites, provider=provider, allow_plugins=allow_plugins, tests=run_test or ())
        return of_provider(made, only_provider)

    options = run_options(
        parallel=parallel,
        max_nodes=max_nodes,
        stop_on_error=stop_on_error,
        keep=keep,
        verbose=verbose,
        debug=debug,
        dry_run=dry_run,
        from_plans=bool(written),
    )
    if dry_run:
        show_plans(compiled(), options, runs=runs, json=json)
        return
    with open_engine(engine) as opened:
        raise typer.Exit(run_and_show(compiled(), options, opened, runs=runs, json=json))
