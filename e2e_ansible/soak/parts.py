"""A test in three parts: what is done once before its cycles, in each cycle, and once after them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from e2e_ansible.checks.registry import checks
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.errors import Problem, SuiteError, UsageError
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.suite.model import Step, Test

__all__ = ["ACTIVATION", "CYCLE", "END", "SET_UP", "Parts", "only_test", "refuse_part", "split"]

SET_UP, CYCLE, END = "setup", "cycle", "end"
#: The phase after which the other site takes writes.
ACTIVATION = "activation"


@dataclass(frozen=True)
class Parts:
    """The parts of one test. Those without steps are None; `shared`: all of them have the nodes of the set-up."""

    cycle: Test
    setup: Test | None = None
    end: Test | None = None

    @property
    def shared(self) -> bool:
        """Whether every cycle finds the same nodes running."""
        return self.setup is not None


def only_test(tests: Sequence[Test]) -> Test:
    """The one that is done in cycles.

    Raises:
        UsageError: there are several, or none.
    """
    if len(tests) == 1:
        return tests[0]
    if not tests:
        raise UsageError("there is no test to be done in cycles")
    names = ", ".join(test.name for test in tests[:5]) + (", ..." if len(tests) > 5 else "")
    raise UsageError(
        f"one test is done in cycles, and there are {len(tests)}: {names}", hint="pick one: --run-test NAME"
    )


def split(test: Test) -> Parts:
    """The parts of a test, by the phases of its steps. Without phases the whole workflow is the cycle.

    Without steps before the first phase every cycle makes nodes of its own.

    Raises:
        SuiteError: there are steps after the last phase, and no nodes that they could find.
    """
    phased = [index for index, step in enumerate(test.steps) if step.options.phase]
    first, last = (phased[0], phased[-1]) if phased else (0, len(test.steps))
    before, between, after = test.steps[:first], test.steps[first : last + 1], test.steps[last + 1 :]
    if after and not before:
        text = "this step is done once after the last cycle, but every cycle has nodes of its own"
        hint = "put the steps that make the nodes before the first phase, or give this one a phase"
        raise _at(after[0], text, hint)
    return Parts(
        cycle=_part(test, "cycle", between, deployed=bool(before)),
        setup=_part(test, "set-up", before, deployed=False) if before else None,
        end=_part(test, "end", after, deployed=True) if after else None,
    )


def _part(test: Test, what: str, steps: Sequence[Step], *, deployed: bool) -> Test:
    return replace(test, name=f"{test.name} {what}", steps=tuple(steps), deployed=deployed)


def _at(step: Step, text: str, hint: str) -> SuiteError:
    source = step.source
    return SuiteError([Problem(source.file, source.line, source.column, text, hint)])


def refuse_part(plan: Plan, part: str, *, shared: bool) -> None:
    """See that a part can do what it says, cycle after cycle.

    Raises:
        SuiteError: a check asks for a client that does not run in this part, or a step removes nodes that others need.
    """
    if not shared:
        return
    problems = [*_removals(plan, part), *(_blind(plan, part) if not _deploys(plan) else ())]
    if problems:
        raise SuiteError(problems)


def _deploys(plan: Plan) -> bool:
    return any(step.starts_writer for step in plan.steps)


def _removals(plan: Plan, part: str) -> Iterator[Problem]:
    for step in plan.steps:
        if step.removes_nodes and part != END:
            text = f"step {step.type!r} removes the nodes, which all cycles share"
            yield _problem(step, text, "put it after the last phase")


def _blind(plan: Plan, part: str) -> Iterator[Problem]:
    """Checks that would stay unknown for ever: nobody whose history they judge runs here."""
    started = {step.client.name for step in plan.steps if step.client and step.client.act == "start"}
    for step in plan.steps:
        if step.client and step.client.act == "stop" and step.client.name not in started:
            text = f"the client {step.client.name} is not started in this part: it ends with the part that starts it"
            yield _problem(step, text, "start it and stop it in the same part")
        for text in (*step.judgement.checks, *step.judgement.allow_failures):
            yield from _blind_check(step, text, started, part)


def _blind_check(step: PlannedStep, text: str, started: set[str], part: str) -> Iterator[Problem]:
    name, *arguments = text.split(":")
    check = checks().get(name)
    if check is None or not (check.needs_integrity or check.needs_histories):
        return
    where = "a cycle" if part == CYCLE else "this part"
    client = arguments[check.required_arguments] if len(arguments) > check.required_arguments else ""
    if client == INTEGRITY or not check.needs_histories:
        what = f"{text} needs the client that only 'deploy' starts, and {where} has no such step"
        yield _problem(step, what, "start a client with start_client and ask for no_lost_rows:NAME")
    elif client and client not in started:
        yield _problem(step, f"{text}: no client {client} is started in {where}", "use start_client")
    elif not started:
        yield _problem(step, f"{text} judges clients, and none is started in {where}", "use start_client")


def _problem(step: PlannedStep, text: str, hint: str) -> Problem:
    source = step.source
    return Problem(source.file, source.line, source.column, text, hint)
