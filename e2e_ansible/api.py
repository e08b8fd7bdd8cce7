"""The public Python API: load a suite, compile it to plans, run them, judge a run folder again.

Example:
    >>> from e2e_ansible import api
    >>> suite = api.load("suites/quickstart.yaml")
    >>> plans = api.plan(suite)
    >>> result = api.run(plans, parallel=2)
    >>> result.exit_code
    0
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from e2e_ansible.checks import ValidationRegistry, validation_registry
from e2e_ansible.checks.custom import load_folder
from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.content import content_digest
from e2e_ansible.engine.protocol import Engine
from e2e_ansible.judge.result import RunResult
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.notice import Listener
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.run.results import read_run
from e2e_ansible.run.session import run_plans
from e2e_ansible.steps.base import StepType
from e2e_ansible.steps.registry import register, step_types
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.model import Keep, Suite

__all__ = [
    "RUNS",
    "StepType",
    "ValidationRegistry",
    "judge",
    "load",
    "plan",
    "register",
    "run",
    "validation_registry",
    "write",
]

RUNS = Path("runs")


def load(path: str | os.PathLike[str], *, provider: str | None = None, allow_plugins: bool = False) -> Suite:
    """Read, check and expand a suite file. With `allow_plugins` the code in `e2e_plugins` beside it is run first.

    Raises:
        SuiteError: the file, or a plugin of it, has problems; all of them are in `problems`.
        UnsupportedSteps: its only problems are steps the provider cannot do (also a NotImplementedError).
    """
    load_folder(Path(path).resolve().parent, allowed=allow_plugins)
    return load_suite(path, provider=provider)


def plan(suite: Suite, *, tests: Sequence[str] = ()) -> tuple[Plan, ...]:
    """Compile a suite to one plan per test; `tests` picks some by name."""
    plans = compile_suite(suite, step_types(), content_digest=content_digest())
    return tuple(made for made in plans if not tests or made.name in tests)


def write(made: Plan, folder: str | os.PathLike[str]) -> None:
    """Write a plan as a folder that plain `ansible-playbook` can run.

    Raises:
        OSError: it could not be written.
    """
    write_plan(made, Path(folder))


def run(
    plans: Sequence[Plan],
    *,
    parallel: int = 1,
    max_nodes: int | None = None,
    stop_on_error: bool = False,
    keep: Keep | None = None,
    runs: str | os.PathLike[str] = RUNS,
    listeners: Sequence[Listener] = (),
    engine: Engine | None = None,
) -> RunResult:
    """Run plans on real nodes. The run folder is `runs / result.run_id`.

    Raises:
        UsageError: a plan cannot be run here; nothing was started.
        InfrastructureError: a requirement is not met or a folder cannot be written.
    """
    options = RunOptions(parallel=parallel, max_nodes=max_nodes, stop_on_error=stop_on_error, keep=keep)
    result, _ = run_plans(
        plans, runs=Path(runs), engine=engine or _engine(), options=options, listeners=listeners
    )
    return result


def judge(folder: str | os.PathLike[str]) -> RunResult:
    """The result of a run, computed anew from its folder; works after a kill as well.

    Raises:
        UsageError: there is no run in the folder.
        HarnessError: a file in it cannot be read.
    """
    return read_run(RunFolder.open(Path(folder)))


def _engine() -> Engine:
    from e2e_ansible.engine.runner import RunnerEngine

    return RunnerEngine()
