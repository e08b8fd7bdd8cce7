"""What an analysis says of a soak: the shape of `analysis.json`. Durations are in seconds, rates 0 to 1."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.analysis.alerts import AlertCount, Episode
from e2e_ansible.analysis.change import Comparison
from e2e_ansible.analysis.failures import FailedCycle
from e2e_ansible.analysis.flake import Flake
from e2e_ansible.analysis.percentiles import Percentiles
from e2e_ansible.analysis.proportion import Proportion
from e2e_ansible.analysis.standing import Standing
from e2e_ansible.verdict import Cause, Verdict

__all__ = [
    "Advice",
    "CycleCounts",
    "InjectionCount",
    "Losses",
    "OutageFigures",
    "PhaseFigures",
    "SoakAnalysis",
    "Source",
    "Success",
    "VerdictCount",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Source(_Model):
    """The file that was read. `torn`: a kill cut its last line, which is left out."""

    file: str
    bytes: int
    sha256: str
    records: int
    torn: bool = False


class CycleCounts(_Model):
    """How cycles ended. `apart` are those that machines, the tool or the user ended; `unfinished` never ended."""

    ended: int
    passed: int
    failed: int
    unknown: int
    apart: int
    swapped: int
    unfinished: tuple[int, ...] = ()


class VerdictCount(_Model):
    """How many cycles ended with this verdict and cause, and how those count."""

    verdict: Verdict | None
    cause: Cause | None
    standing: Standing
    cycles: int


class Success(_Model):
    """A rate with its bounds, and what it shows in one sentence."""

    found: Proportion
    sentence: str


class PhaseFigures(_Model):
    """How long a phase takes where it passed, and how often it does."""

    name: str
    seconds: Percentiles
    success: Success


class OutageFigures(_Model):
    """How long the client that was cut off longest was so in a cycle, all windows together."""

    kind: str
    seconds: Percentiles
    median: float
    worst: float
    worst_cycle: int
    cycles_without: int


class Losses(_Model):
    """Acknowledged rows of which nothing was found, by cycle; in `not_examined` cycles nobody looked for them all."""

    rows: int
    cycles: dict[int, int]
    not_examined: int


class InjectionCount(_Model):
    """One kind of injected failure: how often it was tried, took, and was undone; None counts as not known.

    `passed` is how the cycles ended in which it took.
    """

    scenario: str
    phase: str
    tried: int
    taken: int
    not_taken: int
    undone: int
    not_undone: int
    cycles: Success


class Advice(_Model):
    """Something to do, and the numbers that carry it."""

    do: str
    because: str


class SoakAnalysis(_Model):
    """A whole soak. `success_of_all` counts the cycles that are apart as unknown; None where there are none.

    `disturbed` and `undisturbed` are the cycles with and without an injected failure, None where all are of one kind.
    `flakes` are of undisturbed cycles where there are any (`flakes_disturbed` false).
    """

    run_id: str
    suite: str
    first: str
    last: str
    source: Source
    cycles: CycleCounts
    verdicts: tuple[VerdictCount, ...]
    success: Success
    success_of_all: Success | None
    undisturbed: Success | None
    disturbed: Success | None
    whole: PhaseFigures
    phases: tuple[PhaseFigures, ...]
    outages: tuple[OutageFigures, ...]
    losses: Losses | None = Field(description="None: no client noted anything")
    flakes: tuple[Flake, ...]
    flakes_disturbed: bool
    drift: Comparison
    alerts: tuple[AlertCount, ...]
    episodes: tuple[Episode, ...]
    episodes_left_off: int
    injections: tuple[InjectionCount, ...]
    failures: tuple[FailedCycle, ...]
    failures_left_off: int
    looks: int
    blind_looks: int
    advice: tuple[Advice, ...] = ()
