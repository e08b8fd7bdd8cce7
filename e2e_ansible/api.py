"""The public Python API: load a suite, compile it to plans, run them, judge a run folder again.

Everything that code around a run, and authors of checks and step types, need can be imported from here.

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
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from pathlib import Path

from e2e_ansible.checks import (
    Check,
    Outcome,
    Situation,
    ValidationRegistry,
    failed,
    passed,
    unknown,
    validation_registry,
)
from e2e_ansible.checks.custom import load_folder, real_folder
from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.content import content_digest
from e2e_ansible.engine.protocol import Engine
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import RunResult, StepResult, TestResult
from e2e_ansible.names import suggestion
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.report.notice import Listener
from e2e_ansible.run.analysis import Analysis
from e2e_ansible.run.analysis import analyze as analyze_run
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.engines import open_engine
from e2e_ansible.run.folder import ManifestTest, RunFolder
from e2e_ansible.run.healing import heal_run
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.repeat import repeated, repetition
from e2e_ansible.run.resume import resume_run
from e2e_ansible.run.session import run_plans
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, Unsafe, play
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.steps.registry import register, step_types
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.model import Contexts, Keep, StepOptions, Suite
from e2e_ansible.verdict import Cause, Status, Verdict

__all__ = [
    "RUNS",
    "Analysis",
    "Cause",
    "Check",
    "CompileContext",
    "CompiledStep",
    "Judgement",
    "Outcome",
    "Plan",
    "Replay",
    "RunResult",
    "Situation",
    "Status",
    "StepOptions",
    "StepResult",
    "StepType",
    "Suite",
    "TestResult",
    "Unsafe",
    "ValidationRegistry",
    "Verdict",
    "analyze",
    "failed",
    "heal",
    "judge",
    "load",
    "passed",
    "plan",
    "play",
    "refuse_unknown",
    "register",
    "resume",
    "run",
    "unknown",
    "validation_registry",
    "write",
]

#: Where run folders are made unless another place is named.
RUNS = Path("runs")


def load(
    path: str | os.PathLike[str],
    *,
    provider: str | None = None,
    allow_plugins: bool = False,
    contexts: Contexts | None = None,
) -> Suite:
    """Read, check and expand a suite file. With `allow_plugins` the code in `e2e_plugins` beside it is run first.

    `contexts` are its sites, the primary one first.

    Raises:
        SuiteError: the file, or a plugin of it, has problems; all of them are in `problems`.
        UnsupportedSteps: its only problems are steps the provider cannot do (also a NotImplementedError).
    """
    load_folder(real_folder(path), allowed=allow_plugins)
    return load_suite(path, provider=provider, contexts=contexts)


def plan(suite: Suite, *, tests: Sequence[str] = ()) -> tuple[Plan, ...]:
    """Compile a suite to one plan per test; `tests` picks some by name.

    Raises:
        UsageError: the suite has no test of such a name.
    """
    refuse_unknown(tests, [test.name for test in suite.tests])
    plans = compile_suite(suite, step_types(), content_digest=content_digest())
    return tuple(made for made in plans if not tests or made.name in tests)


def refuse_unknown(tests: Sequence[str], known: Collection[str]) -> None:
    """Raise for a name of a test that does not exist.

    Raises:
        UsageError: the hint names the nearest one.
    """
    for name in tests:
        if name not in known:
            raise UsageError(f"there is no test named {name!r}", hint=suggestion(name, known))


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
    budget: str = "",
    stop_on_error: bool = False,
    keep: Keep | None = None,
    runs: str | os.PathLike[str] = RUNS,
    listeners: Sequence[Listener] = (),
    engine: Engine | None = None,
    repeat: int = 1,
) -> RunResult:
    """Run plans on real nodes. The run folder is `runs / result.run_id`. Without an engine, a warm one is used.

    With `repeat` each test is run so many times, as tests of their own, and `result.repeats` tells how steady it is.

    Raises:
        UsageError: a plan cannot be run here; nothing was started.
        InfrastructureError: a requirement is not met or a folder cannot be written.
    """
    options = RunOptions(
        parallel=parallel, max_nodes=max_nodes, stop_on_error=stop_on_error, keep=keep, budget=budget
    )
    with nullcontext(engine) if engine else open_engine() as used:
        result, _ = run_plans(
            repeated(plans, repeat), runs=Path(runs), engine=used, options=options, listeners=listeners
        )
    return result


def resume(
    folder: str | os.PathLike[str],
    plans: Sequence[Plan],
    *,
    listeners: Sequence[Listener] = (),
    engine: Engine | None = None,
) -> RunResult:
    """Go on with a run that died; `plans` are what its suites compile to now, and must be those of the run.

    Raises:
        UsageError: there is no run in the folder, it is alive or over, its nodes are gone, or a plan is another one.
        InfrastructureError: a folder cannot be written.
        HarnessError: a file of the run cannot be read.
    """

    def recompile(tests: Sequence[ManifestTest]) -> list[Plan]:
        by_name = {plan.name: plan for plan in plans}
        wanted = [test.name if test.name in by_name else test.test for test in tests]
        refuse_unknown(wanted, list(by_name))
        return [
            by_name[name] if name == test.name else repetition(by_name[name], test.repetition)
            for name, test in zip(wanted, tests, strict=True)
        ]

    with nullcontext(engine) if engine else open_engine() as used:
        run_folder = RunFolder.open(Path(folder))
        return resume_run(run_folder, engine=used, recompile=recompile, listeners=listeners)


def judge(folder: str | os.PathLike[str]) -> RunResult:
    """The result of a run, computed anew from its folder; works after a kill as well.

    Raises:
        UsageError: there is no run in the folder.
        HarnessError: a file in it cannot be read.
    """
    return read_run(RunFolder.open(Path(folder)))


def analyze(folder: str | os.PathLike[str], *, write: bool = False) -> Analysis:
    """Judge a run again and compare its reports with those in its folder; with `write`, replace those that differ.

    Raises:
        UsageError: there is no run in the folder.
        HarnessError: a file in it cannot be read.
        OSError: a report could not be written.
    """
    return analyze_run(RunFolder.open(Path(folder)), write=write)


def heal(folder: str | os.PathLike[str], *, engine: Engine | None = None) -> list[str]:
    """Undo the faults that a run has left; a sentence for each. Safe to repeat, also after a kill of the run.

    Raises:
        UsageError: there is no run in the folder, or it is alive.
        CleanUpError: a fault may still be there.
    """
    run_folder = RunFolder.open(Path(folder))
    with nullcontext(engine) if engine else open_engine() as used:
        return heal_run(run_folder, get_provider, lambda: used)
