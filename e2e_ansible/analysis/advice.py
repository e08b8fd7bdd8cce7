"""What to do after a soak: only where its numbers carry it, and always with those numbers."""

from __future__ import annotations

from collections.abc import Iterator

from e2e_ansible.analysis.flake import Steadiness
from e2e_ansible.analysis.lines import change_words, floored, raised
from e2e_ansible.analysis.proportion import LEVEL, Tally, proportion
from e2e_ansible.analysis.soak_result import Advice, SoakAnalysis
from e2e_ansible.analysis.standing import Standing

__all__ = ["advice"]

_MOST_NAMED = 5
#: A slow end this many times the usual time is one to look at, if it is so by the ranges of both.
_LONG_TAIL = 2.0
#: A step that surely fails this often is worth the work.
_FLAKY = 0.01
_TOO_MUCH_APART = 0.05


def advice(found: SoakAnalysis) -> tuple[Advice, ...]:
    """The gravest first. Empty where the numbers carry nothing."""
    rules = (_lost, _failed, _left, _phases, _slower, _flaky, _tails, _not_taken, _apart, _blind)
    return tuple(one for rule in rules for one in rule(found))


def _cycles(numbers: list[int]) -> str:
    """`cycle 7`, `cycles 3, 7, 9 and 12 more`."""
    named = ", ".join(map(str, numbers[:_MOST_NAMED]))
    more = f" and {len(numbers) - _MOST_NAMED} more" if len(numbers) > _MOST_NAMED else ""
    return f"cycle{'s' if len(numbers) > 1 else ''} {named}{more}"


def _lost(found: SoakAnalysis) -> Iterator[Advice]:
    if found.losses and found.losses.rows:
        where = _cycles(list(found.losses.cycles))
        rows = f"{found.losses.rows} acknowledged row{'s' if found.losses.rows > 1 else ''}"
        yield Advice(
            do=f"Find out how data was lost in {where}, before anything else", because=f"{rows} lost"
        )


def _failed(found: SoakAnalysis) -> Iterator[Advice]:
    failed = [one.cycle for one in found.failures if one.standing is Standing.FAILED]
    if found.cycles.failed:
        more = found.cycles.failed - len(failed)
        where = _cycles(failed) + (f" (and {more} not listed)" if more and failed else "")
        do = f"Look at {where}" if failed else "Look at the cycles that failed"
        yield Advice(do=do, because=found.success.sentence)


def _left(found: SoakAnalysis) -> Iterator[Advice]:
    """What was never undone, and alerts that never ended."""
    for one in found.injections:
        if one.not_undone:
            times = f"{one.not_undone} of {one.tried} times"
            yield Advice(do=f"Heal what {one.scenario} has left behind", because=f"it was not undone {times}")
    for kind in found.alerts:
        if kind.open:
            yield Advice(
                do=f"See whether {kind.type} still holds", because=f"{kind.open} of its alerts never ended"
            )


def _phases(found: SoakAnalysis) -> Iterator[Advice]:
    """Phases that surely work less often than they should."""
    for one in found.phases:
        if one.success.found.rate is not None and one.success.found.at_most < LEVEL:
            yield Advice(do=f"Make phase {one.name} more reliable", because=one.success.sentence)


def _slower(found: SoakAnalysis) -> Iterator[Advice]:
    for one in found.drift.regressions:
        yield Advice(
            do=f"Find out what grows during a soak: {one.metric} takes longer",
            because=f"from its beginning to its end {change_words(one)}",
        )


def _flaky(found: SoakAnalysis) -> Iterator[Advice]:
    where = " with a failure injected" if found.flakes_disturbed else ""
    for one in found.flakes:
        failing = one.failing
        if one.steadiness in (Steadiness.FLAKY, Steadiness.BROKEN) and failing.at_least >= _FLAKY:
            seen = f"{failing.tally.passed} of {failing.tally.trials} failed{where}"
            yield Advice(
                do=f"Look into step {one.step}", because=f"{seen}: at least {floored(failing.at_least)}"
            )


def _tails(found: SoakAnalysis) -> Iterator[Advice]:
    """A phase that surely takes far longer than usual once in twenty times."""
    for one in found.phases:
        usual, slow = one.seconds.at(0.5), one.seconds.at(0.95)
        if usual and slow and usual.high and slow.low and slow.low > _LONG_TAIL * usual.high:
            yield Advice(
                do=f"Look at the slowest runs of phase {one.name}",
                because=f"half take at most {usual.value:.3g}s, "
                f"but one in twenty more than {slow.value:.3g}s, of {one.seconds.count}",
            )


def _not_taken(found: SoakAnalysis) -> Iterator[Advice]:
    for one in found.injections:
        took = proportion(Tally(passed=one.taken, failed=one.not_taken))
        if one.not_taken and took.at_most < LEVEL:
            yield Advice(
                do=f"Repair the injection of {one.scenario} in phase {one.phase}: without it the soak shows less",
                because=f"it took {one.taken} of {one.tried} times, at most {raised(took.at_most)}",
            )


def _apart(found: SoakAnalysis) -> Iterator[Advice]:
    apart = proportion(Tally(passed=found.cycles.apart, failed=found.cycles.ended - found.cycles.apart))
    if apart.rate and apart.at_least > _TOO_MUCH_APART:
        yield Advice(
            do="Repair the machines and the set-up of the test: these cycles say nothing about the product",
            because=f"{found.cycles.apart} of {found.cycles.ended} cycles ended for reasons of their own, "
            f"at least {floored(apart.at_least)}",
        )


def _blind(found: SoakAnalysis) -> Iterator[Advice]:
    blind = proportion(Tally(passed=found.blind_looks, failed=found.looks - found.blind_looks))
    if blind.rate and blind.at_least > _TOO_MUCH_APART:
        yield Advice(
            do="Find out why the monitor sees nothing: alerts may be missing",
            because=f"{found.blind_looks} of {found.looks} looks failed, at least {floored(blind.at_least)}",
        )
