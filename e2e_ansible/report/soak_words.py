"""What is said of a soak, on its page and in the terminal alike."""

from __future__ import annotations

from collections.abc import Iterator

from e2e_ansible.analysis.rule import Outcome
from e2e_ansible.analysis.soak_result import CycleCounts, SoakAnalysis
from e2e_ansible.report.words import Mark

__all__ = ["DRIFTS", "cycle_folder", "cycle_words", "soak_mark"]

#: What a drift is called.
DRIFTS = {
    Outcome.REGRESSION: "slower",
    Outcome.IMPROVEMENT: "faster",
    Outcome.NO_CHANGE: "steady",
    Outcome.INCONCLUSIVE: "not decided",
}
_MOST_UNFINISHED = 5


def cycle_folder(cycle: int) -> str:
    """The folder of a cycle in the run folder."""
    return f"cycles/{cycle:04}"


def cycle_words(found: CycleCounts) -> str:
    """`98 passed, 1 failed, 0 unknown, 1 apart, of 100; cycle 101 did not end`."""
    return "; ".join(_cycle_words(found))


def _cycle_words(found: CycleCounts) -> Iterator[str]:
    told = [f"{found.passed} passed", f"{found.failed} failed", f"{found.unknown} unknown"]
    if found.apart:
        told.append(f"{found.apart} apart")
    yield f"{', '.join(told)}, of {found.ended}"
    if found.unfinished:
        named = ", ".join(map(str, found.unfinished[:_MOST_UNFINISHED]))
        more = ", ..." if len(found.unfinished) > _MOST_UNFINISHED else ""
        noun = "cycle" if len(found.unfinished) == 1 else "cycles"
        yield f"{noun} {named}{more} did not end"


def soak_mark(found: SoakAnalysis) -> Mark:
    """How a soak stands: as its worst cycle, of those that say something about the product."""
    if found.cycles.failed:
        return Mark.FAIL
    return Mark.PASS if found.cycles.passed and not found.cycles.unknown else Mark.UNKNOWN
