"""What of a test AWX cannot do: said by name, with its place in the suite, before anything is made of it.

docs/awx.md has the same as a table. Nothing that a suite says is left out without a word.
"""

from __future__ import annotations

from collections.abc import Iterator

from e2e_ansible.awx.graph import unable
from e2e_ansible.awx.job_variables import runnable
from e2e_ansible.awx.loads import unread
from e2e_ansible.awx.project import missing_for_step, missing_for_test
from e2e_ansible.checks.registry import is_built_in
from e2e_ansible.compile.made import played
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.errors import Problem, SuiteError
from e2e_ansible.judge.attempt import checks_of
from e2e_ansible.steps.client_plan import CONTROLLER
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.model import SourceRef, Step, Test

__all__ = ["reduced", "refuse"]

_ON_THIS_MACHINE = "use e2e-ansible run"


def refuse(plan: Plan, test: Test) -> None:
    """Refuse a test that has what AWX cannot do.

    Raises:
        SuiteError: with all of it, each with its place in the suite and what to do.
    """
    problems = [*_of_steps(plan, test), *_of_test(plan, test)]
    problems += [_problem(*each) for each in unable(plan.items, {step.id: step for step in plan.steps})]
    if problems:
        raise SuiteError(problems)


def reduced(test: Test) -> Iterator[str]:
    """What of a test means less on AWX than in a run, as sentences with its place."""
    if test.entry.parameters.hardware:
        place = test.positions.get("/parameters/hardware", test.source)
        yield f"{place}: hardware: nodes are made with it, but nothing is reserved; AWX decides how much runs"


def _of_steps(plan: Plan, test: Test) -> Iterator[Problem]:
    for step, written in zip(plan.steps, played(test.steps, step_types()), strict=True):
        for text, hint in (*_unable(step, written), *missing_for_step(plan.suite_file, written.options)):
            yield _problem(step.source, text, hint)


def _of_test(plan: Plan, test: Test) -> Iterator[Problem]:
    parameters = test.entry.parameters
    if test.contexts:
        place = test.positions.get("/parameters/sites", test.source)
        yield _problem(place, "sites: a test with sites is not run by jobs of AWX", _ON_THIS_MACHINE)
    if parameters.coverage:
        place = test.positions.get("/parameters/coverage", test.source)
        yield _problem(place, "coverage: jobs of AWX do not collect coverage", _ON_THIS_MACHINE)
    for name, text, hint in missing_for_test(plan.suite_file, parameters):
        yield _problem(test.positions.get(f"/parameters/{name}", test.source), text, hint)


def _problem(source: SourceRef, text: str, hint: str) -> Problem:
    return Problem(source.file, source.line, source.column, text, hint)


def _unable(step: PlannedStep, written: Step) -> Iterator[tuple[str, str]]:
    if written.type not in runnable():
        known = ", ".join(sorted(runnable()))
        yield f"AWX has no playbook for the step {written.type!r}", f"playbooks/step.yml does: {known}"
    for name in checks_of(step):
        if not is_built_in(name):
            yield f"the check {name!r} is code beside the suite, which AWX does not have", _ON_THIS_MACHINE
    if step.unchanged and written.type in runnable():
        text = f"a job of AWX cannot look whether {written.type} changes anything"
        yield text, "leave verify_idempotence out"
    if step.client is not None and step.client.on == CONTROLLER:
        text = f"the client {step.client.name} would live on the controller, and end with its job"
        yield text, "say place: client, with the parameter clients: 1, or place: NODE"
    yield from unread(written.options)
