"""A cluster that tests work with: it is given steps as a suite has them, and each of them is judged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from e2e_ansible.compile.compiler import INVENTORY, compile_test
from e2e_ansible.compile.plan import Plan
from e2e_ansible.content import content_digest
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import TestResult
from e2e_ansible.providers.base import Node
from e2e_ansible.pytest_plugin.deployment import Deployment, deployment
from e2e_ansible.pytest_plugin.failure import test_text
from e2e_ansible.pytest_plugin.harness import Harness
from e2e_ansible.pytest_plugin.wanted import Wanted
from e2e_ansible.report.notice import Listener
from e2e_ansible.report.words import verdict_words
from e2e_ansible.run.folder import write_private
from e2e_ansible.soak.parts import refuse_part
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.model import Contexts, Suite
from e2e_ansible.verdict import Verdict

__all__ = ["Cluster", "deployed"]

_PART = "steps"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")

Steps = Sequence[Mapping[str, Any]]


class Cluster:
    """Nodes that run. `run` gives them steps, `check` looks at them; both leave plan, journal and logs in `folder`."""

    def __init__(self, harness: Harness, wanted: Wanted, made: Deployment) -> None:
        self._harness = harness
        self._wanted = wanted
        self._made = made
        self._count = 0

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._made.run.path

    @property
    def deployment(self) -> str:
        """The name of the deployment, as `e2e-ansible role --deployment` takes it."""
        return self._made.name

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes in order: n11, n12, ..., then those that only drive load: c11, ..."""
        return tuple(node.name for node in self._made.plan.nodes)

    @property
    def primary(self) -> str:
        """The node that took writes at first."""
        return self._made.plan.primary

    @property
    def contexts(self) -> Contexts | None:
        """The sites, the one that was primary at first before the other."""
        return self._made.plan.contexts

    @property
    def inventory(self) -> Path:
        """The inventory file; Ansible reads it with `environment` set, in the folder two above it."""
        return self._made.first.plan / INVENTORY

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which the inventory finds these nodes."""
        return {"E2E_DEPLOYMENT": self.deployment}

    @property
    def addresses(self) -> Mapping[str, str]:
        """The address of each node as it is now; empty where it has none."""
        return {node.name: node.address for node in self.states()}

    def states(self) -> Sequence[Node]:
        """Each node as the provider finds it now: power, address, how Ansible reaches it."""
        return self._made.provider.nodes(self.deployment)

    def run(self, steps: Steps, *, name: str = "") -> TestResult:
        """Run steps, each a mapping as in a suite, to their result, whatever the verdict.

        Raises:
            SuiteError: the steps have problems; nothing was started.
            UsageError: a step would remove the nodes, or a check would stay unknown for ever.
            KeyboardInterrupt: the run was interrupted.
        """
        self._count += 1
        label = f"{self._count:03d}-{_NOT_IN_NAMES.sub('-', name or _PART)[:60]}"
        return self._made.part(self._compiled(steps, label), label)

    def check(self, *checks: str, attempts: int = 1, delay_seconds: float = 1.0) -> TestResult:
        """Look at all nodes until the checks hold, at most `attempts` times.

        Raises:
            AssertionError: one does not hold, or was not decided.
            SuiteError: there is no such check.
        """
        retry = {"max_attempts": attempts, "delay_seconds": delay_seconds}
        result = self.run([{"step": "validate", "checks": list(checks), "retry": retry}], name="check")
        if result.verdict is not Verdict.PASS:
            raise AssertionError(self.told(result))
        return result

    def told(self, result: TestResult) -> str:
        """What a result of `run` says, as text for a person."""
        lines = test_text(self._harness, result, self.folder, titled=False)
        return "\n".join([verdict_words(result.verdict, result.cause), *lines])

    def _compiled(self, steps: Steps, label: str) -> Plan:
        suite = _written(self._harness, self._wanted, self.folder / f"{label}.json", steps)
        (test,) = suite.tests
        test = replace(test, name=label, steps=test.steps[1:], deployed=True)
        plan = compile_test(suite, test, step_types(), content_digest=content_digest())
        removing = [step for step in plan.steps if step.removes_nodes]
        if removing:
            text = f"{removing[0].source}: step {removing[0].type!r} removes the nodes, which other tests may need"
            raise UsageError(text, hint="leave it out; the fixture removes them at its end")
        refuse_part(plan, _PART, shared=True)
        return plan


def _written(harness: Harness, wanted: Wanted, file: Path, steps: Steps) -> Suite:
    """Steps that Python code has made, as a file whose lines messages can name."""
    write_private(file, json.dumps(wanted.document(steps, deployed=True), indent=1) + "\n")
    return load_suite(harness.shown(file), contexts=wanted.contexts)


@contextmanager
def deployed(
    harness: Harness, wanted: Wanted, listener: Listener, failed: Callable[[], bool]
) -> Iterator[Cluster]:
    """The cluster that is wanted, from its set-up to its removal; `failed` says whether a test of it has failed.

    Raises:
        InfrastructureError: it could not be set up; the message says why, and what was made is removed.
        SuiteError: what is wanted has problems.
        UsageError: it has more nodes than the budget, or a provider that cannot be driven.
        CleanUpError: it could not be removed.
    """
    with deployment(harness, wanted, listener, failed) as made:
        yield Cluster(harness, wanted, made)
