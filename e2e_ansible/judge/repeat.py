"""The tests of a run that are one test several times, taken together. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from e2e_ansible.analysis.digits import settled
from e2e_ansible.analysis.flake import flakes
from e2e_ansible.analysis.lines import rate_sentence
from e2e_ansible.analysis.proportion import Tally, proportion
from e2e_ansible.analysis.repeats import RepeatResult
from e2e_ansible.verdict import Cause, Verdict

if TYPE_CHECKING:
    from e2e_ansible.judge.result import TestResult

__all__ = ["repeats"]

_NUMBER = re.compile(r"#\d+$")


def repeats(tests: Sequence[TestResult], not_run: Sequence[str] = ()) -> tuple[RepeatResult, ...]:
    """Each test that was to be run several times, in the order of the first ones; `not_run` never began."""
    found: dict[str, list[TestResult]] = {}
    for test in tests:
        if test.repetition:
            found.setdefault(test.test, []).append(test)
    return tuple(
        _repeat(name, some, sum(_NUMBER.sub("", one) == name for one in not_run))
        for name, some in found.items()
    )


def _repeat(name: str, tests: Sequence[TestResult], never: int) -> RepeatResult:
    whole = [test for test in tests if test.cause is not Cause.INTERRUPT]
    success = proportion(_tally(test.verdict for test in whole))
    made = RepeatResult(
        test=name,
        repetitions=len(tests) + never,
        success=success,
        sentence=rate_sentence(success),
        not_product=sum(
            test.verdict is Verdict.FAIL and test.cause not in (None, Cause.PRODUCT) for test in whole
        ),
        cut_off=len(tests) - len(whole) + never,
        steps=flakes(_steps(tests)),
    )
    return settled(made)


def _steps(tests: Iterable[TestResult]) -> Mapping[str, Tally]:
    found: dict[str, list[Verdict]] = {}
    for step, verdict in _decided(tests):
        found.setdefault(step, []).append(verdict)
    return {step: _tally(verdicts) for step, verdicts in found.items()}


def _decided(tests: Iterable[TestResult]) -> Iterator[tuple[str, Verdict]]:
    """A step that was not begun, was left out or was cut off by an interrupt was not tried."""
    for test in tests:
        for step in test.workflow_steps:
            if step.verdict is not None and step.cause is not Cause.INTERRUPT:
                yield step.id, step.verdict


def _tally(verdicts: Iterable[Verdict]) -> Tally:
    found = list(verdicts)
    return Tally(
        passed=found.count(Verdict.PASS),
        failed=found.count(Verdict.FAIL),
        unknown=found.count(Verdict.UNKNOWN),
    )
