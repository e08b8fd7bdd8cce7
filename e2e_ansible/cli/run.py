"""`e2e-ansible run`: suites to a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from e2e_ansible.cli.options import AllowPlugins, Debug, Keep, Provider, Runs, SuiteFiles, Verbose

__all__ = ["run"]

_DEBUG_VERBOSITY = 4


def run(
    suites: SuiteFiles,
    run_test: Annotated[
        list[str] | None, typer.Option("--run-test", metavar="NAME", help="Only this test; may be repeated.")
    ] = None,
    only_provider: Annotated[
        str | None, typer.Option("--only-provider", help="Only tests that say this provider.")
    ] = None,
    provider: Provider = None,
    parallel: Annotated[
        int, typer.Option("--parallel", metavar="N", min=1, help="How many tests run at once.")
    ] = 1,
    max_nodes: Annotated[
        int | None, typer.Option("--max-nodes", metavar="N", min=1, help="How many nodes may exist at once.")
    ] = None,
    stop_on_error: Annotated[
        bool, typer.Option("--stop-on-error", help="Begin no other test after one that is not a pass.")
    ] = False,
    keep: Keep = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and compile everything, show the plan, make no node.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line on standard output.")
    ] = False,
    verbose: Verbose = False,
    debug: Debug = False,
    allow_plugins: AllowPlugins = False,
    runs: Runs = Path("runs"),
) -> None:
    """Run suites on real nodes and judge them."""
    from e2e_ansible.cli.plan import show_plans
    from e2e_ansible.cli.suites import compile_files
    from e2e_ansible.cli.views import run_and_show
    from e2e_ansible.errors import UsageError
    from e2e_ansible.run.context import RunOptions

    plans = compile_files(suites, provider=provider, allow_plugins=allow_plugins, tests=run_test or ())
    plans = [plan for plan in plans if only_provider in (None, plan.provider)]
    if not plans:
        raise UsageError(f"no test says provider {only_provider!r}")
    options = RunOptions(
        parallel=parallel,
        max_nodes=max_nodes,
        stop_on_error=stop_on_error,
        keep=keep.value if keep else None,
        verbosity=_DEBUG_VERBOSITY if debug else int(verbose),
        dry_run=dry_run,
    )
    if dry_run:
        show_plans(plans, options, runs=runs, json=json)
    else:
        raise typer.Exit(run_and_show(plans, options, runs=runs, json=json))
