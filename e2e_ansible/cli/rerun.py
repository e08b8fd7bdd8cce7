"""`e2e-ansible rerun`: the tests of an earlier run again, from its suite files as they are now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.options import AllowPlugins, Debug, Keep, RunArgument, Runs, Verbose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2e_ansible.compile.plan import Plan
    from e2e_ansible.run.folder import ManifestTest, RunFolder

__all__ = ["rerun"]

_DEBUG_VERBOSITY = 4


def rerun(
    run: RunArgument = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only tests that did not pass.")] = False,
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
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line on standard output.")
    ] = False,
    verbose: Verbose = False,
    debug: Debug = False,
    allow_plugins: AllowPlugins = False,
    runs: Runs = Path("runs"),
) -> None:
    """Run the tests of an earlier run again."""
    from e2e_ansible.cli.folders import find_run
    from e2e_ansible.cli.views import run_and_show
    from e2e_ansible.run.context import RunOptions

    folder = find_run(run, runs)
    tests = _wanted(folder, failed=failed)
    if not tests:
        typer.echo("every test of that run passed; there is nothing to run again")
        return
    plans = _plans(tests, allow_plugins=allow_plugins)
    options = RunOptions(
        parallel=parallel,
        max_nodes=max_nodes,
        stop_on_error=stop_on_error,
        keep=keep.value if keep else None,
        verbosity=_DEBUG_VERBOSITY if debug else int(verbose),
    )
    raise typer.Exit(run_and_show(plans, options, runs=runs, json=json))


def _wanted(folder: RunFolder, *, failed: bool) -> list[ManifestTest]:
    from e2e_ansible.run.results import read_run

    passed = {test.folder for test in read_run(folder).tests if test.success}
    return [test for test in folder.manifest().tests if not (failed and test.folder in passed)]


def _plans(tests: Sequence[ManifestTest], *, allow_plugins: bool) -> list[Plan]:
    from e2e_ansible.cli.folders import shown
    from e2e_ansible.cli.suites import compile_files

    plans: list[Plan] = []
    for suite, provider in dict.fromkeys((test.suite, test.provider) for test in tests):
        wanted = [test for test in tests if (test.suite, test.provider) == (suite, provider)]
        file = Path(shown(Path(suite)))
        made = compile_files(
            [file], provider=provider, allow_plugins=allow_plugins, tests=[test.name for test in wanted]
        )
        if any(plan.suite_digest != wanted[0].suite_digest for plan in made):
            typer.echo(f"{file} is not the same as in that run", err=True)
        plans.extend(made)
    return plans
