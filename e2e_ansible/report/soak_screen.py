"""What an analysis says of a soak in a terminal, 80 columns wide or more."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from e2e_ansible.analysis.change import Change
from e2e_ansible.analysis.failures import FailedCycle
from e2e_ansible.analysis.flake import Steadiness
from e2e_ansible.analysis.lines import change_words, flake_line
from e2e_ansible.analysis.soak_analysis import metric_of
from e2e_ansible.analysis.soak_result import PhaseFigures, SoakAnalysis
from e2e_ansible.analysis.soak_series import CYCLE
from e2e_ansible.report.amounts import NOTHING, percent, seconds
from e2e_ansible.report.lines import print_lines
from e2e_ansible.report.soak_words import DRIFTS, cycle_folder, cycle_words, soak_mark
from e2e_ansible.report.table import print_table
from e2e_ansible.report.words import count

__all__ = ["print_soak"]

_SHARES = (0.5, 0.9, 0.95, 0.99)
_HEAD = ("", "P50", "P90", "P95", "P99", "passed", "at least", "over the soak")
_NUMBERS = (1, 2, 3, 4, 5, 6)
_MOST_FAILURES = 10


def print_soak(console: Console, found: SoakAnalysis) -> None:
    """Print what a soak showed; the page tells more."""
    mark = soak_mark(found)
    print_lines(
        console, [f"{mark.value.upper()}: soak of {found.suite}, run {found.run_id}", *_summary(found), ""]
    )
    drifts = {one.metric: one for one in found.drift.changes}
    rows = [_row(CYCLE, found.whole, drifts.get(CYCLE))]
    rows += [_row(one.name, one, drifts.get(metric_of(one.name))) for one in found.phases]
    print_table(console, [_HEAD, *rows], wraps=0, right=_NUMBERS)
    print_lines(console, _rest(found))


def _summary(found: SoakAnalysis) -> Iterator[str]:
    yield cycle_words(found.cycles)
    yield found.success.sentence
    if found.success_of_all:
        apart = f"{count(found.cycles.apart, 'cycle')} apart (not the product)"
        yield f"{apart}; counted as unknown: {found.success_of_all.sentence}"
    if found.source.torn:
        yield f"The last line of {found.source.file} was torn and is left out."


def _row(name: str, one: PhaseFigures, drift: Change | None) -> tuple[str, ...]:
    values = [one.seconds.at(share) for share in _SHARES]
    tally = one.success.found.tally
    return (
        name,
        *(seconds(each.value if each else None) for each in values),
        f"{tally.passed}/{tally.trials}",
        percent(one.success.found.at_least) if tally.trials else NOTHING,
        DRIFTS[drift.outcome] if drift else NOTHING,
    )


def _rest(found: SoakAnalysis) -> Iterator[str]:
    yield ""
    yield from _happened(found)
    yield from _drifts(found)
    yield from (
        f"Step {flake_line(one)}"
        for one in found.flakes
        if one.steadiness in (Steadiness.FLAKY, Steadiness.BROKEN)
    )
    for each in found.failures[:_MOST_FAILURES]:
        yield f"{cycle_folder(each.cycle)}: {each.standing}, {_why(each)}"
    more = len(found.failures) + found.failures_left_off - _MOST_FAILURES
    if more > 0:
        yield f"And {more} more that did not pass: see the page."
    if found.advice:
        yield "What to do:"
        yield from (f"- {one.do}: {one.because}" for one in found.advice)


def _why(one: FailedCycle) -> str:
    """Step and error, the step once: the error of a test begins with it."""
    error = one.error.partition("\n")[0]
    return (
        error if error.startswith(f"{one.step}: ") else ": ".join(part for part in (one.step, error) if part)
    )


def _happened(found: SoakAnalysis) -> Iterator[str]:
    for one in found.outages:
        worst = f"worst {seconds(one.worst)} in cycle {one.worst_cycle}"
        yield f"No {one.kind} in a cycle: median {seconds(one.median)}, {worst}"
    if found.losses:
        open_ = found.losses.not_examined
        examined = f"; not examined in {count(open_, 'cycle')}" if open_ else ""
        yield f"Acknowledged rows lost: {found.losses.rows}{examined}"
    for each in found.alerts:
        open_alerts = f", {each.open} never ended" if each.open else ""
        yield f"Alert {each.type}: {count(each.episodes, 'episode')}{open_alerts}"
    for injected in found.injections:
        took = f"took {injected.taken} of {count(injected.tried, 'time')}, undone {injected.undone}"
        yield f"Injected {injected.scenario} in {injected.phase}: {took}; {injected.cycles.sentence}"


def _drifts(found: SoakAnalysis) -> Iterator[str]:
    """What moved; what did not is in the table."""
    for one in found.drift.changes:
        if one.outcome.value in ("regression", "improvement"):
            yield f"{one.metric} got {DRIFTS[one.outcome]}: {change_words(one)}"
