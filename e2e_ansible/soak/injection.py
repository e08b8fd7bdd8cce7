"""A failure in the middle of a cycle: which one, put into the steps of the test, and what came of it. Pure.

What is put in is made of ordinary steps. Before the first step of the phase a client of its own begins to write, and
there is a step `fault`, which may fail without ending the cycle. After the last step of the phase it is healed, so that
later phases can see that all is well again. Whatever happens, it is healed at the end of the cycle, and what the client
was told to be written must be there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.scenario import (
    RANDOM,
    check_injection,
    expires,
    phases_of,
    possible,
    removal,
    scenario_named,
    usual_phase,
    usual_target,
)
from e2e_ansible.steps.fault import FaultStepOptions
from e2e_ansible.steps.group import GroupOptions
from e2e_ansible.steps.heal import HealOptions
from e2e_ansible.steps.start_client import StartClientOptions
from e2e_ansible.steps.stop_client import StopClientOptions
from e2e_ansible.steps.validate import ValidateOptions
from e2e_ansible.suite.model import SourceRef, Step, StepOptions, Test
from e2e_ansible.verdict import Verdict

__all__ = ["InjectionOutcome", "draw", "inject", "inserted", "outcome", "planned"]

_INJECTED = "injected"
_UNDONE = "injected-undone"
_OVER = "injected-over"
_HEALED = "injected-healed"
_CLIENT = "continuity"
_BEGIN = "continuity-begin"
_END = "continuity-end"
_CHECK = "continuity-check"
_RATE = 10.0
_ACT = "fault "  # of proofs: the others are of the choice of the target
_NAMES = (_INJECTED, _UNDONE, _OVER, _HEALED, _BEGIN, _END, _CHECK)
_ID = re.compile(rf"[0-9]+-({'|'.join(_NAMES)})(-[0-9]+)?")


# ---- which


def draw(seed: int, cycle: int, scenarios: Sequence[str], phases: Sequence[str]) -> PlannedInjection:
    """What chance gives this cycle. It depends on the seed and the cycle alone, not on what was drawn before.

    Raises:
        UsageError: there is nothing to draw from.
    """
    if not scenarios or not phases:
        raise UsageError(
            "nothing can be injected at random",
            hint="give steps of the suite a 'phase', and the test the parameters backup or exporter",
        )
    return PlannedInjection(
        cycle=cycle,
        scenario=scenarios[_number(seed, cycle, "scenario") % len(scenarios)],
        phase=phases[_number(seed, cycle, "phase") % len(phases)],
    )


def _number(seed: int, cycle: int, what: str) -> int:
    """The same on every machine and with every Python."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{cycle}/{what}".encode()).digest()[:8], "big")


def planned(options: SoakOptions, test: Test, cycle: int) -> PlannedInjection | None:
    """What is injected into this cycle, None for nothing. A schedule wins over all else.

    An empty target stays so: which node that is depends on the contexts of the cycle.

    Raises:
        UsageError: a name is unknown, or this test cannot have it.
    """
    found = _asked(options, test, cycle)
    if found is None:
        return None
    found = found.model_copy(update={"scenario": scenario_named(found.scenario)})
    check_injection(test, found)
    return found


def _asked(options: SoakOptions, test: Test, cycle: int) -> PlannedInjection | None:
    if options.schedule is not None:
        return next((each for each in options.schedule if each.cycle == cycle), None)
    if not options.inject:
        return None
    if scenario_named(options.inject) == RANDOM:
        phases = (options.inject_at_phase,) if options.inject_at_phase else phases_of(test)
        return draw(options.seed, cycle, possible(test), phases)
    phase = options.inject_at_phase or usual_phase(test)
    return PlannedInjection(cycle=cycle, scenario=options.inject, phase=phase)


# ---- into the steps


def inject(test: Test, injection: PlannedInjection) -> Test:
    """The test with the failure in it, from the first step of the phase to its last one.

    Steps around the phases stay outside.

    Raises:
        UsageError: this test cannot have it.
    """
    check_injection(test, injection)
    phased = [index for index, step in enumerate(test.steps) if step.options.phase]
    first, last = phased[0], min(phased[-1] + 1, removal(test))
    cycle = test.steps[first:last]
    own = [index for index, step in enumerate(cycle) if step.options.phase == injection.phase]
    begin, end = own[0], own[-1] + 1
    made = _Made(_tail(test.steps), cycle[begin].source, injection, test)
    over = made.over() if end < len(cycle) else ()
    body = (*cycle[:begin], made.begin(), made.attempt(), *cycle[begin:end], *over, *cycle[end:])
    whole = made.group("", body=body, final=made.end())
    return replace(test, steps=(*test.steps[:first], whole, *test.steps[last:]))


@dataclass(frozen=True)
class _Made:
    """The steps that nobody wrote; `tail` makes their names differ from all others, `source` is the phase's line."""

    tail: str
    source: SourceRef
    injection: PlannedInjection
    test: Test

    def begin(self) -> Step:
        """A client from before the failure until after its heal."""
        return self._step(
            StartClientOptions(
                step="start_client",
                name=_BEGIN + self.tail,
                phase=self.injection.phase,
                client=_CLIENT + self.tail,
                rate=_RATE,
                concurrency=1,
                description="Write until the end of the cycle, to show that nothing is lost",
            )
        )

    def attempt(self) -> Step:
        """The failure; one that does not take is undone, and the cycle goes on."""
        injection = self.injection
        target = injection.target or usual_target(injection.scenario, self.test)
        fault = FaultStepOptions(
            step="fault",
            name=_INJECTED + self.tail,
            fault=injection.scenario,
            target=target,
            expires_seconds=expires(injection.scenario),
            description=f"Inject {injection.scenario} on {target} into cycle {injection.cycle}",
        )
        undo = self._heal(_UNDONE, "Undo what did not take; the cycle goes on without it", injection.phase)
        return self.group(injection.phase, body=(self._step(fault),), rescue=(undo,))

    def over(self) -> tuple[Step, ...]:
        """Heal it after its phase."""
        why = "Heal what was injected; the phases that follow see that all is well again"
        return (self._heal(_OVER, why, self.injection.phase),)

    def end(self) -> tuple[Step, ...]:
        """Heal, then see what the client was told to be written."""
        client = _CLIENT + self.tail
        return (
            self._heal(_HEALED, "Heal what was injected, whatever has happened"),
            self._step(StopClientOptions(step="stop_client", name=_END + self.tail, client=client)),
            self._step(
                ValidateOptions(
                    step="validate",
                    name=_CHECK + self.tail,
                    description="No acknowledged row was lost, and one node at a time took writes",
                    checks=(f"no_lost_rows:{client}", f"one_writer:{client}"),
                )
            ),
        )

    def group(
        self,
        phase: str,
        *,
        body: tuple[Step, ...],
        rescue: tuple[Step, ...] = (),
        final: tuple[Step, ...] = (),
    ) -> Step:
        """A group; with a rescue the cycle goes on after it."""
        options = GroupOptions(
            step="group",
            phase=phase or None,
            steps=tuple(each.type for each in body),
            rescue=tuple(each.type for each in rescue),
            on_rescue="continue" if rescue else "fail",
        )
        return self._step(options, {"steps": body, "rescue": rescue, "finally": final})

    def _heal(self, name: str, why: str, phase: str = "") -> Step:
        options = HealOptions(
            step="heal",
            name=name + self.tail,
            phase=phase or None,
            fault=_INJECTED + self.tail,
            description=why,
        )
        return self._step(options)

    def _step(self, options: StepOptions, parts: Mapping[str, tuple[Step, ...]] | None = None) -> Step:
        return Step(options.step, options, self.source, parts or {})


def _tail(steps: Sequence[Step]) -> str:
    """What the names of steps and of the client end in, so that the test has none of them yet."""
    taken = set(_names(steps))
    tails = ("", *(f"-{number}" for number in range(2, len(taken) + 3)))
    return next(tail for tail in tails if not {name + tail for name in (*_NAMES, _CLIENT)} & taken)


def _names(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        yield step.options.name or ""
        yield getattr(step.options, "client", "")
        for part in step.parts.values():
            yield from _names(part)


# ---- what came of it


@dataclass(frozen=True)
class InjectionOutcome:
    """The fields of a record `failure_injection`: whether it took, whether it is undone; None: not known."""

    success: bool | None
    undone: bool | None
    message: str
    nodes: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)


def inserted(result: TestResult, injection: PlannedInjection) -> frozenset[str]:
    """The ids of the steps that `inject` has put in; what they came to is no word about a phase."""
    fault = _fault_step(result.workflow_steps, injection)
    if fault is None:
        return frozenset()
    tail = _tail_of(fault)
    return frozenset(
        step.id
        for step in result.workflow_steps
        if (found := _ID.fullmatch(step.id)) and (found[2] or "") == tail
    )


def outcome(result: TestResult, injection: PlannedInjection) -> InjectionOutcome:
    """What became of the failure, by the result of the cycle."""
    step = _fault_step(result.workflow_steps, injection)
    if step is None:
        return InjectionOutcome(None, None, "the cycle has no such failure")
    faults = [each for each in result.faults if each.step == step.id]
    undone = not any(each.open for each in faults) if faults else None
    nodes = tuple(each.node for each in faults)
    details: dict[str, object] = {
        "step": step.id,
        "nodes": list(nodes),
        "proofs": [f"{each.host}: {each.how}" for each in step.proofs if each.act.startswith(_ACT)],
        "continuity": _continuity(result, injection),
    }
    if step.verdict is None:
        return InjectionOutcome(None, undone, _not_tried(step, result, injection), nodes, details)
    took = step.verdict is Verdict.PASS
    how = "; ".join(each.how for each in step.proofs if each.act.startswith(_ACT))
    said = f"{injection.scenario} took: {how}" if took else f"{injection.scenario} did not take: {step.error}"
    left = "" if undone is not False else f"; not undone: {'; '.join(each.message for each in faults)}"
    return InjectionOutcome(took, undone, said + left, nodes, details)


def _fault_step(steps: Iterable[StepResult], injection: PlannedInjection) -> StepResult | None:
    """It is the first fault of its phase, right after the start of the client."""
    begin = [step for step in steps if step.phase == injection.phase][:2]
    return next((step for step in begin if step.step_type == "fault" and _ID.fullmatch(step.id)), None)


def _tail_of(step: StepResult) -> str:
    found = _ID.fullmatch(step.id)
    return (found[2] or "") if found else ""


def _continuity(result: TestResult, injection: PlannedInjection) -> str:
    """What the check at the end came to; '' if it was not done."""
    names = inserted(result, injection)
    found = [step for step in result.workflow_steps if step.id in names and step.step_type == "validate"]
    return str(found[0].verdict.value) if found and found[0].verdict else ""


def _not_tried(step: StepResult, result: TestResult, injection: PlannedInjection) -> str:
    if step.omitted:
        return f"{injection.scenario} was not tried: {step.omitted}"
    return f"the cycle ended before phase {injection.phase}: {result.error or 'it was interrupted'}"
