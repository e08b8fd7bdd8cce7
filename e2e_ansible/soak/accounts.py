"""What one cycle came to, as records and numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.result import TestResult
from e2e_ansible.judge.soak import REHEARSED
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.report.words import duration, verdict_words
from e2e_ansible.soak.folder import cycle_id
from e2e_ansible.soak.injection import inserted, outcome
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.parts import ACTIVATION
from e2e_ansible.soak.phases import PhaseOutcome
from e2e_ansible.soak.records import (
    ClientOutages,
    CycleEnd,
    CycleStart,
    FailureInjection,
    PhaseResult,
    StepFigure,
)
from e2e_ansible.soak.rules import Outcome, State, iso, swaps
from e2e_ansible.verdict import Status, Verdict

__all__ = ["account", "begun", "ended", "injected", "phase_ended", "rows_of", "told"]


def begun(state: State, number: int, at: float) -> CycleStart:
    """The record of a cycle that begins."""
    contexts = state.contexts or ("", "")
    return CycleStart(
        timestamp=iso(at),
        run_id=state.run_id,
        cycle_num=number,
        cycle_id=cycle_id(number),
        primary_context=contexts[0],
        secondary_context=contexts[1],
    )


def phase_ended(state: State, number: int, phase: PhaseOutcome) -> PhaseResult:
    """The record of a phase that is over."""
    verdict = phase.verdict
    return PhaseResult(
        timestamp=iso(phase.ended),
        run_id=state.run_id,
        cycle_num=number,
        cycle_id=cycle_id(number),
        phase_name=phase.name,
        success=None if verdict is None else verdict is Verdict.PASS,
        verdict=verdict,
        duration_seconds=round(phase.seconds, 3),
        error=phase.error,
    )


def account(
    state: State, phases: tuple[str, ...], result: TestResult, injection: PlannedInjection | None
) -> Outcome:
    """What a cycle means for the next one."""
    if state.dry_run:
        return Outcome(verdict=None, swap=ACTIVATION in phases)
    ours = inserted(result, injection) if injection else frozenset[str]()
    steps = [step for step in result.workflow_steps if step.id not in ours]
    return Outcome(
        verdict=result.verdict, cause=result.cause, swap=swaps(phases, steps), rows=rows_of(result)
    )


def rows_of(result: TestResult) -> Mapping[str, int]:
    """Rows that each client had acknowledged, less those that are known to be lost: so many must be there for ever."""
    return {
        client.name: client.acknowledged - client.lost_count
        for client in result.clients
        if client.workload == "append" and client.name != INTEGRITY
    }


def ended(state: State, number: int, result: TestResult, outcome: Outcome, at: float) -> CycleEnd:
    """The record of a cycle that is over."""
    contexts = state.contexts or ("", "")
    rehearsal = outcome.verdict is None
    return CycleEnd(
        timestamp=iso(at),
        run_id=state.run_id,
        cycle_num=number,
        cycle_id=cycle_id(number),
        success=None if rehearsal else result.verdict is Verdict.PASS,
        verdict=outcome.verdict,
        cause=outcome.cause,
        error=REHEARSED if rehearsal else result.error or "",
        duration_seconds=round(result.duration, 3),
        primary_context=contexts[0],
        secondary_context=contexts[1],
        swapped=bool(state.contexts) and outcome.swap,
        clients={client.name: _client(client) for client in result.clients},
        steps={
            step.id: StepFigure(verdict=step.verdict, seconds=round(step.duration, 3))
            for step in result.workflow_steps
            if step.status is not Status.SKIPPED
        },
    )


def _client(client: ClientResult) -> ClientOutages:
    windows = client.outages
    return ClientOutages(
        writes=tuple(each.seconds for each in windows if each.kind == "writes"),
        reads=tuple(each.seconds for each in windows if each.kind == "reads"),
        operations=client.operations,
        lost=client.lost_count if client.examined else None,
    )


def injected(
    state: State, number: int, result: TestResult, injection: PlannedInjection, at: float
) -> FailureInjection:
    """The record of what was injected: whether it took or not."""
    known = None if state.dry_run else outcome(result, injection)
    hit = ", ".join(known.nodes) if known and not injection.target else injection.target
    return FailureInjection(
        timestamp=iso(at),
        run_id=state.run_id,
        cycle_num=number,
        cycle_id=cycle_id(number),
        scenario=injection.scenario,
        phase=injection.phase,
        target=hit,
        success=known.success if known else None,
        undone=known.undone if known else None,
        message=known.message if known else REHEARSED,
        details=known.details if known else {},
    )


def told(options: SoakOptions, state: State, number: int, end: CycleEnd) -> str:
    """A cycle on one line. `state` is that after it."""
    of = f" of {options.cycles}" if options.cycles else ""
    way = f" ({end.primary_context} to {end.secondary_context})" if end.primary_context else ""
    if end.verdict is None:
        return f"cycle {number}{of}{way}: {REHEARSED}"
    away = max((seconds for client in end.clients.values() for seconds in client.writes), default=None)
    outage = f", writes away for {away:.1f} s" if away is not None else ""
    tally = state.tally
    counts = f"{tally.passed} passed, {tally.failed} failed, {tally.unknown} unknown"
    words = verdict_words(end.verdict, end.cause)
    why = f": {end.error.partition(chr(10))[0]}" if end.verdict is not Verdict.PASS and end.error else ""
    return f"cycle {number}{of}{way}: {words} after {duration(end.duration_seconds)}{outage}; {counts}{why}"
