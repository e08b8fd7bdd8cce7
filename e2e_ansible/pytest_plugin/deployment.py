"""The nodes of a fixture: a run folder whose first part sets them up, and which ends when they are removed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

from e2e_ansible.compile.compiler import compile_test
from e2e_ansible.compile.plan import Plan
from e2e_ansible.content import content_digest
from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import CleanUpError, InfrastructureError
from e2e_ansible.judge.result import TestResult
from e2e_ansible.oracle.cycle import Cycle
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.pytest_plugin.failure import test_text
from e2e_ansible.pytest_plugin.harness import Harness
from e2e_ansible.pytest_plugin.wanted import Wanted
from e2e_ansible.report.notice import Listener
from e2e_ansible.report.words import verdict_words
from e2e_ansible.run.clean_up import clean_up, keeps
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import ManifestTest, RunFolder, TestFolder, make_private, write_private
from e2e_ansible.run.interrupts import interrupts
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.run.quota import claim_of, open_gate, refuse_larger
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.reports import write_reports
from e2e_ansible.run.requirements import check_provider, check_requirements
from e2e_ansible.run.scratch import environment, scratch_folder
from e2e_ansible.run.session import new_manifest, run_started, writing
from e2e_ansible.run.workflow_run import run_test
from e2e_ansible.soak.accounts import rows_of
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.model import Suite
from e2e_ansible.verdict import Cause, Verdict, worst

__all__ = ["Deployment", "deployment"]

_NAME = "cluster"
_TURN_SECONDS = 0.1


class Deployment:
    """Nodes, and the folder in which everything that is done to them is written down."""

    def __init__(self, harness: Harness, plan: Plan, run: RunFolder, variables: Mapping[str, str]) -> None:
        self.plan = plan
        self.run = run
        self._harness = harness
        self._variables = variables
        self._tell = Megaphone([])
        self._gate = open_gate(get_provider, self._tell, nested=True)
        self._rows: dict[str, int] = {}
        self._verdicts: list[Verdict] = []

    @property
    def name(self) -> str:
        """The name of the deployment."""
        return self.run.manifest().tests[0].deployment

    @property
    def provider(self) -> Provider:
        """What drives the nodes."""
        return get_provider(self.plan.provider)

    @property
    def first(self) -> TestFolder:
        """The folder of the set-up."""
        return self.run.test(self.run.manifest().tests[0].folder)

    def begin(self, listeners: Sequence[Listener]) -> None:
        """From now on these hear of what happens."""
        for listener in listeners:
            self._tell.add(listener)
        self._tell(run_started(self.run.manifest(), self.run))

    def await_turn(self) -> None:
        """Take what the nodes cost from the quota of this machine, when it is their turn.

        Raises:
            UsageError: they are larger than its budget.
            InfrastructureError: nobody gives back what is lacking; or the ledger cannot be used.
        """
        refuse_larger([self.plan], RunOptions())
        claim = claim_of(self.run, self.plan, self.run.manifest().tests[0])
        try:
            Deadline(float("inf")).wait_for(lambda: self._gate.may_begin(claim), _TURN_SECONDS)
        except BaseException:
            self._gate.withdraw(claim)
            raise

    def part(self, plan: Plan, label: str) -> TestResult:
        """Run a plan on the nodes, to its result.

        Raises:
            KeyboardInterrupt: it was interrupted.
            InfrastructureError: the run folder cannot be written.
        """
        with writing(self.run):
            entry = self._entry(plan, label)
        result = self._carry_out(plan, entry)
        for name, rows in rows_of(result).items():
            self._rows[name] = max(0, self._rows.get(name, 0) + rows)
        self._verdicts.append(result.verdict)
        if result.cause is Cause.INTERRUPT:
            raise KeyboardInterrupt
        return result

    def _entry(self, plan: Plan, label: str) -> ManifestTest:
        """The part in the manifest, and its folder with the plan. The first is there already."""
        manifest = self.run.manifest()
        first = manifest.tests[0]
        entry = first
        if label != _NAME:
            entry = first.model_copy(update={"name": plan.name, "folder": f"tests/{label}"})
            self.run.write_manifest(manifest.model_copy(update={"tests": (*manifest.tests, entry)}))
        folder = self.run.test(entry.folder)
        make_private(folder.path)
        write_plan(plan, folder.plan)
        return entry

    def _carry_out(self, plan: Plan, entry: ManifestTest) -> TestResult:
        cycle = Cycle(len(self._verdicts), self._rows)
        context = RunContext(
            run_id=self.run.run_id,
            engine=self._harness.engine,
            options=RunOptions(),
            environment={**self._variables, **cycle.environment()},
            tell=self._tell,
            cycle=cycle,
            lasting_nodes=True,
        )
        with writing(self.run), interrupts(context.cancel, context.abandon, lambda text: None):
            return run_test(context, plan, entry, self.run.test(entry.folder))

    def end(self, *, failed: bool) -> None:
        """Remove the nodes, unless they are to be kept, and write the reports.

        Raises:
            CleanUpError: something is left.
            InfrastructureError: the run folder cannot be written.
        """
        verdict = Verdict.FAIL if failed else worst(self._verdicts)
        now = time.time()
        done = clean_up(self.provider, self.name, keep=keeps(self.plan.keep, verdict), at=now)
        with suppress(InfrastructureError):  # whoever looks next gives the quota back
            self._gate.over(self.name, gone=done.ok and not done.kept)
        with writing(self.run):
            self.run.write_manifest(self.run.manifest().model_copy(update={"ended": now}))
            write_reports(self.run, read_run(self.run))
            self._harness.register.over(self.run.path)
        if not done.ok:
            hint = f"try again: e2e-ansible destroy {self._harness.shown(self.run.path)}"
            raise CleanUpError(done.message, hint=hint)


@contextmanager
def deployment(
    harness: Harness, wanted: Wanted, listener: Listener, failed: Callable[[], bool]
) -> Iterator[Deployment]:
    """The nodes, from their set-up to their removal. Errors: see `cluster.deployed`."""
    with ExitStack() as stack:
        run = RunFolder.create(harness.settings.runs, now=time.time())
        plan = _plan(harness, wanted, run)
        stack.enter_context(harness.budget.nodes(len(plan.nodes)))
        made = stack.enter_context(_opened(harness, plan, run, listener))
        made.await_turn()
        try:
            _set_up(harness, made)
            yield made
        finally:
            made.end(failed=failed())


def _plan(harness: Harness, wanted: Wanted, run: RunFolder) -> Plan:
    suite = wanted.suite or _simple(harness, wanted, run)
    (test,) = suite.tests
    keep = wanted.keep or test.entry.keep
    made = replace(test, name=_NAME, entry=test.entry.model_copy(update={"keep": keep}))
    return compile_test(suite, made, step_types(), content_digest=content_digest())


def _simple(harness: Harness, wanted: Wanted, run: RunFolder) -> Suite:
    file = run.path / f"{_NAME}.json"
    write_private(file, json.dumps(wanted.document(wanted.workflow, deployed=False), indent=1) + "\n")
    return load_suite(harness.shown(file), contexts=wanted.contexts)


@contextmanager
def _opened(harness: Harness, plan: Plan, run: RunFolder, listener: Listener) -> Iterator[Deployment]:
    """The run folder as it is while nodes may exist: locked, in the manifest, in the register of the session."""
    check_provider(get_provider(plan.provider))
    check_requirements([plan], run.path)
    manifest = new_manifest([plan], run, RunOptions())
    with writing(run):
        lock = run.lock()
    try:
        with writing(run), _terminated_as_interrupted():
            run.write_manifest(manifest)
            with scratch_folder(Path(manifest.scratch)) as scratch:
                made = Deployment(harness, plan, run, environment(scratch))
                made.begin([harness.note, listener])
                yield made
    finally:
        os.close(lock)


def _set_up(harness: Harness, made: Deployment) -> None:
    result = made.part(made.plan, _NAME)
    if result.verdict is not Verdict.PASS:
        lines = test_text(harness, result, made.run.path, titled=False)
        text = [f"the cluster was not set up: {verdict_words(result.verdict, result.cause)}", *lines]
        raise InfrastructureError("\n".join(text), hint=f"all of it is in {harness.shown(made.run.path)}")


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """While nodes exist, a request to end pytest is an interrupt, so that they are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {n: signal.signal(n, interrupt) for n in numbers if signal.getsignal(n) == signal.SIG_DFL}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
