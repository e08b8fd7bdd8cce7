"""The Typer application."""

from __future__ import annotations

from typing import Annotated

import typer

from e2e_ansible import __version__
from e2e_ansible.cli.analyze import analyze
from e2e_ansible.cli.awx import awx
from e2e_ansible.cli.compare import compare
from e2e_ansible.cli.destroy import destroy
from e2e_ansible.cli.doctor import doctor
from e2e_ansible.cli.group import Group
from e2e_ansible.cli.heal import heal
from e2e_ansible.cli.history import history
from e2e_ansible.cli.listing import list_tests
from e2e_ansible.cli.plan import plan
from e2e_ansible.cli.providers import providers
from e2e_ansible.cli.quota import quota
from e2e_ansible.cli.reap import reap
from e2e_ansible.cli.report import report
from e2e_ansible.cli.rerun import rerun
from e2e_ansible.cli.resume import resume
from e2e_ansible.cli.role import role
from e2e_ansible.cli.run import run
from e2e_ansible.cli.schema import schema
from e2e_ansible.cli.shrink import shrink
from e2e_ansible.cli.validate import validate

__all__ = ["app"]

app = typer.Typer(
    name="e2e-ansible",
    cls=Group,
    help="Tests whether a database cluster survives: deploy, crash, judge, on real nodes.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 pass, 1 product, 2 bad input, 3 unknown, 4 infrastructure, 5 harness, "
    "6 clean-up, 130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for _command in (
    run,
    plan,
    validate,
    report,
    analyze,
    compare,
    history,
    rerun,
    resume,
    shrink,
    heal,
    destroy,
    reap,
    quota,
    schema,
    doctor,
    role,
    providers,
):
    app.command()(_command)
app.command("list")(list_tests)
app.add_typer(awx, name="awx")
