"""Folders of soaks that never ran: series with known truth, written with the models that real soaks write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder
from e2e_ansible.soak.records import (
    Alert,
    AlertRecord,
    ClientOutages,
    CycleEnd,
    CycleStart,
    FailureInjection,
    PhaseResult,
    Record,
    ResourceSnapshot,
    StepFigure,
)
from e2e_ansible.verdict import Cause, Verdict

BEGIN = datetime(2026, 11, 21, 12, tzinfo=UTC)
PHASES: Mapping[str, float] = {
    "preflight": 1.2,
    "primary_prep": 2.5,
    "activation": 6.0,
    "post_activation": 3.0,
    "finalization": 1.8,
}
STEPS: Mapping[str, str] = {
    "preflight": "010-validate",
    "primary_prep": "020-demote-site",
    "activation": "030-promote-site",
    "post_activation": "040-validate",
    "finalization": "050-stop-client",
}
SITES = ("site_a", "site_b")
OUTAGE = 4.0
NOISE = 0.05


@dataclass(frozen=True)
class Trouble:
    """What goes wrong in a cycle: the phase that does not pass, and whose trouble that is."""

    phase: str = "activation"
    verdict: Verdict = Verdict.FAIL
    cause: Cause | None = Cause.PRODUCT
    error: str = "patroni_leader: 2 leaders: n11, n12"


@dataclass(frozen=True)
class SimulatedSoak:
    """A soak with known truth. `slower` multiplies a phase, `growing` adds a share of it up to the last cycle.

    `between` multiplies everything, as another machine would.
    """

    cycles: int = 30
    seed: int = 1
    slower: Mapping[str, float] = field(default_factory=dict)
    growing: Mapping[str, float] = field(default_factory=dict)
    between: float = 1.0
    outage: float = OUTAGE
    troubles: Mapping[int, Trouble] = field(default_factory=dict)
    injected: Mapping[int, FailureInjection] = field(default_factory=dict)
    alerts: Mapping[int, Alert] = field(default_factory=dict)
    lost: Mapping[int, int] = field(default_factory=dict)
    begin: datetime = BEGIN
    phases: Mapping[str, float] = field(default_factory=lambda: PHASES)

    def records(self, run_id: str) -> Iterator[Record]:
        """All records in the order of a real soak."""
        random, now = Random(self.seed), self.begin
        for number in range(1, self.cycles + 1):
            cycle = _Cycle(self, run_id, number, random, now)
            yield from cycle.records()
            now = cycle.now + timedelta(seconds=5)


@dataclass
class _Cycle:
    soak: SimulatedSoak
    run_id: str
    number: int
    random: Random
    now: datetime

    def records(self) -> Iterator[Record]:
        soak, number, begin = self.soak, self.number, self.now
        sites = SITES if number % 2 else SITES[::-1]
        yield CycleStart(
            **self._head, cycle_id=self._id, primary_context=sites[0], secondary_context=sites[1]
        )
        trouble = soak.troubles.get(number)
        steps: dict[str, StepFigure] = {}
        for phase in soak.phases:
            yield from self._before(phase)
            verdict = trouble.verdict if trouble and phase == trouble.phase else Verdict.PASS
            yield self._phase(phase, verdict, trouble.error if trouble else "", steps)
            if verdict is Verdict.FAIL:
                break
        yield from self._after()
        yield CycleEnd(
            **self._head,
            cycle_id=self._id,
            success=trouble is None,
            verdict=trouble.verdict if trouble else Verdict.PASS,
            cause=trouble.cause if trouble else None,
            error=trouble.error if trouble else "",
            duration_seconds=(self.now - begin).total_seconds(),
            primary_context=sites[0],
            secondary_context=sites[1],
            swapped=trouble is None,
            clients={"shop": self._client()},
            steps=steps,
        )

    @property
    def _id(self) -> str:
        return f"{self.run_id}-{self.number:04}"

    @property
    def _head(self) -> dict[str, object]:
        return {"timestamp": _iso(self.now), "run_id": self.run_id, "cycle_num": self.number}

    def _phase(self, phase: str, verdict: Verdict, error: str, steps: dict[str, StepFigure]) -> PhaseResult:
        soak = self.soak
        share = (self.number - 1) / max(1, soak.cycles - 1)
        seconds = soak.phases[phase] * soak.between * soak.slower.get(phase, 1)
        seconds *= (1 + soak.growing.get(phase, 0) * share) * max(0.1, self.random.gauss(1, NOISE))
        seconds = round(seconds, 3)
        self.now += timedelta(seconds=seconds)
        steps[STEPS.get(phase, phase)] = StepFigure(verdict=verdict, seconds=seconds)
        return PhaseResult(
            **self._head,
            cycle_id=self._id,
            phase_name=phase,
            success={Verdict.PASS: True, Verdict.FAIL: False, Verdict.UNKNOWN: None}[verdict],
            verdict=verdict,
            duration_seconds=seconds,
            error="" if verdict is Verdict.PASS else error,
        )

    def _before(self, phase: str) -> Iterator[Record]:
        injection = self.soak.injected.get(self.number)
        if injection and injection.phase == phase:
            yield injection.model_copy(
                update={**self._head, "cycle_id": self._id, "undone": None, "message": "injected"}
            )
        alert = self.soak.alerts.get(self.number)
        if alert and alert.phase == phase:
            yield AlertRecord(**self._head, alert=alert.model_copy(update=self._episode(ended=False)))

    def _after(self) -> Iterator[Record]:
        yield ResourceSnapshot(**self._head, phase="finalization", seconds=0.4)
        injection, alert = self.soak.injected.get(self.number), self.soak.alerts.get(self.number)
        if injection:
            yield injection.model_copy(update={**self._head, "cycle_id": self._id})
        if alert and alert.ended is not None:
            yield AlertRecord(**self._head, alert=alert.model_copy(update=self._episode(ended=True)))

    def _episode(self, *, ended: bool) -> dict[str, object]:
        started = self.soak.begin + timedelta(minutes=self.number)
        end = _iso(started + timedelta(seconds=12)) if ended else None
        return {"alert_id": f"alert-{self.number}", "started": _iso(started), "ended": end}

    def _client(self) -> ClientOutages:
        writes = round(self.soak.outage * self.soak.between * max(0.1, self.random.gauss(1, NOISE)), 3)
        reads = round(writes / 8, 3)
        lost = self.soak.lost.get(self.number, 0)
        return ClientOutages(writes=(writes,), reads=(reads,), operations=500, lost=lost)


def injection(
    scenario: str, phase: str, *, success: bool = True, undone: bool | None = True
) -> FailureInjection:
    """A failure that a simulated soak injects; number, time and run are put in."""
    return FailureInjection(
        timestamp="", run_id="", cycle_id="", scenario=scenario, phase=phase, success=success, undone=undone
    )


def alert(kind: str, phase: str, *, context: str = "site_b", ended: bool = True) -> Alert:
    """An alert that a simulated soak raises in a phase, and that ends with the cycle or never."""
    return Alert(
        alert_id="",
        alert_type=kind,
        context=context,
        resource="postgresql",
        message=f"{kind} for 10s",
        started="",
        ended="" if ended else None,
        phase=phase,
    )


def make_soak(
    runs: Path, soak: SimulatedSoak, name: str = "", *, suite: str = "switchover.yaml"
) -> RunFolder:
    """The run folder of a simulated soak below `runs`, named by its beginning."""
    name = name or f"{soak.begin:%Y%m%d-%H%M%S}-{soak.seed:06x}"
    run = RunFolder(runs / name)
    (run.path / "metrics").mkdir(parents=True)
    (run.path / "run.lock").touch()
    started = soak.begin.timestamp()
    last = started
    with (run.path / "metrics/metrics.jsonl").open("w") as file:
        for record in soak.records(name):
            file.write(record.model_dump_json() + "\n")
            last = datetime.fromisoformat(record.timestamp).timestamp()
    test = ManifestTest(
        name="switchover",
        folder="tests/setup",
        deployment=f"switchover-{name[-6:]}",
        provider="local",
        suite=f"suites/{suite}",
        suite_digest="0" * 64,
    )
    run.write_manifest(
        Manifest(run_id=name, suite=f"suites/{suite}", started=started, ended=last, tests=(test,))
    )
    return run


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
