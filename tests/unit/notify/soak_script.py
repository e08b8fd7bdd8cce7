"""Records and notices as a soak makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from e2e_ansible.judge.result import RunResult
from e2e_ansible.report.notice import RunEnded, RunStarted
from e2e_ansible.soak.records import (
    Alert,
    AlertRecord,
    ClientOutages,
    CycleEnd,
    CycleStart,
    FailureInjection,
    PhaseResult,
)
from e2e_ansible.verdict import Cause, Verdict

RUN = "20261121-120000-abcdef"
HEAD: dict[str, Any] = {"timestamp": "2026-11-21T12:00:00Z", "run_id": RUN}


def started(folder: Path | str = "runs/x", suite: str = "soak.yaml") -> RunStarted:
    return RunStarted(at=100.0, run_id=RUN, folder=str(folder), suite=suite, tests=("soak",))


def ended(verdict: Verdict = Verdict.PASS, cause: Cause | None = None) -> RunEnded:
    numbers = {each: int(each is verdict) for each in Verdict}
    result = RunResult(
        run_id=RUN,
        suite="soak.yaml",
        verdict=verdict,
        cause=cause,
        started=100.0,
        ended=160.0,
        duration=60.0,
        finished=True,
        total_tests=1,
        passed=numbers[Verdict.PASS],
        failed=numbers[Verdict.FAIL],
        unknown=numbers[Verdict.UNKNOWN],
        tests=(),
    )
    return RunEnded(at=160.0, result=result, folder="runs/x")


def cycle_start(number: int = 1) -> CycleStart:
    contexts = {"primary_context": "site_a", "secondary_context": "site_b"}
    return CycleStart(**HEAD, cycle_num=number, cycle_id=f"c{number}", **contexts)


def phase(name: str, seconds: float) -> PhaseResult:
    return PhaseResult(**HEAD, cycle_id="c1", phase_name=name, success=True, duration_seconds=seconds)


def cycle(number: int = 1, verdict: Verdict | None = Verdict.PASS, **more: Any) -> CycleEnd:
    cause = None if verdict in (Verdict.PASS, None) else Cause.PRODUCT
    success = None if verdict is None else verdict is Verdict.PASS
    known = {"success": success, "verdict": verdict, "cause": cause, "duration_seconds": 21.5, **more}
    return CycleEnd(**HEAD, cycle_num=number, cycle_id=f"c{number}", **known)


def outages(*writes: float, lost: int = 0) -> ClientOutages:
    return ClientOutages(writes=writes, reads=(), operations=100, lost=lost)


def alert(identity: str = "a1", *, over: bool = False) -> AlertRecord:
    made = Alert(
        alert_id=identity,
        alert_type="replication_lag",
        context="site_b",
        resource="site_b/n21",
        message="the lag is 20 MB",
        started="2026-11-21T12:00:05Z",
        ended="2026-11-21T12:01:00Z" if over else None,
        phase="activation",
        value=20e6,
        threshold=16e6,
    )
    return AlertRecord(**HEAD, cycle_num=3, alert=made)


def injection(success: bool | None = True, undone: bool | None = None, number: int = 1) -> FailureInjection:
    return FailureInjection(
        **HEAD,
        cycle_num=number,
        cycle_id=f"c{number}",
        scenario="pause_backup",
        phase="activation",
        success=success,
        undone=undone,
        message="the timer is off",
    )
