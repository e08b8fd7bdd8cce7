"""Results of loads as a tool would have measured them, and of runs that have some."""

from __future__ import annotations

from random import Random
from typing import Any

from e2e_ansible.judge.result import RunResult, StepResult, TestResult
from e2e_ansible.judge.run import judge_run
from e2e_ansible.load.result import Interval, Latency, LoadResult
from e2e_ansible.suite.model import SourceRef
from e2e_ansible.verdict import Cause, Status, Verdict

STARTED = 1_700_000_000.0


def a_load(
    seed: int = 1,
    *,
    rate: float = 800.0,
    milliseconds: float = 5.0,
    failed: int = 2,
    seconds: int = 60,
    outage: tuple[int, int] | None = None,
    **more: Any,
) -> LoadResult:
    """A load of so many seconds; in an outage (from, to, in seconds) nothing succeeds."""
    random = Random(seed)
    intervals = []
    for second in range(seconds):
        out = outage is not None and outage[0] <= second < outage[1]
        noisy = milliseconds * random.gauss(1, 0.05)
        intervals.append(
            Interval(
                start=float(second),
                seconds=1.0,
                count=0 if out else round(rate * random.gauss(1, 0.04)),
                failed=failed if out else 0,
                latency=Latency() if out else Latency(average=noisy, p95=noisy * 2.5),
            )
        )
    count = sum(one.count for one in intervals)
    given: dict[str, Any] = {
        "tool": "pgbench",
        "workload": "tpcb-like",
        "host": "c11",
        "started": STARTED,
        "seconds": float(seconds),
        "transactions": count,
        "per_second": count / seconds,
        "failed": failed,
        "retried": 0,
        "latency": Latency(
            average=milliseconds,
            p50=milliseconds,
            p90=2 * milliseconds,
            p95=2.5 * milliseconds,
            p99=4 * milliseconds,
        ),
        "intervals": tuple(intervals),
        "exit_code": 0,
        "complete": True,
    }
    return LoadResult(**{**given, **more})


def a_step(name: str, index: int, load: LoadResult | None = None, **more: Any) -> StepResult:
    """A step that has passed."""
    given: dict[str, Any] = {
        "index": index,
        "id": f"{index:02}-{name}",
        "step_type": name,
        "description": "",
        "status": Status.COMPLETED,
        "verdict": Verdict.PASS,
        "started": STARTED - 2,
        "ended": STARTED + 61,
        "duration": 63.0,
        "load": load,
        "source": SourceRef(file="s.yaml", line=index, column=1),
    }
    return StepResult(**{**given, **more})


def a_test(*loads: LoadResult, name: str = "tpcb", **more: Any) -> TestResult:
    """A test that has passed, with a step for each load after its set-up."""
    steps = [a_step("deploy", 1, started=STARTED - 30, ended=STARTED - 3, duration=27.0)]
    steps += [a_step("run_pgbench", index, load) for index, load in enumerate(loads, start=2)]
    given: dict[str, Any] = {
        "deployment_id": f"{name}-abc",
        "name": name,
        "provider": "local",
        "success": True,
        "verdict": Verdict.PASS,
        "started": STARTED - 30,
        "ended": STARTED + 70,
        "duration": 100.0,
        "folder": f"tests/{name}",
        "workflow_steps": tuple(steps),
    }
    return TestResult(**{**given, **more})


def a_run(*tests: TestResult, name: str = "today") -> RunResult:
    """A run that has ended."""
    return judge_run(name, "nightly.yaml", tests, started=STARTED - 40, ended=STARTED + 80)


def failed(test: TestResult, cause: Cause = Cause.PRODUCT) -> TestResult:
    """The same test, failed."""
    return test.model_copy(update={"success": False, "verdict": Verdict.FAIL, "cause": cause})
