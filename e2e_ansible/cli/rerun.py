"""`e2e-ansible rerun`: the tests of an earlier run again, from its suite files as they are now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.execution import Bounds, Execution, run_options
from e2e_ansible.cli.option_groups import grouped
from e2e_ansible.cli.options import RunArgument
from e2e_ansible.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2e_ansible.compile.plan import Plan
    from e2e_ansible.run.folder import ManifestTest, RunFolder

__all__ = ["rerun"]


@grouped
def rerun(
    run: RunArgument = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only tests that did not pass.")] = False,
    bounds: Bounds,
    execution: Execution,
) -> None:
    """Run the tests of an earlier run again. Its suite files are read as they are now."""
    from e2e_ansible.cli.folders import find_run
    from e2e_ansible.cli.views import run_and_show
    from e2e_ansible.run.engines import open_engine

    folder = find_run(run, execution.runs)
    if folder.manifest().soak is not None:
        raise UsageError(f"{folder.path} was run in cycles", hint="do them again: run SUITE --cycles 10")
    tests = _wanted(folder, failed=failed)
    if not tests:
        typer.echo("every test of that run passed; there is nothing to run again", err=True)
        return
    options = run_options(bounds, execution)
    with open_engine(execution.engine) as opened:
        plans = _plans(tests, allow_plugins=execution.allow_plugins)
        raise typer.Exit(run_and_show(plans, options, opened, runs=execution.runs, json=execution.json))


def _wanted(folder: RunFolder, *, failed: bool) -> list[ManifestTest]:
    from e2e_ansible.run.reading import read_run

    passed = {test.folder for test in read_run(folder).tests if test.success}
    return [test for test in folder.manifest().tests if not (failed and test.folder in passed)]


def _plans(tests: Sequence[ManifestTest], *, allow_plugins: bool) -> list[Plan]:
    from e2e_ansible.cli.folders import shown
    from e2e_ansible.cli.suites import compile_files
    from e2e_ansible.run.repeat import repetition

    plans: list[Plan] = []
    for suite, provider in dict.fromkeys((test.suite, test.provider) for test in tests):
        wanted = [test for test in tests if (test.suite, test.provider) == (suite, provider)]
        file = Path(shown(Path(suite)))
        made = compile_files(
            [file], provider=provider, allow_plugins=allow_plugins, tests=[test.test for test in wanted]
        )
        if any(plan.suite_digest != wanted[0].suite_digest for plan in made):
            typer.echo(f"{file} is not the same as in that run", err=True)
        by_name = {plan.name: plan for plan in made}
        plans.extend(repetition(by_name[test.test], test.repetition) for test in wanted)
    return plans
