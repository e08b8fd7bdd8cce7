"""What a judge of histories has to say: one finding for each thing that is wrong, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

__all__ = ["Finding", "Inquiry", "Notes"]

_KEPT = 20


class Finding(BaseModel):
    """One thing that speaks against the cluster. `at` is in epoch seconds, `operations` are their numbers.

    Not `decided`: it was seen, and is no proof. `client` is filled where several are told together.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    message: str
    at: float | None = None
    operations: tuple[int, ...] = ()
    decided: bool = True


class Inquiry(BaseModel):
    """The findings of one judge. `examined` is how many `what` it looked at; with 0 nothing was shown.

    `count` is the number of findings, of which the first ones are in `findings`. `undecided` says why the judge
    gave up before its end; a judge that gave up never stands for a pass.
    """

    model_config = ConfigDict(frozen=True)

    judge: str
    examined: int
    what: str
    findings: tuple[Finding, ...] = ()
    count: int = 0
    undecided: str = ""

    @property
    def guilty(self) -> tuple[Finding, ...]:
        """Those findings that are proofs."""
        return tuple(finding for finding in self.findings if finding.decided)


class Notes:
    """Collects findings: all are counted, proofs are kept first, and no more than fit on a page."""

    def __init__(self) -> None:
        self._proofs: list[Finding] = []
        self._doubts: list[Finding] = []
        self.count = 0

    def add(self, finding: Finding) -> None:
        """Take one more."""
        self.count += 1
        kept = self._proofs if finding.decided else self._doubts
        if len(kept) < _KEPT:
            kept.append(finding)

    def extend(self, findings: Sequence[Finding]) -> None:
        """Take several."""
        for finding in findings:
            self.add(finding)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The kept ones, proofs first."""
        return (*self._proofs, *self._doubts)[:_KEPT]

    def inquiry(self, judge: str, examined: int, what: str, undecided: str = "") -> Inquiry:
        """The end of the inquiry."""
        return Inquiry(
            judge=judge,
            examined=examined,
            what=what,
            findings=self.findings,
            count=self.count,
            undecided=undecided,
        )
