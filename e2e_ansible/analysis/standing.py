"""What a cycle says about the product: it passed, it failed, it is not known, or it says nothing about it."""

from __future__ import annotations

from enum import StrEnum

from e2e_ansible.verdict import Cause, Verdict

__all__ = ["Standing", "standing"]


class Standing(StrEnum):
    """How a cycle counts. APART: machines, the tool or the user ended it, which is nothing against the product."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    APART = "apart"


def standing(success: bool | None, verdict: Verdict | None, cause: Cause | None) -> Standing:
    """How a cycle counts. A failure without a cause is one of the product; an unknown is apart only if interrupted.

    An unknown for want of machines stays an unknown: a product that takes its machine along may look the same.
    """
    if cause is Cause.INTERRUPT:
        return Standing.APART
    if verdict is Verdict.FAIL or (verdict is None and success is False):
        return Standing.FAILED if cause in (None, Cause.PRODUCT) else Standing.APART
    return Standing.PASSED if success and verdict in (None, Verdict.PASS) else Standing.UNKNOWN
