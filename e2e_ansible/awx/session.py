"""A run on AWX: everything is checked and published first, then each test is launched and followed to its result."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from e2e_ansible.awx.client import Client
from e2e_ansible.awx.following import Followed, follow_test
from e2e_ansible.awx.jobs import Job, launch, page_of
from e2e_ansible.awx.operation import follow_operation, operation_plan
from e2e_ansible.awx.publish import find_template, publish
from e2e_ansible.awx.turns import guarded, run_turns
from e2e_ansible.awx.whole import WholeJob, whole_of
from e2e_ansible.awx.workflow import Workflow, workflow_of
from e2e_ansible.compile.plan import Plan
from e2e_ansible.judge.result import RunResult, TestResult
from e2e_ansible.report.notice import Listener
from e2e_ansible.run.context import RunContext, RunOptions
from e2e_ansible.run.folder import ManifestTest, RunFolder, TestFolder, manifest_tests
from e2e_ansible.suite.model import Test

__all__ = [
    "Prepared",
    "launch_operation",
    "launch_tests",
    "launch_whole",
    "prepare",
    "prepare_whole",
    "start",
    "start_operation",
    "start_whole",
]


@dataclass(frozen=True)
class Prepared:
    """A test whose workflow job template is in AWX as it is here; `template` is its number."""

    plan: Plan
    workflow: Workflow
    template: int


def prepare(client: Client, tests: Sequence[tuple[Plan, Test]], options: RunOptions) -> list[Prepared]:
    """Bring the workflows of all tests into AWX. Nothing is started.

    Raises:
        SuiteError: a test has what AWX cannot do.
        AwxError: AWX is away, refuses, or lacks the job template of the steps.
    """
    made = [(plan, workflow_of(plan, test, keep=options.keep)) for plan, test in tests]
    return [Prepared(plan, workflow, publish(client, workflow)["id"]) for plan, workflow in made]


def prepare_whole(client: Client, tests: Sequence[Prepared]) -> int:
    """Bring the workflow of the suite into AWX, whose nodes are those of its tests; returns its number.

    Raises:
        UsageError: two tests would share a workflow.
        AwxError: AWX is away or refuses.
    """
    return int(publish(client, whole_of([(test.plan, test.workflow) for test in tests]))["id"])


def start_whole(client: Client, tests: Sequence[Prepared], template: int) -> str:
    """Launch the suite as one workflow and leave it to AWX; returns the page that shows it. Raises as `start`."""
    whole = WholeJob(client, template, [test.plan for test in tests])
    return page_of(client, whole.launch(f"awx-{os.urandom(3).hex()}"))


def start(client: Client, tests: Sequence[Prepared]) -> list[str]:
    """Launch the tests and leave them to AWX; returns the pages that show them.

    Raises:
        AwxError: AWX is away or refuses.
    """
    entries = manifest_tests(f"awx-{os.urandom(3).hex()}", [test.plan for test in tests])
    return [page_of(client, _launch(client, test, entry)) for test, entry in zip(tests, entries, strict=True)]


def launch_tests(
    client: Client,
    tests: Sequence[Prepared],
    *,
    runs: Path,
    options: RunOptions,
    listeners: Sequence[Listener] = (),
) -> tuple[RunResult, RunFolder]:
    """Launch and follow tests to their results, in a run folder as that of a run on this machine.

    Raises:
        InfrastructureError: the run folder cannot be written.
    """

    def begin(_: RunContext, index: int, entry: ManifestTest) -> Mapping[str, Any]:
        return _launch(client, tests[index], entry)

    return _follow(client, tests, begin, runs=runs, options=options, listeners=listeners)


def launch_whole(
    client: Client,
    tests: Sequence[Prepared],
    template: int,
    *,
    runs: Path,
    options: RunOptions,
    listeners: Sequence[Listener] = (),
) -> tuple[RunResult, RunFolder]:
    """Launch the suite as one workflow, `template`, and follow all of its tests at once. Raises as `launch_tests`."""
    whole = WholeJob(client, template, [test.plan for test in tests])

    def begin(context: RunContext, _: int, entry: ManifestTest) -> Mapping[str, Any]:
        return whole.test(context, entry)

    # AWX decides how many run; here each is only watched.
    at_once = replace(options, parallel=len(tests))
    return _follow(client, tests, begin, runs=runs, options=at_once, listeners=listeners)


_Begin = Callable[[RunContext, int, ManifestTest], Mapping[str, Any]]


def _follow(
    client: Client,
    tests: Sequence[Prepared],
    begin: _Begin,
    *,
    runs: Path,
    options: RunOptions,
    listeners: Sequence[Listener],
) -> tuple[RunResult, RunFolder]:
    """Follow tests to their results; `begin` gives the workflow job of each."""

    def turn(context: RunContext, index: int, entry: ManifestTest, folder: TestFolder) -> TestResult:
        def act() -> TestResult:
            watched = _watched(client, begin(context, index, entry))
            return _test(context, tests[index], entry, folder, watched)

        return guarded(context, tests[index].plan, entry, act)

    return run_turns([test.plan for test in tests], turn, runs=runs, options=options, listeners=listeners)


def start_operation(client: Client, name: str, asked: Mapping[str, Any]) -> str:
    """Launch one job template and leave it to AWX; returns the page that shows it. Raises as `launch_operation`."""
    return page_of(client, _start(client, find_template(client, name), asked))


def launch_operation(
    client: Client,
    name: str,
    asked: Mapping[str, Any],
    *,
    runs: Path,
    options: RunOptions,
    listeners: Sequence[Listener] = (),
) -> tuple[RunResult, RunFolder]:
    """Launch one job template and follow its job to a result.

    Raises:
        AwxError: there is no such template, it refuses the variables, or AWX is away; nothing was started.
        InfrastructureError: the run folder cannot be written.
    """
    template = find_template(client, name)
    plan = operation_plan(name, str(template.get("playbook") or name), str(asked.get("limit") or ""))
    started = _start(client, template, asked)
    job = Job(client, f"jobs/{started['id']}/", client.server.interval_seconds, last=started)

    def turn(context: RunContext, _: int, entry: ManifestTest, folder: TestFolder) -> TestResult:
        return guarded(context, plan, entry, partial(follow_operation, context, plan, entry, folder, job))

    return run_turns([plan], turn, runs=runs, options=options, listeners=listeners)


def _start(client: Client, template: Mapping[str, Any], asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return launch(client, f"job_templates/{template['id']}/", asked)


def _watched(client: Client, started: Mapping[str, Any]) -> Job:
    return Job(client, f"workflow_jobs/{started['id']}/", client.server.interval_seconds, last=started)


def _test(
    context: RunContext, test: Prepared, entry: ManifestTest, folder: TestFolder, watched: Job
) -> TestResult:
    followed = Followed(
        plan=test.plan,
        entry=entry,
        folder=folder,
        workflow=test.workflow,
        keep=context.options.keep or test.plan.keep,
        job=watched.last,
    )
    return follow_test(context, followed, watched)


def _launch(client: Client, test: Prepared, entry: ManifestTest) -> Mapping[str, Any]:
    variables = {"e2e_deployment": entry.deployment}
    return launch(client, f"workflow_job_templates/{test.template}/", {"extra_vars": variables})
