"""All tests of a run to its result and exit code."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.judge.repeat import repeats
from e2e_ansible.judge.result import LeftOut, RunResult, TestResult
from e2e_ansible.verdict import Cause, Verdict, worst

__all__ = ["judge_run", "speaking_cause"]

#: Of several failed tests the one that says most about the product gives the exit code.
_SPEAKING = (Cause.PRODUCT, Cause.INFRASTRUCTURE, Cause.HARNESS, Cause.CLEAN_UP, Cause.INTERRUPT)


def judge_run(
    run_id: str,
    suite: str,
    tests: Sequence[TestResult],
    *,
    left_out: Sequence[LeftOut] = (),
    started: float | None = None,
    ended: float | None = None,
) -> RunResult:
    """The result of a run; `left_out` are tests that never began, `ended` is None for a run that was killed."""
    verdict, not_run = worst(test.verdict for test in tests), tuple(each.name for each in left_out)
    cause = _cause(tests, verdict)
    if not_run and (verdict is Verdict.PASS or not tests):
        verdict, cause = Verdict.UNKNOWN, Cause.HARNESS if ended is None else Cause.INTERRUPT
    last = ended or max(map(_last, tests), default=started or 0)
    counts = {each: sum(test.verdict is each for test in tests) for each in Verdict}
    return RunResult(
        run_id=run_id,
        suite=suite,
        verdict=verdict,
        cause=cause,
        started=started,
        ended=ended,
        duration=max(0.0, last - started) if started else 0,
        finished=ended is not None,
        total_tests=len(tests) + len(not_run),
        passed=counts[Verdict.PASS],
        failed=counts[Verdict.FAIL],
        unknown=counts[Verdict.UNKNOWN],
        tests=tuple(tests),
        not_run=not_run,
        left_out=tuple(left_out),
        repeats=repeats(tests, not_run),
    )


def _last(test: TestResult) -> float:
    """When a test was last known to run, in epoch seconds; one that was killed has no end."""
    dead = sum(one.dead for one in test.resumptions)
    return test.ended or (test.started + test.duration + dead if test.started else 0)


def _cause(tests: Sequence[TestResult], verdict: Verdict) -> Cause | None:
    if verdict is Verdict.PASS:
        return None
    return speaking_cause([(test.verdict, test.cause) for test in tests], verdict)


def speaking_cause(decided: Sequence[tuple[Verdict, Cause | None]], verdict: Verdict) -> Cause:
    """Of all causes of this verdict the one that says most about the product."""
    causes = {cause for each, cause in decided if each is verdict}
    return next((cause for cause in _SPEAKING if cause in causes), Cause.HARNESS)
