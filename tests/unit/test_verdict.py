"""Verdicts add up to the worst of them, and each has its exit code."""

from __future__ import annotations

import pytest

from e2e_ansible.verdict import Cause, Verdict, exit_code, worst

PASS, UNKNOWN, FAIL = Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL
CODES = {
    (PASS, None): 0,
    (FAIL, Cause.PRODUCT): 1,
    (FAIL, Cause.INFRASTRUCTURE): 4,
    (FAIL, Cause.HARNESS): 5,
    (FAIL, Cause.CLEAN_UP): 6,
    (FAIL, Cause.INTERRUPT): 130,
    (FAIL, None): 5,
    (UNKNOWN, Cause.PRODUCT): 3,
    (UNKNOWN, Cause.INFRASTRUCTURE): 3,
    (UNKNOWN, Cause.HARNESS): 3,
    (UNKNOWN, Cause.CLEAN_UP): 3,
    (UNKNOWN, Cause.INTERRUPT): 130,
    (UNKNOWN, None): 3,
}


@pytest.mark.parametrize(("found", "code"), CODES.items())
def test_exit_code(found: tuple[Verdict, Cause | None], code: int) -> None:
    assert exit_code(*found) == code


def test_every_verdict_and_cause_has_a_case() -> None:
    assert {verdict for verdict, _ in CODES} == {*Verdict}
    assert {cause for verdict, cause in CODES if verdict is FAIL} == {*Cause, None}


def test_only_a_pass_ends_with_0() -> None:
    codes = {exit_code(verdict, cause) for verdict in (UNKNOWN, FAIL) for cause in (*Cause, None)}
    assert 0 not in codes
    assert 2 not in codes, "bad input, which has no verdict"


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ([], UNKNOWN),
        ([PASS], PASS),
        ([PASS, UNKNOWN, PASS], UNKNOWN),
        ([UNKNOWN, FAIL, PASS], FAIL),
    ],
)
def test_worst(several: list[Verdict], one: Verdict) -> None:
    assert worst(several) is one
