"""`e2e-ansible validate`: all problems of a suite at once."""

from __future__ import annotations

import typer

from e2e_ansible.cli.options import AllowPlugins, Provider, SuiteFiles

__all__ = ["validate"]


def validate(suites: SuiteFiles, provider: Provider = None, allow_plugins: AllowPlugins = False) -> None:
    """Check suites and start nothing. Each problem comes with its file, line, column and the nearest name."""
    from e2e_ansible.cli.suites import load_files

    for suite in load_files(suites, provider=provider, allow_plugins=allow_plugins):
        steps = sum(len(test.steps) for test in suite.tests)
        typer.echo(f"{suite.file}: fine, tests: {len(suite.tests)}, steps: {steps}")
