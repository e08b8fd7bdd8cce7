"""A whole run: folder, requirements, tests, reports. The one entry that everything else calls."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.processes import end_all
from e2e_ansible.engine.protocol import Engine
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.judge.record import records
from e2e_ansible.judge.result import RunResult
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.quota.budget import run_budget
from e2e_ansible.report import notice
from e2e_ansible.report.notice import Listener
from e2e_ansible.run.begun import Before
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder, make_private, manifest_tests
from e2e_ansible.run.interrupts import interrupts
from e2e_ansible.run.journal import read_journal
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.run.quota import claim_of, open_gate, refuse_larger
from e2e_ansible.run.refusal import refused
from e2e_ansible.run.reports import write_reports
from e2e_ansible.run.requirements import check_provider, check_requirements
from e2e_ansible.run.results import run_result
from e2e_ansible.run.schedule import Done, Job, run_jobs
from e2e_ansible.run.scratch import environment, scratch_folder, scratch_path
from e2e_ansible.run.together import check_together
from e2e_ansible.run.workflow_run import run_test

__all__ = ["carry_out", "new_manifest", "prepare", "run_plans", "run_started", "test_job", "writing"]

_PACKAGES = ("e2e-ansible", "ansible-core", "ansible-runner", "pydantic", "psycopg")


def prepare(
    plans: Sequence[Plan],
    *,
    runs: Path,
    options: RunOptions,
    provider: Callable[[str], Provider] = get_provider,
) -> RunFolder:
    """Check everything that can be checked before a node exists, and make the run folder with its plans.

    Raises:
        UsageError: a test needs more than a budget has, or a provider that cannot be driven.
        InfrastructureError: a requirement is not met, or the folder cannot be made; nothing was started.
    """
    names = sorted({plan.provider for plan in plans if plan.nodes})
    check_together(
        partial(refuse_larger, plans, options),
        *(partial(_check_named, name, provider) for name in names),
        partial(check_requirements, plans, runs),
    )
    folder = RunFolder.create(runs, now=time.time())
    manifest = new_manifest(plans, folder, options)
    with writing(folder):
        folder.write_manifest(manifest)
        for plan, test in zip(plans, manifest.tests, strict=True):
            path = folder.test(test.folder)
            make_private(path.path)
            write_plan(plan, path.plan)
    return folder


def _check_named(name: str, provider: Callable[[str], Provider]) -> None:
    check_provider(provider(name))


def run_plans(
    plans: Sequence[Plan],
    *,
    runs: Path,
    engine: Engine,
    options: RunOptions | None = None,
    listeners: Sequence[Listener] = (),
    provider: Callable[[str], Provider] = get_provider,
) -> tuple[RunResult, RunFolder]:
    """Run compiled tests to their results; the folder below `runs` holds all of it, whatever happens.

    Raises:
        UsageError, InfrastructureError: as `prepare`.
    """
    how = options or RunOptions()
    folder = prepare(plans, runs=runs, options=how, provider=provider)
    with writing(folder):
        lock = folder.lock()
    try:
        manifest = folder.manifest()

        def jobs(context: RunContext) -> list[Job]:
            return [
                test_job(context, plan, test, folder)
                for plan, test in zip(plans, manifest.tests, strict=True)
            ]

        result = carry_out(folder, jobs, engine=engine, options=how, listeners=listeners, provider=provider)
    finally:
        os.close(lock)
    return result, folder


def test_job(
    context: RunContext, plan: Plan, test: ManifestTest, folder: RunFolder, before: Before | None = None
) -> Job:
    """One test that is to be run, or to go on from what a run that died has left of it."""
    of_it = (context, plan, test, folder.test(test.folder))
    return Job(
        plan.name,
        len(plan.nodes),
        partial(run_test, *of_it, before),
        claim_of(folder, plan, test),
        partial(refused, *of_it),
    )


def carry_out(
    folder: RunFolder,
    jobs: Callable[[RunContext], list[Job]],
    *,
    engine: Engine,
    options: RunOptions,
    listeners: Sequence[Listener],
    provider: Callable[[str], Provider],
) -> RunResult:
    """Run the jobs in a run folder that is locked, to the result and the reports of the run.

    Raises:
        InfrastructureError: a folder cannot be written.
    """
    manifest = folder.manifest()
    tell = Megaphone(listeners)
    tell(run_started(manifest, folder))
    with scratch_folder(Path(manifest.scratch)) as scratch, writing(folder):
        context = RunContext(
            run_id=manifest.run_id,
            engine=engine,
            options=options,
            environment=environment(scratch),
            tell=tell,
            provider=provider,
            gate=open_gate(provider, tell),
        )
        done = _run(context, jobs(context))
    reasons = {manifest.tests[index].folder: reason for index, reason in done.left_out.items()}
    manifest = manifest.model_copy(update={"left_out": reasons})
    if not (context.abandon.is_set and _is_left(folder, manifest)):
        manifest = manifest.model_copy(update={"ended": time.time()})
    result = run_result(manifest, done.results)
    with writing(folder):
        folder.write_manifest(manifest)
        write_reports(folder, result)
    tell(notice.RunEnded(at=time.time(), result=result, folder=str(folder.path)))
    return result


def _is_left(folder: RunFolder, manifest: Manifest) -> bool:
    """Whether a second interrupt has left a test as it was: then the run has not ended, and `resume` goes on."""
    journals = [folder.test(test.folder).journal for test in manifest.tests]
    return any(path.exists() and not records(read_journal(path)).over for path in journals)


def _run(context: RunContext, jobs: Sequence[Job]) -> Done:
    options = context.options
    assert context.gate is not None
    context.gate.take_over([job.claim for job in jobs if job.claim])

    def say(text: str) -> None:
        context.tell(notice.Message(at=time.time(), level="warning", text=text))

    with interrupts(context.cancel, context.abandon, say):
        try:
            return run_jobs(
                jobs,
                parallel=options.parallel,
                budget=run_budget(options.budget, options.max_nodes),
                stop_on_error=options.stop_on_error,
                cancel=context.cancel,
                gate=context.gate,
            )
        finally:
            end_all(context.run_id)


def new_manifest(plans: Sequence[Plan], folder: RunFolder, options: RunOptions) -> Manifest:
    """What a run is asked for, before it begins."""
    return Manifest(
        run_id=folder.run_id,
        suite=", ".join(dict.fromkeys(plan.suite_file for plan in plans)),
        started=time.time(),
        scratch=str(scratch_path(folder.run_id)),
        folder=str(folder.path),
        dry_run=options.dry_run,
        options={key: value for key, value in vars(options).items() if value is not None},
        versions={"python": platform.python_version(), **dict(_versions())},
        tests=manifest_tests(folder.run_id, plans),
    )


def run_started(manifest: Manifest, folder: RunFolder) -> notice.RunStarted:
    """What is told when a run begins."""
    return notice.RunStarted(
        at=manifest.started,
        run_id=manifest.run_id,
        folder=str(folder.path),
        suite=manifest.suite,
        tests=tuple(test.name for test in manifest.tests),
    )


def _versions() -> Iterator[tuple[str, str]]:
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):  # run from a source tree
            yield package, version(package)


@contextmanager
def writing(folder: RunFolder, *, hint: str = "") -> Iterator[None]:
    """Whatever cannot be written to the folder is an InfrastructureError that says so; `hint` is what to do then."""
    try:
        yield
    except OSError as error:
        text = f"the run folder {folder.path} cannot be written: {error}"
        raise InfrastructureError(text, hint=hint) from error
