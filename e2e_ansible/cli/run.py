"""`e2e-ansible run`: suites to a verdict."""

from __future__ import annotations

from typing import Annotated

import typer

from e2e_ansible.cli.cycle_options import CycleOptions
from e2e_ansible.cli.execution import Bounds, Execution, run_options
from e2e_ansible.cli.notifications import Notifications
from e2e_ansible.cli.option_groups import grouped
from e2e_ansible.cli.options import SuiteFiles
from e2e_ansible.cli.selection import Selection

__all__ = ["run"]


@grouped
def run(
    suites: SuiteFiles,
    *,
    selection: Selection,
    bounds: Bounds,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and compile everything, show the plan, make no node.")
    ] = False,
    execution: Execution,
    notifications: Notifications,
    said: CycleOptions,
) -> None:
    """Run suites, or plans that `plan -o` has written, on real nodes and judge them.

    A plan is run exactly as it is: one that was changed, or that other roles and plugins would run, is refused.
    With --cycles or --run-hours one test is done again and again; --dry-run goes through all of that without a node.
    """
    from e2e_ansible.cli.cycles import soak_and_show
    from e2e_ansible.cli.plan import show_plans
    from e2e_ansible.cli.suites import plan_folders
    from e2e_ansible.cli.views import run_and_show
    from e2e_ansible.run.engines import open_engine

    notifier = notifications.notifier()
    written = plan_folders(suites)
    options = run_options(bounds, execution, dry_run=dry_run, from_plans=bool(written))
    if said.asked:
        raise typer.Exit(soak_and_show(suites, said, selection, execution, options, notifier))
    if dry_run:
        show_plans(
            selection.plans(suites, written, execution), options, runs=execution.runs, json=execution.json
        )
        return
    with open_engine(execution.engine) as opened:  # which loads Ansible meanwhile
        plans = selection.plans(suites, written, execution)
        code = run_and_show(
            plans, options, opened, runs=execution.runs, json=execution.json, notifier=notifier
        )
    raise typer.Exit(code)
