"""Runs one part of a soak, or what is left of it: set-up, a cycle, or the end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import TestResult
from e2e_ansible.oracle.cycle import Cycle
from e2e_ansible.run.begun import Before, read_before
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import ManifestTest, TestFolder
from e2e_ansible.run.results import read_test
from e2e_ansible.run.resume import needs_nodes
from e2e_ansible.run.workflow_run import run_test
from e2e_ansible.soak.course import Course
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.pack import is_packed, unpacked
from e2e_ansible.soak.parts import CYCLE
from e2e_ansible.soak.rehearse import rehearse, rehearsed
from e2e_ansible.soak.rules import State

__all__ = ["Abandoned", "PartRunner"]


class Abandoned(Exception):
    """A second interrupt has left everything as it is."""


@dataclass(frozen=True)
class PartRunner:
    """Runs parts, and keeps the manifest of the run: it has every deployment before that is made."""

    folder: SoakFolder
    course: Course
    context: RunContext
    deployment: str

    def run(self, part: str, number: int, plan: Plan, state: State) -> TestResult:
        """Run a part; one that is over gives the result that it had.

        Raises:
            Abandoned: a second interrupt has left it as it is.
            UsageError: it cannot go on: its nodes are gone, or its faults were healed by hand.
            OSError: a file cannot be written.
            HarnessError: a file cannot be read.
        """
        folder = self.folder.begin(part, number, plan)
        entry = self._entry(part, number, plan)
        self._remember(entry)
        before = None if is_packed(folder) else read_before(plan, folder)
        if is_packed(folder) or (before is not None and before.record.over):
            return _read(folder, entry.folder, dry_run=state.dry_run)
        context = self._context(number, state)
        if state.dry_run:
            return rehearse(context, plan, entry, folder, before)
        if before is not None:
            self._refuse_spoiled(plan, entry, before)
        result = run_test(context, plan, entry, folder, before)
        if self.context.abandon.is_set:
            raise Abandoned
        return result

    def deployment_of(self, number: int) -> str:
        """The nodes of a cycle: those of all parts, or its own."""
        return self.deployment if self.course.shared else f"{self.deployment}-c{number:04d}"

    def forget(self, number: int, result: TestResult) -> None:
        """The nodes of a cycle are gone, if it had its own and kept none.

        Raises:
            OSError: the manifest cannot be written.
        """
        if self.course.shared or result.kept or result.cause is not None:
            return
        manifest = self.folder.run.manifest()
        name = self.folder.name_of(CYCLE, number)
        tests = tuple(test for test in manifest.tests if test.folder != name)
        if tests != manifest.tests:
            self.folder.run.write_manifest(manifest.model_copy(update={"tests": tests}))

    def _refuse_spoiled(self, plan: Plan, entry: ManifestTest, before: Before) -> None:
        healed = before.record.healed
        if healed is not None and healed.by_hand:
            text = f"the faults of {entry.folder} were healed by hand, so it cannot go on as it was planned"
            raise UsageError(text, hint=f"e2e-ansible destroy {self.context.run_id}, then start anew")
        there = self.context.provider(entry.provider).deployments
        if needs_nodes(plan, before) and entry.deployment not in there():
            text = f"the nodes of {entry.folder} were removed: there is no deployment {entry.deployment}"
            raise UsageError(text, hint="start anew: e2e-ansible run SUITE --cycles N")

    def _context(self, number: int, state: State) -> RunContext:
        """That of the run; parts that share their nodes leave them."""
        if not self.course.shared:
            return self.context
        cycle = Cycle(number, state.rows)
        variables = {**self.context.environment, **cycle.environment()}
        return replace(self.context, cycle=cycle, lasting_nodes=True, environment=variables)

    def _entry(self, part: str, number: int, plan: Plan) -> ManifestTest:
        return ManifestTest(
            name=plan.name,
            folder=self.folder.name_of(part, number),
            deployment=self.deployment_of(number),
            provider=plan.provider,
            suite=self.folder.run.manifest().tests[0].suite,
            suite_digest=plan.suite_digest,
        )

    def _remember(self, entry: ManifestTest) -> None:
        """Nodes, and faults on them, are in the manifest before they are made: `destroy` and `heal` look there."""
        manifest = self.folder.run.manifest()
        others = [test for test in manifest.tests if test.folder != entry.folder and self._may_be_there(test)]
        tests = (*others, entry)
        if tests != manifest.tests:
            self.folder.run.write_manifest(manifest.model_copy(update={"tests": tests}))

    def _may_be_there(self, test: ManifestTest) -> bool:
        return not (self.course.shared and test.folder.startswith("cycles/"))


def _read(folder: TestFolder, name: str, *, dry_run: bool) -> TestResult:
    with unpacked(folder) as whole:
        result = read_test(whole, name)
    return rehearsed(result) if dry_run else result
