"""One test of a suite, ready to run: once, in cycles, as a rehearsal, or going on where a dead run has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible import api
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.protocol import Engine
from e2e_ansible.judge.result import RunResult
from e2e_ansible.pytest_plugin.harness import Harness
from e2e_ansible.report.notice import Listener
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.folder import Manifest, RunFolder
from e2e_ansible.run.session import prepare, run_plans
from e2e_ansible.soak.course import Course
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.options import SoakOptions
from e2e_ansible.soak.rehearse import NoEngine
from e2e_ansible.soak.rules import Stop
from e2e_ansible.soak.session import Hearers, resume_soak, run_soak
from e2e_ansible.soak.session import test_name as name_of_soak
from e2e_ansible.soak.watch import Watch
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.model import Contexts, Suite, Test

__all__ = ["Done", "Work", "do", "work_for"]

_Act = Callable[[Sequence[Listener]], "Done"]


@dataclass(frozen=True)
class Done:
    """A run that was done; without a result it was only compiled."""

    folder: RunFolder
    result: RunResult | None


@dataclass(frozen=True)
class Work:
    """What is to be done, and how many nodes it makes. `note` says what else is to be known of it."""

    nodes: int
    act: _Act
    note: str = ""


def do(harness: Harness, work: Work, listener: Listener) -> Done:
    """Do it, within the budget of nodes.

    Raises:
        E2EError: it could not be begun, or its folder cannot be written.
    """
    with harness.budget.nodes(work.nodes):
        done = work.act([harness.note, listener])
    if done.result is not None:
        harness.register.over(done.folder.path)
    return done


def work_for(harness: Harness, suite: Suite, test: Test, *, cycles: int | None = None) -> Work:
    """What the options make of a test; everything is compiled, and nothing begun.

    Raises:
        SuiteError: a part of it cannot be done in cycles.
        UsageError: what is asked for cannot be done with this test, or another plan would go on.
    """
    settings = harness.settings
    nodes = 0 if settings.dry_run else len(test.nodes)
    if settings.resume:
        old = _newest(settings.runs, suite.file, test.name, dry_run=settings.dry_run)
        if old is not None:
            return Work(
                nodes, _going_on(harness, old, suite, test), f"goes on with {harness.shown(old.path)}"
            )
    note = (
        f"nothing in {harness.shown(settings.runs)} was to go on, so it begins anew"
        if settings.resume
        else ""
    )
    if settings.in_cycles or cycles:
        soak = settings.soak(cycles, contexts=settings.contexts if test.contexts else None)
        if soak.inject == "random":
            note = f"{note}; random failures by --e2e-seed {soak.seed}".removeprefix("; ")
        return Work(nodes, _in_cycles(harness, suite, test, soak), note)
    plans = api.plan(suite)
    return Work(nodes, _compiled(harness, plans) if settings.dry_run else _once(harness, plans), note)


def _options(harness: Harness) -> RunOptions:
    return RunOptions(keep=harness.settings.keep, dry_run=harness.settings.dry_run)


def _compiled(harness: Harness, plans: Sequence[Plan]) -> _Act:
    def act(listeners: Sequence[Listener]) -> Done:
        return Done(prepare(plans, runs=harness.settings.runs, options=_options(harness)), None)

    return act


def _once(harness: Harness, plans: Sequence[Plan]) -> _Act:
    def act(listeners: Sequence[Listener]) -> Done:
        result, folder = run_plans(
            plans,
            runs=harness.settings.runs,
            engine=harness.engine,
            options=_options(harness),
            listeners=listeners,
        )
        return Done(folder, result)

    return act


def _in_cycles(harness: Harness, suite: Suite, test: Test, soak: SoakOptions) -> _Act:
    course = _course(harness, suite, test, soak)

    def act(listeners: Sequence[Listener]) -> Done:
        result, folder = run_soak(
            course,
            runs=harness.settings.runs,
            engine=_engine(harness),
            options=_options(harness),
            hearers=_hearers(listeners),
        )
        return Done(folder, result)

    return act


def _course(harness: Harness, suite: Suite, test: Test, soak: SoakOptions) -> Course:
    def load(contexts: Contexts | None) -> Suite:
        return harness.only(suite.file, test, contexts)

    return Course(load, step_types(), soak)


def _engine(harness: Harness) -> Engine:
    return NoEngine() if harness.settings.dry_run else harness.engine


def _hearers(listeners: Sequence[Listener]) -> Hearers:
    return Hearers(listeners=listeners, watch=Watch())


def _going_on(harness: Harness, run: RunFolder, suite: Suite, test: Test) -> _Act:
    soak = run.manifest().soak
    if soak is None:
        plans = api.plan(suite)

        def resume_plain(listeners: Sequence[Listener]) -> Done:
            return Done(run, api.resume(run.path, plans, listeners=listeners, engine=harness.engine))

        return resume_plain
    course = _course(harness, suite, test, soak)

    def resume(listeners: Sequence[Listener]) -> Done:
        changes = harness.settings.bounds()
        hearers = _hearers(listeners)
        return Done(run, resume_soak(run, course, engine=_engine(harness), hearers=hearers, changes=changes))

    return resume


# ---- the run that goes on


def _newest(runs: Path, file: Path, test: str, *, dry_run: bool) -> RunFolder | None:
    """The newest run of a test, if it can go on."""
    mine = [run for run in _runs(runs) if _is_of(run, run.manifest(), file, test, dry_run=dry_run)]
    newest = max(mine, key=lambda run: run.begun, default=None)
    return newest if newest is not None and _can_go_on(newest, newest.manifest()) else None


def _runs(folder: Path) -> Iterator[RunFolder]:
    return (RunFolder.open(path.parent) for path in folder.glob("*/run.json"))


def _is_of(run: RunFolder, manifest: Manifest, file: Path, test: str, *, dry_run: bool) -> bool:
    if manifest.dry_run is not dry_run or not manifest.tests:
        return False
    name = manifest.tests[0].name if manifest.soak is None else name_of_soak(run)
    alone = manifest.soak is not None or len(manifest.tests) == 1
    return alone and (manifest.tests[0].suite, name) == (str(file.resolve()), test)


def _can_go_on(run: RunFolder, manifest: Manifest) -> bool:
    if manifest.soak is None:
        return manifest.ended is None and not manifest.dry_run
    return manifest.ended is None or SoakFolder(run).read_state().stopped is Stop.INTERRUPTED
