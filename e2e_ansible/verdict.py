"""The closed sets that a result is made of, and the exit code each one has."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

__all__ = ["Cause", "Status", "Verdict", "exit_code", "worst"]


class Verdict(StrEnum):
    """What is known about a step or test. UNKNOWN is never counted as a pass."""

    PASS = "pass"
    UNKNOWN = "unknown"
    FAIL = "fail"


class Cause(StrEnum):
    """Who has to look at a verdict other than pass."""

    PRODUCT = "product"
    INFRASTRUCTURE = "infrastructure"
    HARNESS = "harness"
    CLEAN_UP = "clean-up"
    INTERRUPT = "interrupt"


class Status(StrEnum):
    """How far a step came."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    OMITTED = "omitted"
    INTERRUPTED = "interrupted"


_SEVERITY = {Verdict.PASS: 0, Verdict.UNKNOWN: 1, Verdict.FAIL: 2}
_EXIT_FAIL = {
    Cause.PRODUCT: 1,
    Cause.INFRASTRUCTURE: 4,
    Cause.HARNESS: 5,
    Cause.CLEAN_UP: 6,
    Cause.INTERRUPT: 130,
}
EXIT_UNKNOWN = 3


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; of none at all, UNKNOWN: nothing was shown."""
    return max(verdicts, key=_SEVERITY.__getitem__, default=Verdict.UNKNOWN)


def exit_code(verdict: Verdict, cause: Cause | None) -> int:
    """0 pass, 1 product, 3 unknown, 4 infrastructure, 5 harness, 6 clean-up, 130 interrupt (2 is bad input)."""
    if verdict is Verdict.PASS:
        return 0
    if cause is Cause.INTERRUPT:
        return _EXIT_FAIL[cause]
    if verdict is Verdict.UNKNOWN:
        return EXIT_UNKNOWN
    return _EXIT_FAIL[cause or Cause.HARNESS]
