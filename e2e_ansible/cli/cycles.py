"""Tests that are done in cycles, and gone on with, under the right view."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from e2e_ansible.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from e2e_ansible.cli.cycle_options import CycleOptions
    from e2e_ansible.cli.execution import Execution
    from e2e_ansible.cli.selection import Selection
    from e2e_ansible.engine.protocol import Engine
    from e2e_ansible.judge.result import RunResult
    from e2e_ansible.notify.notifier import Notifier
    from e2e_ansible.report.notice import Listener
    from e2e_ansible.run.context import RunOptions
    from e2e_ansible.run.folder import RunFolder
    from e2e_ansible.soak.course import Course
    from e2e_ansible.soak.options import SoakOptions
    from e2e_ansible.soak.session import Hearers
    from e2e_ansible.suite.model import Contexts, Suite

__all__ = ["resume_and_show", "soak_and_show"]


def soak_and_show(
    suites: Sequence[Path],
    said: CycleOptions,
    selection: Selection,
    execution: Execution,
    options: RunOptions,
    notifier: Notifier | None = None,
) -> int:
    """Do a test in cycles, or go on with it; returns the exit code.

    Raises:
        UsageError: that is not possible with one of the options, or with these suites.
    """
    from e2e_ansible.soak.session import run_soak

    selection.refuse_for_cycles()
    file = _only_file(suites)
    if said.resume:
        said.refuse_others()
        run = _newest_of(file, execution.runs, dry_run=options.dry_run)
        return resume_and_show(run, execution, suite=file, notifier=notifier, changes=said.bounds())
    soak = said.options()
    course = _course(
        file, soak, provider=selection.provider, allow_plugins=execution.allow_plugins, tests=selection.tests
    )
    if soak.inject == "random":
        typer.echo(f"random failures by seed {soak.seed}: --seed {soak.seed} draws the same", err=True)

    def act(opened: Engine, hearers: Hearers) -> tuple[RunResult, RunFolder]:
        return run_soak(course, runs=execution.runs, engine=opened, options=options, hearers=hearers)

    return _show(act, execution, notifier, dry_run=options.dry_run)


def resume_and_show(
    run: RunFolder,
    execution: Execution,
    *,
    suite: Path | None,
    notifier: Notifier | None = None,
    changes: dict[str, object] | None = None,
) -> int:
    """Go on with a run in cycles; returns the exit code."""
    from e2e_ansible.soak.session import resume_soak, test_name

    manifest = run.manifest()
    assert manifest.soak is not None
    entry = manifest.tests[0]
    course = _course(
        suite or Path(entry.suite),
        manifest.soak,
        provider=entry.provider,
        allow_plugins=execution.allow_plugins,
        tests=[test_name(run)],
    )

    def act(opened: Engine, hearers: Hearers) -> tuple[RunResult, RunFolder]:
        return resume_soak(run, course, engine=opened, hearers=hearers, changes=changes), run

    return _show(act, execution, notifier, dry_run=manifest.dry_run)


def _show(
    act: Callable[[Engine, Hearers], tuple[RunResult, RunFolder]],
    execution: Execution,
    notifier: Notifier | None,
    *,
    dry_run: bool,
) -> int:
    from e2e_ansible.cli.views import told
    from e2e_ansible.run.engines import open_engine
    from e2e_ansible.soak.rehearse import NoEngine
    from e2e_ansible.soak.session import Hearers
    from e2e_ansible.soak.watch import Watch

    records = [notifier.record] if notifier else []
    with nullcontext(NoEngine()) if dry_run else open_engine(execution.engine) as opened:

        def heard(listener: Listener) -> tuple[RunResult, RunFolder]:
            return act(opened, Hearers(listeners=[listener], records=records, watch=Watch()))

        code = told(heard, json=execution.json, verbose=execution.loud, notifier=notifier)
    return 0 if dry_run else code


def _course(
    file: Path, soak: SoakOptions, *, provider: str | None, allow_plugins: bool, tests: Sequence[str]
) -> Course:
    from e2e_ansible.api import load, refuse_unknown
    from e2e_ansible.soak.course import Course
    from e2e_ansible.steps.registry import step_types

    def suite(contexts: Contexts | None) -> Suite:
        found = load(file, provider=provider, allow_plugins=allow_plugins, contexts=contexts)
        refuse_unknown(tests, [test.name for test in found.tests])
        return replace(found, tests=tuple(test for test in found.tests if not tests or test.name in tests))

    suite(None)  # the plugins beside it are known from here on
    return Course(suite, step_types(), soak)


def _only_file(suites: Sequence[Path]) -> Path:
    if len(suites) != 1 or suites[0].is_dir():
        raise UsageError("one suite file is done in cycles", hint="name one file; not a folder, not a plan")
    return suites[0]


def _newest_of(file: Path, runs: Path, *, dry_run: bool) -> RunFolder:
    """The newest run in cycles of a suite.

    Raises:
        UsageError: there is none.
    """
    from e2e_ansible.cli.folders import newest_first

    wanted = str(file.resolve())
    for run in newest_first(runs):
        manifest = run.manifest()
        if manifest.soak and manifest.dry_run == dry_run and manifest.tests[0].suite == wanted:
            return run
    what = "rehearsal" if dry_run else "run"
    raise UsageError(f"there is no {what} in cycles of {file} in {runs}", hint="begin one: without --resume")
