"""The cycles of a soak to one verdict: a pass only when all of it passed and nothing cut it off."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ansible.judge.result import RunResult, SoakResult, TestResult
from e2e_ansible.judge.soak import Tally, judge_soak
from e2e_ansible.verdict import Cause, Verdict

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
Decided = tuple[Verdict, Cause | None]


def part(verdict: Verdict = PASS, cause: Cause | None = None, name: str = "set-up") -> TestResult:
    return TestResult(
        deployment_id="d",
        name=name,
        provider="local",
        success=verdict is PASS,
        verdict=verdict,
        cause=cause,
        started=1,
        ended=7,
    )


def tally(*decided: Decided) -> Tally:
    found = Tally()
    for verdict, cause in decided:
        found = found.add(verdict, cause)
    return found


def judged(counts: Tally, **more: Any) -> RunResult:
    soak = SoakResult(
        cycles=counts.total, stopped=more.pop("stopped", "cycles"), dry_run=more.pop("dry_run", False)
    )
    given: dict[str, Any] = {"parts": [part()], "cycles": [], "started": 1.0, "ended": 9.0, **more}
    return judge_soak("r", "s", soak, counts, **given)


ALL_WELL = tally((PASS, None), (PASS, None))
LOST = tally((PASS, None), (FAIL, Cause.PRODUCT), (FAIL, Cause.INFRASTRUCTURE), (UNKNOWN, Cause.INTERRUPT))


@pytest.mark.parametrize(
    ("counts", "more", "expected"),
    [
        (ALL_WELL, {}, (PASS, None, 0)),
        (LOST, {}, (FAIL, Cause.PRODUCT, 1)),
        (tally((FAIL, Cause.INFRASTRUCTURE)), {}, (FAIL, Cause.INFRASTRUCTURE, 4)),
        (tally((PASS, None), (UNKNOWN, Cause.INTERRUPT)), {}, (UNKNOWN, Cause.INTERRUPT, 130)),
        (Tally(), {}, (UNKNOWN, Cause.HARNESS, 3)),
        (ALL_WELL, {"stopped": "interrupted"}, (UNKNOWN, Cause.INTERRUPT, 130)),
        (ALL_WELL, {"ended": None}, (UNKNOWN, Cause.HARNESS, 3)),
        (ALL_WELL, {"clean_up": "n11 is still there"}, (FAIL, Cause.CLEAN_UP, 6)),
        (ALL_WELL, {"parts": [part(FAIL, Cause.PRODUCT)]}, (FAIL, Cause.PRODUCT, 1)),
        (ALL_WELL, {"parts": [part(), part(FAIL, Cause.CLEAN_UP, "end")]}, (FAIL, Cause.CLEAN_UP, 6)),
        (tally((None, None)), {"dry_run": True, "parts": []}, (UNKNOWN, None, 3)),
    ],
)
def test_what_all_of_it_comes_to(
    counts: Tally, more: dict[str, Any], expected: tuple[Verdict, Cause | None, int]
) -> None:
    result = judged(counts, **more)
    assert (result.verdict, result.cause, result.exit_code) == expected


def test_all_cycles_are_counted_and_some_are_shown() -> None:
    spoiled = part(FAIL, Cause.PRODUCT, "cycle 2")
    result = judged(LOST, parts=[part(), part(name="end")], cycles=[spoiled])
    assert [test.name for test in result.tests] == ["set-up", "cycle 2", "end"]
    assert (result.total_tests, result.passed, result.failed, result.unknown) == (6, 3, 2, 1)
    assert (LOST.interrupted, result.duration) == (1, 8)
    assert "soak" in result.model_dump()


def test_one_that_was_killed_lasted_until_its_last_word() -> None:
    assert judged(ALL_WELL, ended=None).duration == 6
    assert not judged(ALL_WELL, ended=None).finished
    assert judged(ALL_WELL, ended=None, parts=[]).duration == 0


def test_a_run_that_is_no_soak_says_nothing_of_one() -> None:
    result = judged(ALL_WELL).model_copy(update={"soak": None})
    assert "soak" not in result.model_dump()
