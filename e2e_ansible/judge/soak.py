"""All cycles of a soak to one result, without a list of them: what is kept is how many came to what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.judge.result import RunResult, SoakResult, TestResult
from e2e_ansible.judge.run import speaking_cause
from e2e_ansible.verdict import Cause, Verdict, worst

__all__ = ["KEPT_CYCLES", "REHEARSED", "Tally", "judge_soak"]

#: So many of the cycles that did not pass are in the result of a run; all of them are in its folder.
KEPT_CYCLES = 20
#: What stands where a verdict would: nothing in a rehearsal may read as tested.
REHEARSED = "rehearsed; nothing was tested"
_REHEARSAL = "rehearsed"


class Tally(BaseModel):
    """How many cycles came to each verdict and cause, by `verdict` or `verdict:cause`."""

    model_config = ConfigDict(frozen=True)

    counts: Mapping[str, int] = Field(default_factory=dict)

    def add(self, verdict: Verdict | None, cause: Cause | None) -> Tally:
        """One more; None is a rehearsal."""
        key = _REHEARSAL if verdict is None else f"{verdict}:{cause}" if cause else str(verdict)
        return Tally(counts={**self.counts, key: self.counts.get(key, 0) + 1})

    @property
    def total(self) -> int:
        """All cycles."""
        return sum(self.counts.values())

    @property
    def passed(self) -> int:
        """Cycles that passed."""
        return self._of(Verdict.PASS)

    @property
    def failed(self) -> int:
        """Cycles that failed."""
        return self._of(Verdict.FAIL)

    @property
    def unknown(self) -> int:
        """Cycles of which nothing is known for sure, those that an interrupt cut off among them."""
        return self._of(Verdict.UNKNOWN)

    @property
    def interrupted(self) -> int:
        """Cycles that an interrupt cut off."""
        return self.counts.get(f"{Verdict.UNKNOWN}:{Cause.INTERRUPT}", 0)

    def decided(self) -> list[tuple[Verdict, Cause | None]]:
        """What cycles came to, each once."""
        pairs = (key.partition(":") for key in self.counts if key != _REHEARSAL)
        return [(Verdict(verdict), Cause(cause) if cause else None) for verdict, _, cause in pairs]

    def _of(self, verdict: Verdict) -> int:
        return sum(count for key, count in self.counts.items() if key.partition(":")[0] == verdict)


def judge_soak(
    run_id: str,
    suite: str,
    soak: SoakResult,
    tally: Tally,
    *,
    parts: Sequence[TestResult],
    cycles: Sequence[TestResult],
    started: float,
    ended: float | None,
    clean_up: str = "",
) -> RunResult:
    """The result of a soak: a pass only if every part and every cycle passed, and nothing cut it off.

    `parts` are the set-up and the end, as far as they were begun; `cycles` some of those that did not pass.
    `clean_up` says what could not be removed.
    """
    decided = _decided(soak, tally, parts, ended=ended, clean_up=clean_up)
    verdict = worst(each for each, _ in decided)
    counts = {each: sum(part.verdict is each for part in parts) for each in Verdict}
    shown = [*parts[:1], *cycles, *parts[1:]] if parts else list(cycles)
    last = ended or max((test.ended or test.started or 0 for test in shown), default=started)
    return RunResult(
        run_id=run_id,
        suite=suite,
        verdict=verdict,
        cause=None if verdict is Verdict.PASS or soak.dry_run else speaking_cause(decided, verdict),
        started=started,
        ended=ended,
        duration=max(0.0, last - started),
        finished=ended is not None,
        total_tests=len(parts) + tally.total,
        passed=counts[Verdict.PASS] + tally.passed,
        failed=counts[Verdict.FAIL] + tally.failed,
        unknown=counts[Verdict.UNKNOWN] + tally.unknown,
        tests=tuple(shown),
        soak=soak,
    )


def _decided(
    soak: SoakResult, tally: Tally, parts: Sequence[TestResult], *, ended: float | None, clean_up: str
) -> list[tuple[Verdict, Cause | None]]:
    """What its parts and cycles came to, and what cut it off or is left of it."""
    decided = [*((part.verdict, part.cause) for part in parts), *tally.decided()]
    if not tally.total:
        decided.append((Verdict.UNKNOWN, Cause.HARNESS))
    if soak.stopped == "interrupted":
        decided.append((Verdict.UNKNOWN, Cause.INTERRUPT))
    elif ended is None:
        decided.append((Verdict.UNKNOWN, Cause.HARNESS))
    if clean_up:
        decided.append((Verdict.FAIL, Cause.CLEAN_UP))
    return decided
