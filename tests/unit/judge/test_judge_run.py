"""The result of a run from those of its tests."""

from __future__ import annotations

import pytest

from e2e_ansible.judge.result import Resumption, TestResult
from e2e_ansible.judge.run import judge_run
from e2e_ansible.verdict import Verdict


def test_of_a_run_that_was_killed_the_time_is_told_in_which_its_tests_ran() -> None:
    first = TestResult(
        deployment_id="a-1",
        name="a",
        provider="local",
        success=False,
        verdict=Verdict.UNKNOWN,
        started=1001,
        duration=10,
    )
    resumed = first.model_copy(update={"name": "b", "resumptions": (Resumption(at=1030, dead=20),)})
    assert judge_run("r", "s.yaml", [first], started=1000).duration == pytest.approx(11)
    assert judge_run("r", "s.yaml", [first, resumed], started=1000).duration == pytest.approx(31)
    assert judge_run("r", "s.yaml", [first], started=1000, ended=1050).duration == pytest.approx(50)
