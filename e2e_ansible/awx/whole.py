"""A suite as one workflow of AWX: its tests are workflows in it, which run side by side.

No edge leads from test to test: one that fails keeps no other from anything, and AWX shows the whole as failed when
any of them has. How many run at once is decided by AWX, by the capacity of its instances.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from e2e_ansible.awx.client import AwxError, Client
from e2e_ansible.awx.jobs import TERMINAL, cancel, launch, pause
from e2e_ansible.awx.workflow import Node, Workflow
from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import UsageError
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import ManifestTest, manifest_tests

__all__ = ["WholeJob", "whole_of"]

_LONGEST_NAME = 512
Object = Mapping[str, Any]


def whole_of(tests: Sequence[tuple[Plan, Workflow]]) -> Workflow:
    """The workflow of a suite from those of its tests. Pure.

    Raises:
        UsageError: two tests would share a workflow, so one would run in place of the other.
    """
    plans, workflows = [plan for plan, _ in tests], [workflow for _, workflow in tests]
    names = [workflow.name for workflow in workflows]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise UsageError(f"two tests would share the workflow {twice!r}", hint="give them other names")
    nodes = (
        Node(identifier=slug, extra_data={"e2e_test": slug}, timeout_seconds=0, workflow=workflow.name)
        for slug, workflow in zip(_slugs(plans), workflows, strict=True)
    )
    files = list(dict.fromkeys(plan.source.file for plan in plans))
    stems = list(dict.fromkeys(Path(plan.suite_file).stem for plan in plans))
    return Workflow(
        name=f"e2e {', '.join(stems)}"[:_LONGEST_NAME],
        description=f"all {len(plans)} tests at once ({', '.join(files)})",
        nodes=tuple(nodes),
    )


def _slugs(plans: Sequence[Plan]) -> Iterator[str]:
    """What each test is called in the workflow of its suite; the same in every launch."""
    return (_slug(entry) for entry in manifest_tests("", plans))


def _slug(entry: ManifestTest) -> str:
    return PurePosixPath(entry.folder).name


class WholeJob:
    """The workflow job of a suite, `template`, and those of its tests. For several threads: it is launched once."""

    def __init__(self, client: Client, template: int, plans: Sequence[Plan]) -> None:
        self._client = client
        self._template = template
        self._plans = plans
        self._lock = threading.Lock()
        self._job: Object | None = None
        self._error: AwxError | None = None

    def launch(self, run_id: str) -> Object:
        """Launch it, with a deployment for each test; a second call is told what the first one was.

        Raises:
            AwxError: AWX is away or refuses.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._job is None:
                self._job = self._launched(run_id)
            return self._job

    def _launched(self, run_id: str) -> Object:
        entries = manifest_tests(run_id, self._plans)
        # As one text: inside of a mapping AWX would make numbers of texts that look like them.
        deployments = json.dumps({_slug(entry): entry.deployment for entry in entries})
        asked = {"extra_vars": {"e2e_deployments": deployments}}
        try:
            return launch(self._client, f"workflow_job_templates/{self._template}/", asked)
        except AwxError as error:
            self._error = error
            raise

    def test(self, context: RunContext, entry: ManifestTest) -> Object:
        """The workflow job of a test, once it has begun. A second interrupt ends the workflow of the suite.

        Raises:
            AwxError: AWX is away, or the suite ended before the test began.
        """
        path = f"workflow_jobs/{self.launch(context.run_id)['id']}/"
        while True:
            ended = self._client.get(path).get("status") in TERMINAL
            nodes = self._client.each(f"{path}workflow_nodes/")
            job = next((node.get("job") for node in nodes if node.get("identifier") == _slug(entry)), None)
            if job:
                return self._client.get(f"workflow_jobs/{job}/")
            if context.abandon.is_set:
                cancel(self._client, path)
            if ended or context.abandon.is_set:
                raise AwxError(f"the workflow of the suite ended before {entry.name} was begun")
            pause(context.abandon, self._client.server.interval_seconds, asked=False)
