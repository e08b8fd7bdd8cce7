"""Options for how tests are run: what may exist at once, and how it is done and shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.options import (
    AllowPlugins,
    Budget,
    Debug,
    Engine,
    JsonLines,
    Keep,
    Parallel,
    Runs,
    StopOnError,
    Verbose,
)
from e2e_ansible.engine.name import EngineName

if TYPE_CHECKING:
    from e2e_ansible.run.context import RunOptions

__all__ = ["Bounds", "Execution", "run_options"]

_DEBUG_VERBOSITY = 4


@dataclass(frozen=True)
class Bounds:
    """How much there may be at once, when to stop, and what stays."""

    parallel: Parallel = 1
    max_nodes: Annotated[
        int | None, typer.Option("--max-nodes", metavar="N", min=1, help="How many nodes may exist at once.")
    ] = None
    budget: Budget = ""
    stop_on_error: StopOnError = False
    keep: Keep = None


@dataclass(frozen=True)
class Execution:
    """How it is done, what is shown of it, and where it is kept."""

    json: JsonLines = False
    verbose: Verbose = False
    debug: Debug = False
    allow_plugins: AllowPlugins = False
    engine: Engine = EngineName.WARM
    runs: Runs = Path("runs")

    @property
    def loud(self) -> bool:
        """Whether Ansible's own output is shown."""
        return self.verbose or self.debug


def run_options(
    bounds: Bounds, execution: Execution, *, dry_run: bool = False, from_plans: bool = False
) -> RunOptions:
    """What the options of a command mean for a run."""
    from e2e_ansible.run.context import RunOptions

    return RunOptions(
        parallel=bounds.parallel,
        max_nodes=bounds.max_nodes,
        budget=bounds.budget,
        stop_on_error=bounds.stop_on_error,
        keep=bounds.keep.value if bounds.keep else None,
        verbosity=_DEBUG_VERBOSITY if execution.debug else int(execution.verbose),
        dry_run=dry_run,
        from_plans=from_plans,
    )
