"""`e2e-ansible validate`: all problems of a suite at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from e2e_ansible.cli.options import AllowPlugins, Provider, SuiteFiles

if TYPE_CHECKING:
    from e2e_ansible.suite.model import Suite

__all__ = ["validate"]


def validate(suites: SuiteFiles, provider: Provider = None, allow_plugins: AllowPlugins = False) -> None:
    """Check suites and start nothing. Each problem comes with its file, line, column and the nearest name.

    Only the suites are looked at, on any machine. Budgets, and where PostgreSQL comes from, are for `plan` and `run`.
    """
    from e2e_ansible.cli.suites import load_files

    for suite in load_files(suites, provider=provider, allow_plugins=allow_plugins):
        steps = sum(len(test.steps) for test in suite.tests)
        typer.echo(f"{suite.file}: fine, tests: {len(suite.tests)}, steps: {steps}")
        for note in dict.fromkeys(_notes(suite)):
            typer.echo(note)


def _notes(suite: Suite) -> Iterator[str]:
    """What only a run can find out, as it depends on more than the suite."""
    from e2e_ansible.providers.releases import release_of_test

    for test in suite.tests:
        parameters = test.entry.parameters.model_dump(include={"image", "postgres_version"})
        release = release_of_test(test.entry.provider, parameters)
        if release is not None and release.pgdg:
            place = test.positions.get("/parameters/postgres_version", test.source)
            yield f"{place}: PostgreSQL {release.pgdg} comes from PGDG, which is asked for it by plan and run"
