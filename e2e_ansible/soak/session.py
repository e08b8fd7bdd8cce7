"""A whole soak, begun or taken up again: folder, lock, loop, result and reports."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.processes import end_all
from e2e_ansible.engine.protocol import Engine
from e2e_ansible.errors import E2EError, HarnessError, UsageError
from e2e_ansible.judge.result import RunResult
from e2e_ansible.judge.soak import KEPT_CYCLES
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.quota.gate import Gate
from e2e_ansible.report import notice
from e2e_ansible.report.notice import Listener
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.difference import difference
from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder, manifest_tests, write_private
from e2e_ansible.run.interrupts import interrupts
from e2e_ansible.run.plan_folder import read_whole_plan
from e2e_ansible.run.quota import claim_of, open_gate, refuse_larger
from e2e_ansible.run.reports import write_reports
from e2e_ansible.run.requirements import check_provider, check_requirements
from e2e_ansible.run.scratch import environment, remove_scratch, scratch_folder
from e2e_ansible.run.session import new_manifest, run_started, writing
from e2e_ansible.run.soak_reports import write_soak_reports
from e2e_ansible.soak.course import Course
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.metrics import MetricsLog
from e2e_ansible.soak.orchestrate import Soak
from e2e_ansible.soak.part_run import Abandoned
from e2e_ansible.soak.parts import CYCLE
from e2e_ansible.soak.records import Record
from e2e_ansible.soak.result import soak_result, spoiled_before
from e2e_ansible.soak.rules import State, Stop
from e2e_ansible.soak.surroundings import environment_text, manifest_text
from e2e_ansible.soak.tables import write_summary
from e2e_ansible.soak.watch import Watch

_TURN_SECONDS = 0.1

__all__ = ["Hearers", "resume_soak", "run_options", "run_soak", "test_name"]


@dataclass
class Hearers:
    """Who hears of a soak: notices as of any run, and records after they are on the disk. `watch` is its monitor."""

    listeners: Sequence[Listener] = ()
    records: Sequence[Callable[[Record], None]] = ()
    watch: Watch | None = None
    provider: Callable[[str], Provider] = get_provider
    now: Callable[[], float] = field(default=time.time)


def run_soak(
    course: Course, *, runs: Path, engine: Engine, options: RunOptions, hearers: Hearers | None = None
) -> tuple[RunResult, RunFolder]:
    """Do a test in cycles, to the result of all of it; the folder below `runs` holds it, whatever happens.

    Raises:
        UsageError: the provider cannot be driven.
        InfrastructureError: a requirement is not met, or a folder cannot be written.
    """
    who = hearers or Hearers()
    run = _prepare(course, runs, options, who)
    with writing(run):
        lock = run.lock()
    try:
        return _carry_out(run, course, engine, who), run
    finally:
        os.close(lock)


def resume_soak(
    run: RunFolder,
    course: Course,
    *,
    engine: Engine,
    hearers: Hearers | None = None,
    changes: Mapping[str, object] | None = None,
) -> RunResult:
    """Go on with a soak that died, with the same counts and the original clock.

    `course` has the options of the run; `changes` are bounds that are others from now on.

    Raises:
        UsageError: it is alive, it has ended, its nodes are gone, or the suite says something else; nothing was done.
        HarnessError: a file of it cannot be read, or a process of it would not end.
        InfrastructureError: a folder cannot be written.
    """
    who = hearers or Hearers()
    with writing(run):
        lock = run.lock()
    try:
        manifest, folder = run.manifest(), SoakFolder(run)
        state = folder.read_state()
        _refuse_over(run, course, state)
        _refuse_other_plans(folder, course, state)
        _refuse_lost_nodes(manifest, course, state, who.provider)
        alive = end_all(manifest.run_id)
        if alive:
            raise HarnessError(f"processes of the run would not end: {', '.join(map(str, alive))}")
        remove_scratch(Path(manifest.scratch))
        _take_up(folder, manifest, state, changes or {})
        return _carry_out(run, course, engine, who)
    finally:
        os.close(lock)


def _prepare(course: Course, runs: Path, options: RunOptions, who: Hearers) -> RunFolder:
    plans = course.plans()
    first = next(iter(plans.values()))
    refuse_larger([first.model_copy(update={"name": course.name})], options)
    if not options.dry_run:
        check_provider(who.provider(first.provider))
        check_requirements([first], runs)
    run = RunFolder.create(runs, now=who.now())
    manifest = _manifest(course, first, run, options)
    folder = SoakFolder(run)
    state = State(
        run_id=run.run_id,
        started=manifest.started,
        updated=manifest.started,
        dry_run=options.dry_run,
        contexts=course.contexts,
        plans={name: plan.hash for name, plan in plans.items()},
    )
    with writing(run):
        folder.make()
        for plan in plans.values():
            folder.keep_plan(plan)
        folder.write_state(state)
        asked = manifest_text(manifest, course.options, first, course.variables)
        write_private(folder.path / "manifests" / "manifest.json", asked)
        write_private(folder.path / "environment.json", environment_text(manifest, first))
        run.write_manifest(manifest)  # last: without it this is no run
    return run


def _manifest(course: Course, first: Plan, run: RunFolder, options: RunOptions) -> Manifest:
    made = new_manifest([first.model_copy(update={"name": course.name})], run, options)
    plan = course.plan(CYCLE, course.contexts)
    assert plan is not None
    (test,) = made.tests
    entry = test.model_copy(update={"folder": "cycles/0000"})  # none was begun
    return made.model_copy(
        update={"tests": (entry,), "soak": course.options, "options": {**made.options, "test": course.name}}
    )


def _deployment(manifest: Manifest, course: Course) -> str:
    """The id that `manifest_tests` gives, also when the manifest has those of single cycles."""
    plan = next(iter(course.plans().values())).model_copy(update={"name": course.name})
    (test,) = manifest_tests(manifest.run_id, [plan])
    return test.deployment


def _carry_out(run: RunFolder, course: Course, engine: Engine, who: Hearers) -> RunResult:
    manifest, folder = run.manifest(), SoakFolder(run)
    tell = Megaphone(who.listeners)
    tell(run_started(manifest.model_copy(update={"tests": manifest.tests[:1]}), run))
    options = run_options(manifest)
    hint = f"its nodes may be there: e2e-ansible resume {run.run_id}, or destroy {run.run_id}"
    with scratch_folder(Path(manifest.scratch)) as scratch, writing(run, hint=hint):
        context = RunContext(
            run_id=manifest.run_id,
            engine=engine,
            options=options,
            environment=environment(scratch),
            tell=tell,
            provider=who.provider,
            now=who.now,
            gate=None if options.dry_run else open_gate(who.provider, tell),
        )
        soak = _soak(folder, course, manifest, context, who)
        try:
            _through_gate(soak, context.gate)
        finally:
            soak.metrics.close()
    return _end(folder, soak, tell)


def _soak(folder: SoakFolder, course: Course, manifest: Manifest, context: RunContext, who: Hearers) -> Soak:
    assert manifest.soak is not None
    return Soak(
        folder=folder,
        course=course,
        options=manifest.soak,
        context=context,
        state=folder.read_state(),
        deployment=_deployment(manifest, course),
        metrics=MetricsLog(folder.metrics, dry_run=manifest.dry_run),
        listeners=who.records,
        watch=who.watch,
        spoiled=list(islice(spoiled_before(folder), KEPT_CYCLES)),
    )


def _through_gate(soak: Soak, gate: Gate | None) -> None:
    """All cycles; the nodes of all of them are reserved before the first, and as long as they are there."""
    if gate is None:
        _loop(soak, lambda: True)
        return
    claim = claim_of(soak.folder.run, next(iter(soak.course.plans().values())), _entry(soak))
    gate.take_over([claim])
    try:
        _loop(soak, lambda: gate.may_begin(claim))
    finally:
        gate.withdraw(claim)
        if gate.granted(claim.deployment):
            gate.over(claim.deployment, gone=_is_gone(soak))


def _entry(soak: Soak) -> ManifestTest:
    first = soak.folder.run.manifest().tests[0]
    return first.model_copy(update={"deployment": soak.deployment, "name": soak.course.name})


def _is_gone(soak: Soak) -> bool:
    """Whether the nodes are; those of a provider that cannot be asked stay reserved."""
    (provider,) = {plan.provider for plan in soak.course.plans().values()}
    try:
        return soak.deployment not in soak.context.provider(provider).deployments()
    except (E2EError, OSError):
        return False


def _loop(soak: Soak, has_turn: Callable[[], bool]) -> None:
    context = soak.context

    def say(text: str) -> None:
        context.tell(notice.Message(at=context.now(), level="warning", text=text))

    with interrupts(context.cancel, context.abandon, say):
        try:
            while not has_turn() and not context.cancel.wait(_TURN_SECONDS):
                pass
            soak.run()
        except Abandoned:
            soak.state = soak.state.model_copy(update={"abandoned": True})
            soak.folder.write_state(soak.state)
        finally:
            end_all(context.run_id)


def _end(folder: SoakFolder, soak: Soak, tell: Megaphone) -> RunResult:
    run, now = folder.run, soak.context.now()
    manifest = run.manifest()
    if soak.state.over:
        manifest = manifest.model_copy(update={"ended": now})
    result = soak_result(manifest, soak.state, soak.parts, soak.spoiled)
    with writing(run):
        run.write_manifest(manifest)
        write_summary(folder, soak.state, now)
        write_reports(run, result)
    if soak.state.tally.total and not soak.state.dry_run:
        _analyze(run, tell, now)
    tell(notice.RunEnded(at=now, result=result, folder=str(run.path)))
    return result


def _analyze(run: RunFolder, tell: Megaphone, now: float) -> None:
    """The statistics, which take no verdict away when they cannot be made."""
    try:
        write_soak_reports(run)
    except (E2EError, OSError) as error:
        tell(notice.Message(at=now, level="warning", text=f"the analysis could not be written: {error}"))


def run_options(manifest: Manifest) -> RunOptions:
    """How the run was asked to be done."""
    known = {key: value for key, value in manifest.options.items() if key in RunOptions.__dataclass_fields__}
    return RunOptions(**known)  # type: ignore[arg-type]  # written by `vars` of the same class


# ---- taking up


def test_name(run: RunFolder) -> str:
    """The name of the test that a soak does.

    Raises:
        HarnessError: a file of it cannot be read.
    """
    return str(run.manifest().options["test"])


def _refuse_over(run: RunFolder, course: Course, state: State) -> None:
    """One that was interrupted once can go on while its nodes are there, or when every cycle makes its own."""
    if state.over and state.stopped is not Stop.INTERRUPTED:
        text = f"{run.path} has ended ({state.stopped}); there is nothing to go on with"
        raise UsageError(text, hint="start anew: e2e-ansible run SUITE --cycles N")


def _refuse_other_plans(folder: SoakFolder, course: Course, state: State) -> None:
    now = course.plans()
    found = []
    for name, digest in state.plans.items():
        old = read_whole_plan(folder.plan(digest), of_a_run=True)
        text = difference(old, now[name]) if name in now else f"it has no {name} any more"
        if not text and old.content_digest != now[name].content_digest:
            text = "its roles and plugins are others"
        found += [f"{name}:\n{text}"] if text else []
    found += [f"{name}: that is new" for name in now if name not in state.plans]
    if found:
        raise UsageError(
            "\n".join(["the suite says something else than what was run:", *found]),
            hint="put the suite back as it was, or remove the run with destroy and start anew",
        )


def _refuse_lost_nodes(
    manifest: Manifest, course: Course, state: State, provider: Callable[[str], Provider]
) -> None:
    if state.dry_run or not course.shared or not state.setup:
        return
    plan = next(iter(course.plans().values()))
    deployment = _deployment(manifest, course)
    if deployment not in provider(plan.provider).deployments():
        text = f"the nodes of {course.name} were removed: there is no deployment {deployment}"
        raise UsageError(text, hint="start anew: e2e-ansible run SUITE --cycles N")


def _take_up(folder: SoakFolder, manifest: Manifest, state: State, changes: Mapping[str, object]) -> None:
    """What ended it before is over; bounds may be others from now on."""
    update: dict[str, object] = {
        "abandoned": False,
        "over": False,
        "clean_up": "",
        "clean_up_ok": True,
        "kept": False,
    }
    if state.stopped is Stop.INTERRUPTED:
        update["stopped"] = None
    with writing(folder.run):
        folder.write_state(state.model_copy(update=update))
        soak = manifest.soak.model_copy(update=changes) if manifest.soak else None
        folder.run.write_manifest(manifest.model_copy(update={"soak": soak, "ended": None}))
