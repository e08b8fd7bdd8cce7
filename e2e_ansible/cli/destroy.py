"""`e2e-ansible destroy`: remove what a run has kept or left."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from e2e_ansible.cli.options import RunArgument, Runs

__all__ = ["destroy"]


def destroy(run: RunArgument = None, runs: Runs = Path("runs")) -> None:
    """Remove what a run has kept or left: nodes, networks, processes. Its folder stays."""
    from e2e_ansible.cli.folders import find_run
    from e2e_ansible.providers.registry import get_provider
    from e2e_ansible.run.clean_up import destroy_run

    for line in dict.fromkeys(destroy_run(find_run(run, runs), get_provider, at=time.time())):
        typer.echo(line)
