"""The result of a soak: from what the loop has counted, or anew from the folder, cycle by cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from e2e_ansible.judge.result import RunResult, SoakResult, TestResult
from e2e_ansible.judge.soak import KEPT_CYCLES, Tally, judge_soak
from e2e_ansible.run.folder import Manifest, RunFolder
from e2e_ansible.run.results import read_test
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.pack import is_packed, unpacked
from e2e_ansible.soak.parts import CYCLE, END, SET_UP
from e2e_ansible.soak.rehearse import rehearsed
from e2e_ansible.soak.rules import State
from e2e_ansible.verdict import Verdict

__all__ = ["cycle_results", "read_soak", "soak_result", "spoiled_before"]


def soak_result(
    manifest: Manifest, state: State, parts: Sequence[TestResult], spoiled: Sequence[TestResult]
) -> RunResult:
    """The result from the counts. `parts` are set-up and end, `spoiled` the first cycles that did not pass."""
    tally, shown = state.tally, tuple(spoiled[:KEPT_CYCLES])
    soak = SoakResult(
        asked=manifest.soak.cycles if manifest.soak else None,
        cycles=tally.total,
        passed=tally.passed,
        failed=tally.failed,
        unknown=tally.unknown,
        swaps=state.swaps,
        left_out=tally.failed + tally.unknown - len(shown),
        stopped="interrupted" if state.abandoned else str(state.stopped or ""),
        clean_up=state.clean_up,
        kept=state.kept,
        dry_run=state.dry_run,
    )
    return judge_soak(
        manifest.run_id,
        manifest.suite,
        soak,
        tally,
        parts=parts,
        cycles=shown,
        started=manifest.started,
        ended=manifest.ended,
        clean_up="" if state.clean_up_ok else state.clean_up,
    )


def read_soak(run: RunFolder) -> RunResult:
    """Judge every cycle of a soak anew; one at a time is in memory.

    Raises:
        HarnessError: a file cannot be read.
    """
    folder, manifest = SoakFolder(run), run.manifest()
    state = folder.read_state()
    tally, spoiled = Tally(), list[TestResult]()
    for result in cycle_results(folder, state):
        tally = tally.add(None if state.dry_run else result.verdict, result.cause)
        if result.verdict is not Verdict.PASS and not state.dry_run and len(spoiled) < KEPT_CYCLES:
            spoiled.append(result)
    parts = [part for name in (SET_UP, END) if (part := _read(folder, name, 0, dry_run=state.dry_run))]
    return soak_result(manifest, state.model_copy(update={"tally": tally}), parts, spoiled)


def cycle_results(folder: SoakFolder, state: State) -> Iterator[TestResult]:
    """The cycles that are over, in order, each judged anew when it is asked for."""
    for number in folder.cycles():
        if number <= state.last_completed_cycle:
            result = _read(folder, CYCLE, number, dry_run=state.dry_run)
            if result is not None:
                yield result


def spoiled_before(folder: SoakFolder) -> Iterator[TestResult]:
    """Those cycles that are over and did not pass: only the others are packed."""
    state = folder.read_state()
    for number in folder.cycles():
        if number <= state.last_completed_cycle and not is_packed(folder.part(CYCLE, number)):
            result = _read(folder, CYCLE, number, dry_run=state.dry_run)
            if result is not None:
                yield result


def _read(folder: SoakFolder, part: str, number: int, *, dry_run: bool) -> TestResult | None:
    place = folder.part(part, number)
    if not place.plan.exists():
        return None
    with unpacked(place) as whole:
        if not whole.journal.exists():
            return None
        result = read_test(whole, folder.name_of(part, number))
    return rehearsed(result) if dry_run else result
