"""`e2e-ansible awx`: suites as workflows of AWX, and operations as its job templates."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from e2e_ansible.cli.execution import Bounds, Execution, run_options
from e2e_ansible.cli.options import (
    Debug,
    JsonLines,
    Keep,
    Parallel,
    Provider,
    Runs,
    RunTest,
    StopOnError,
    SuiteFile,
    Verbose,
)

if TYPE_CHECKING:
    from e2e_ansible.awx.client import Client
    from e2e_ansible.compile.plan import Plan
    from e2e_ansible.run.context import RunOptions
    from e2e_ansible.suite.model import Test

__all__ = ["awx"]

awx = typer.Typer(
    help="Run suites and operations on AWX. E2E_AWX_HOST and E2E_AWX_TOKEN say where and who.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How an export is written."""

    YAML = "yaml"
    JSON = "json"


@awx.command()
def export(
    suite: SuiteFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there, not to standard output."),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", metavar="NAME", help=f"One of {', '.join(Format)}.")
    ] = Format.YAML,
    organization: Annotated[
        str, typer.Option("--organization", metavar="NAME", help="Whose templates the nodes are.")
    ] = "Default",
    run_test: RunTest = None,
    provider: Provider = None,
    keep: Keep = None,
) -> None:
    """Turn a suite into workflow job templates, which playbooks/awx_setup.yml makes in AWX with -e @FILE.

    Each test is one, and the suite is one more, in which all of them run at once.
    """
    import json

    import yaml

    from e2e_ansible.awx.export import exported
    from e2e_ansible.awx.whole import whole_of
    from e2e_ansible.awx.workflow import workflow_of

    tests = _tests(suite, provider, run_test or [])
    made = [workflow_of(plan, test, keep=keep.value if keep else None) for plan, test in tests]
    if len(made) > 1:  # it names them, so AWX must have them first
        made.append(whole_of([(plan, workflow) for (plan, _), workflow in zip(tests, made, strict=True)]))
    found = exported(made, organization=organization)
    text = json.dumps(found, indent=1) + "\n"
    if form is Format.YAML:
        text = "---\n" + yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True, width=100)
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        typer.echo(f"{output}: {len(made)} workflow{'s' * (len(made) != 1)}")


@awx.command()
def launch(
    suite: Annotated[
        Path | None, typer.Argument(metavar="SUITE", help="A suite file (YAML or JSON).")
    ] = None,
    template: Annotated[
        str | None,
        typer.Option("--template", metavar="NAME", help="One job template in place of a suite."),
    ] = None,
    limit: Annotated[
        str, typer.Option("--limit", "-l", metavar="NODE", help="Of a job template: the nodes it acts on.")
    ] = "",
    extra_vars: Annotated[
        list[str] | None,
        typer.Option(
            "--extra-vars", "-e", metavar="KEY=VALUE", help="Of a job template: a variable; may be repeated."
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow/--no-follow",
            help="Wait for the end and judge it; or print where it is shown, and leave.",
        ),
    ] = True,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Launch the suite as one workflow of AWX, with all its tests at once."),
    ] = False,
    run_test: RunTest = None,
    provider: Provider = None,
    parallel: Parallel = 1,
    stop_on_error: StopOnError = False,
    keep: Keep = None,
    json: JsonLines = False,
    verbose: Verbose = False,
    debug: Debug = False,
    runs: Runs = Path("runs"),
) -> None:
    """Start a suite or an operation on AWX, follow it, and judge it as a run on this machine."""
    from e2e_ansible.errors import UsageError

    if (suite is None) == (template is None):
        raise UsageError("name either a suite or a job template", hint="awx launch SUITE | --template NAME")
    if suite is not None and (limit or extra_vars):
        raise UsageError(
            "--limit and --extra-vars are for --template", hint="a suite says itself what it does"
        )
    if whole and (template is not None or parallel != 1 or stop_on_error):
        text = "--whole is for a suite, whose tests AWX runs all at once"
        raise UsageError(text, hint="leave --template, --parallel and --stop-on-error out")
    options = run_options(
        Bounds(parallel=parallel, stop_on_error=stop_on_error, keep=keep),
        Execution(verbose=verbose, debug=debug),
    )
    if suite is not None:
        tests = _tests(suite, provider, run_test or [])
        if whole:
            raise typer.Exit(_launch_whole(tests, options, follow=follow, runs=runs, json=json))
        raise typer.Exit(_launch_suite(tests, options, follow=follow, runs=runs, json=json))
    asked = {"limit": limit, "extra_vars": _variables(extra_vars or [])}
    raise typer.Exit(_launch_template(template or "", asked, options, follow=follow, runs=runs, json=json))


def _launch_suite(
    tests: list[tuple[Plan, Test]], options: RunOptions, *, follow: bool, runs: Path, json: bool
) -> int:
    from e2e_ansible.awx.session import launch_tests, prepare, start
    from e2e_ansible.cli.views import show, view

    client = _client()
    prepared = prepare(client, tests, options)
    if not follow:
        _say_pages(start(client, prepared))
        return 0
    with view(json=json, verbose=bool(options.verbosity)) as shown:
        result, folder = launch_tests(client, prepared, runs=runs, options=options, listeners=[shown])
    if not json:
        show(result, folder, verbose=bool(options.verbosity))
    return result.exit_code


def _launch_whole(
    tests: list[tuple[Plan, Test]], options: RunOptions, *, follow: bool, runs: Path, json: bool
) -> int:
    from e2e_ansible.awx.session import launch_whole, prepare, prepare_whole, start_whole
    from e2e_ansible.cli.views import show, view

    client = _client()
    prepared = prepare(client, tests, options)
    template = prepare_whole(client, prepared)
    if not follow:
        _say_pages([start_whole(client, prepared, template)])
        return 0
    with view(json=json, verbose=bool(options.verbosity)) as shown:
        result, folder = launch_whole(
            client, prepared, template, runs=runs, options=options, listeners=[shown]
        )
    if not json:
        show(result, folder, verbose=bool(options.verbosity))
    return result.exit_code


def _launch_template(
    name: str, asked: dict[str, Any], options: RunOptions, *, follow: bool, runs: Path, json: bool
) -> int:
    from e2e_ansible.awx.session import launch_operation, start_operation
    from e2e_ansible.cli.views import show, view

    client = _client()
    if not follow:
        _say_pages([start_operation(client, name, asked)])
        return 0
    with view(json=json, verbose=bool(options.verbosity)) as shown:
        result, folder = launch_operation(client, name, asked, runs=runs, options=options, listeners=[shown])
    if not json:
        show(result, folder, verbose=bool(options.verbosity))
    return result.exit_code


def _say_pages(pages: list[str]) -> None:
    for page in pages:
        typer.echo(page)


def _client() -> Client:
    from e2e_ansible.awx.client import Client, Server

    return Client(Server.from_environment())


def _tests(suite: Path, provider: str | None, names: list[str]) -> list[tuple[Plan, Test]]:
    """The plans of a suite with the tests that they were made from."""
    from e2e_ansible.api import plan
    from e2e_ansible.awx.refusal import reduced
    from e2e_ansible.cli.suites import load_files

    (loaded,) = load_files([suite], provider=provider, allow_plugins=False)
    written = {test.name: test for test in loaded.tests}
    made = [(each, written[each.name]) for each in plan(loaded, tests=names)]
    for line in dict.fromkeys(line for _, test in made for line in reduced(test)):
        typer.echo(line, err=True)
    return made


def _variables(pairs: list[str]) -> dict[str, Any]:
    """KEY=VALUE, each value as YAML: 5 is a number, [a, b] a list."""
    import yaml

    from e2e_ansible.errors import UsageError

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"{pair!r} is no KEY=VALUE", hint="for example -e node_power_operation=off")
        try:
            found[name] = yaml.safe_load(text) if text else ""
        except yaml.YAMLError as error:
            raise UsageError(f"the value of {name} is no YAML: {text!r}") from error
    return found
