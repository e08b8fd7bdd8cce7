"""Repetitions of one test taken together: what counts as a trial, of the test and of each of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from e2e_ansible.analysis.flake import Steadiness
from e2e_ansible.judge.repeat import repeats
from e2e_ansible.judge.result import LeftOut, TestResult
from e2e_ansible.judge.run import judge_run
from e2e_ansible.verdict import Cause, Verdict
from tests.unit.load_results import a_step, a_test

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def tried(
    number: int,
    verdict: Verdict = PASS,
    cause: Cause | None = None,
    name: str = "t",
    steps: Mapping[str, tuple[Verdict | None, Cause | None]] | None = None,
) -> TestResult:
    """A repetition that ended so, with its steps; 0 is a single run."""
    made = [
        a_step(step, index, verdict=its, cause=why)
        for index, (step, (its, why)) in enumerate((steps or {}).items(), start=1)
    ]
    return a_test(
        name=f"{name}#{number}" if number else name,
        repetition=number,
        success=verdict is PASS,
        verdict=verdict,
        cause=cause,
        workflow_steps=tuple(made),
    )


def test_a_repetition_is_a_test_under_the_name_in_the_suite() -> None:
    assert tried(12).test == "t"
    assert tried(0, name="t#1").test == "t#1", "that is its name"


def test_a_single_run_is_no_repetition() -> None:
    assert repeats([tried(0), tried(0, FAIL, Cause.PRODUCT, name="u")], ["v"]) == ()


def test_each_test_is_taken_for_itself_in_the_order_of_the_first_ones() -> None:
    tests = [tried(1, name="b"), tried(1, FAIL, Cause.PRODUCT, name="a"), tried(2, name="b"), tried(0)]
    found = repeats(tests)
    assert [(one.test, one.success.tally.passed, one.success.tally.failed) for one in found] == [
        ("b", 2, 0),
        ("a", 0, 1),
    ]


def test_the_rate_is_of_what_was_decided_and_what_is_unknown_proves_nothing() -> None:
    (sure,) = repeats([tried(number) for number in range(1, 60)])
    assert sure.sentence == "59 of 59 shows at least 95 %"
    open_ = [tried(60, UNKNOWN, Cause.HARNESS)]
    (unsure,) = repeats([*(tried(number) for number in range(1, 60)), *open_])
    assert (unsure.success.tally.trials, unsure.success.tally.unknown) == (60, 1)
    assert "(1 not known)" in unsure.sentence and "not 95 %" in unsure.sentence
    (bad,) = repeats([tried(number, FAIL, Cause.PRODUCT) for number in range(1, 4)])
    assert (bad.success.rate, bad.success.at_least) == (0, 0)


@pytest.mark.parametrize(
    ("verdict", "cause", "not_product"),
    [
        (FAIL, Cause.PRODUCT, 0),
        (FAIL, Cause.INFRASTRUCTURE, 1),
        (FAIL, Cause.CLEAN_UP, 1),
        (UNKNOWN, Cause.HARNESS, 0),
    ],
)
def test_failures_that_are_not_the_products_are_told_apart(
    verdict: Verdict, cause: Cause, not_product: int
) -> None:
    (found,) = repeats([tried(1), tried(2, verdict, cause)])
    assert found.not_product == not_product
    assert found.success.tally.trials == 2, "and still count"


def test_what_was_cut_off_or_never_began_is_counted_and_says_nothing() -> None:
    cut = tried(2, UNKNOWN, Cause.INTERRUPT)
    (found,) = repeats([tried(1), cut], ["t#3", "t#4", "tt#5", "u#3"])
    assert (found.repetitions, found.cut_off) == (4, 3), "two of another test are not of it"
    assert (found.success.tally.passed, found.success.tally.trials) == (1, 1)


def test_a_step_was_tried_only_where_it_came_to_a_verdict_of_its_own() -> None:
    def run(number: int, a: Verdict, b: tuple[Verdict | None, Cause | None]) -> TestResult:
        return tried(number, steps={"a": (a, None), "b": b})

    (found,) = repeats(
        [
            run(1, PASS, (PASS, None)),
            run(2, PASS, (FAIL, Cause.PRODUCT)),
            run(3, PASS, (UNKNOWN, Cause.INTERRUPT)),
            run(4, FAIL, (None, None)),
            run(5, PASS, (UNKNOWN, Cause.HARNESS)),
        ]
    )
    b, a = found.steps
    assert (b.step, b.steadiness, b.failing.tally.trials, b.undecided) == ("02-b", Steadiness.FLAKY, 2, 1)
    assert (a.step, a.failing.rate, a.failing.tally.trials) == ("01-a", 0.2, 5)


def test_the_steps_of_a_repetition_that_was_cut_off_count_as_far_as_they_came() -> None:
    cut = tried(1, UNKNOWN, Cause.INTERRUPT, steps={"a": (FAIL, Cause.PRODUCT), "b": (None, None)})
    (found,) = repeats([cut])
    assert [(step.step, step.steadiness) for step in found.steps] == [("01-a", Steadiness.BROKEN)]


# ---- in the result of the run


def test_a_run_tells_repetitions_and_why_tests_were_left_out() -> None:
    left = [LeftOut(name="t#2", reason="stopped"), LeftOut(name="u", reason="no room")]
    left.append(LeftOut(name="t#3", reason="stopped"))
    found = judge_run("r", "s.yaml", [tried(1, FAIL, Cause.PRODUCT)], left_out=left, started=1, ended=2)
    assert [(one.test, one.repetitions, one.cut_off) for one in found.repeats] == [("t", 3, 2)]
    assert found.reasons == {"stopped": ("t#2", "t#3"), "no room": ("u",)}
    assert (found.not_run, found.exit_code) == (("t#2", "u", "t#3"), 1)


def test_what_a_run_does_not_have_is_not_written() -> None:
    def keys(*tests: TestResult, **more: Any) -> set[str]:
        return set(judge_run("r", "s.yaml", tests, started=1, ended=2, **more).model_dump())

    plain = keys(tried(0))
    assert plain.isdisjoint({"soak", "repeats", "left_out"})
    assert keys(tried(1)) - plain == {"repeats"}
    assert keys(tried(0), left_out=[LeftOut(name="u", reason="stopped")]) - plain == {"left_out"}
