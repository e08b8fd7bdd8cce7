"""`e2e-ansible heal`: undo the faults that a run has left."""

from __future__ import annotations

from pathlib import Path

import typer

from e2e_ansible.cli.options import Engine, RunArgument, Runs
from e2e_ansible.engine.name import EngineName

__all__ = ["heal"]


def heal(run: RunArgument = None, engine: Engine = EngineName.WARM, runs: Runs = Path("runs")) -> None:
    """Undo the faults that a run has left, and prove that they are gone. Twice is harmless."""
    from e2e_ansible.cli.folders import find_real_run
    from e2e_ansible.providers.registry import get_provider
    from e2e_ansible.run.engines import open_engine
    from e2e_ansible.run.healing import heal_run

    folder = find_real_run(run, runs)
    with open_engine(engine) as opened:
        lines = heal_run(folder, get_provider, lambda: opened)
    for line in lines or ["no fault was open"]:
        typer.echo(line)
