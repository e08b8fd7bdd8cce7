"""Takes up a run that died: what has ended stays, what was under way goes on, what was not begun begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.processes import end_all
from e2e_ansible.engine.protocol import Engine
from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.judge.flow import steps_of
from e2e_ansible.judge.record import records
from e2e_ansible.judge.result import RunResult
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.report.notice import Listener
from e2e_ansible.run.begun import Before, read_before
from e2e_ansible.run.context import RunContext, RunOptions
from e2e_ansible.run.difference import difference
from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder
from e2e_ansible.run.journal import read_journal
from e2e_ansible.run.plan_folder import check_content, read_whole_plan
from e2e_ansible.run.results import read_test
from e2e_ansible.run.schedule import INTERRUPTED, Job
from e2e_ansible.run.scratch import remove_scratch
from e2e_ansible.run.session import carry_out, test_job, writing

__all__ = ["Recompile", "needs_nodes", "resume_run"]

#: What the suites of these tests compile to now, one plan for each in the same order.
Recompile = Callable[[Sequence[ManifestTest]], Sequence[Plan]]


@dataclass(frozen=True)
class _Left:
    """One test of the run; `plan` is None when nothing is left to do of it. `left_out`: why it was never begun."""

    test: ManifestTest
    plan: Plan | None = None
    before: Before | None = None
    left_out: str = ""


def resume_run(
    run: RunFolder,
    *,
    engine: Engine,
    recompile: Recompile,
    listeners: Sequence[Listener] = (),
    provider: Callable[[str], Provider] = get_provider,
) -> RunResult:
    """Go on with a run that died, to its result.

    Raises:
        UsageError: it is alive, it has ended, its nodes are gone, or another plan would be run; nothing was done.
        InfrastructureError: a folder cannot be written.
        HarnessError: a file of the run cannot be read, or a process of it would not end.
    """
    with writing(run):
        lock = run.lock()
    try:
        manifest = run.manifest()
        left = _left(run, manifest)
        if not manifest.options.get("from_plans"):
            _refuse_other_plans(left, recompile)
        _refuse_lost_nodes(run, left, provider)
        alive = end_all(manifest.run_id)
        if alive:
            raise HarnessError(f"processes of the run would not end: {', '.join(map(str, alive))}")
        remove_scratch(Path(manifest.scratch))

        def jobs(context: RunContext) -> list[Job]:
            return [_job(context, run, each) for each in left]

        return carry_out(
            run,
            jobs,
            engine=engine,
            options=_options(manifest),
            listeners=listeners,
            provider=provider,
        )
    finally:
        os.close(lock)


def _left(run: RunFolder, manifest: Manifest) -> list[_Left]:
    """What is left of each test; its plan is read as it was compiled, to the last byte.

    Raises:
        UsageError: nothing is left, or the run never got to its first test.
    """
    if manifest.dry_run:
        raise UsageError(
            f"{run.path} is from a dry run: nothing was run", hint="start it: e2e-ansible run SUITE"
        )
    found = [_of_test(run, manifest, test) for test in manifest.tests]
    if not any(each.plan for each in found):
        hint = f"run its tests again: e2e-ansible rerun {run.run_id}"
        raise UsageError(f"{run.path} has ended; there is nothing to go on with", hint=hint)
    return found


def _of_test(run: RunFolder, manifest: Manifest, test: ManifestTest) -> _Left:
    folder = run.test(test.folder)
    begun = folder.journal.exists()
    record = records(read_journal(folder.journal))
    if manifest.ended is not None and not begun:
        return _Left(test, left_out=manifest.left_out.get(test.folder, INTERRUPTED))
    if record.over:
        return _Left(test)
    plan = read_whole_plan(folder.plan, of_a_run=True)
    if record.plan_hash and record.plan_hash != plan.hash:
        raise UsageError(f"{folder.plan} is not the plan that was run: that had the hash {record.plan_hash}")
    check_content(plan, folder.plan)
    if record.healed is not None and record.healed.by_hand:
        raise UsageError(
            f"the faults of {test.name} were healed by hand, so its steps cannot go on as they were planned",
            hint=_start_anew(run),
        )
    return _Left(test, plan, read_before(plan, folder))


def _refuse_other_plans(left: Sequence[_Left], recompile: Recompile) -> None:
    """See that the suites still compile to what was run.

    Raises:
        UsageError: the difference, test by test.
    """
    wanted = [each for each in left if each.plan is not None]
    now = recompile([each.test for each in wanted])
    found = []
    for each, plan in zip(wanted, now, strict=True):
        text = difference(each.plan, plan) if each.plan is not None else ""
        found += [f"{each.test.name} of {each.test.suite}:\n{text}"] if text else []
    if found:
        raise UsageError(
            "\n".join(["the suite says something else than what was run:", *found]),
            hint="put the suite back as it was, or remove the run with destroy and start anew with rerun",
        )


def _refuse_lost_nodes(run: RunFolder, left: Sequence[_Left], provider: Callable[[str], Provider]) -> None:
    """See that the nodes are there which the steps that are left need.

    Raises:
        UsageError: they were removed.
    """
    for each in left:
        if each.plan is None or each.before is None or not needs_nodes(each.plan, each.before):
            continue
        if each.test.deployment not in provider(each.test.provider).deployments():
            raise UsageError(
                f"the nodes of {each.test.name} were removed: there is no deployment {each.test.deployment}",
                hint=f"start anew: e2e-ansible rerun {run.run_id}",
            )


def needs_nodes(plan: Plan, before: Before) -> bool:
    """Whether steps have made nodes, none has begun to remove them, and steps on nodes are left."""
    if before.flow_is_over:
        return False
    nodes = {node.name for node in plan.nodes}
    made = False
    for step, passed in before.in_order(plan):
        made = (made or (passed and bool(nodes & set(step.hosts)))) and not step.removes_nodes
    left = [step for step in plan.steps if step.id in {*steps_of(plan.items)} - set(before.done)]
    return made and any(nodes & set(step.hosts) for step in left)


def _start_anew(run: RunFolder) -> str:
    return f"e2e-ansible destroy {run.run_id}, then e2e-ansible rerun {run.run_id}"


def _job(context: RunContext, run: RunFolder, left: _Left) -> Job:
    """What is left to do of a test; one that has ended gives the result that it had."""
    if left.plan is None:
        folder = run.test(left.test.folder)
        read = partial(read_test, folder, left.test.folder)
        return Job(left.test.name, 0, read, ended=True, left_out=left.left_out)
    return test_job(context, left.plan, left.test, run, left.before)


def _options(manifest: Manifest) -> RunOptions:
    """How the run was asked to be done."""
    known = {key: value for key, value in manifest.options.items() if key in RunOptions.__dataclass_fields__}
    return RunOptions(**known)  # type: ignore[arg-type]  # written by `vars` of the same class
