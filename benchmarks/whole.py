"""Whole runs on real nodes: the quickstart suite, and looking at three nodes."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import yaml

from benchmarks.measure import Times, table
from e2e_ansible import api
from e2e_ansible.engine.name import EngineName
from e2e_ansible.run.engines import open_engine

__all__ = ["looks", "quickstart"]

_QUICKSTART = Path(__file__).parents[1] / "suites" / "quickstart.yaml"
_RETRIES = 10
_LOOK = {"step": "validate", "checks": ["cluster_status"]}
_NEVER = {
    "step": "validate",
    "checks": ["node_status:n11:stopped"],
    "retry": {"max_attempts": _RETRIES, "delay_seconds": 0},
}


def quickstart(folder: Path, rounds: int) -> str:
    """The quickstart suite by both engines, in turn."""
    taken: dict[EngineName, list[float]] = {name: [] for name in EngineName}
    for number in range(rounds):
        for name in EngineName:
            begin = time.perf_counter()
            result = _run(_QUICKSTART, folder / f"{name}-{number}", name)
            if result.verdict is not api.Verdict.PASS:
                raise RuntimeError(str(result.tests[0].error))
            taken[name].append(time.perf_counter() - begin)
    row: list[object] = [f"{statistics.median(values):.1f}" for values in taken.values()]
    warm, cold = (Times(tuple(taken[name])) for name in (EngineName.WARM, EngineName.COLD))
    return table([*(f"{name}, s" for name in EngineName), "ratio"], [[*row, warm.times_faster_than(cold)]])


def looks(folder: Path, rounds: int) -> str:
    """`validate` on three nodes: one look, and a check that never holds, looked at ten times."""
    folder.mkdir()
    suite = folder / "looks.yaml"
    steps = [{"step": "deploy"}, *[_LOOK] * rounds, _NEVER]
    test = {"parameters": {"cluster_size": 3, "admin_ui": False}, "workflow": steps}
    suite.write_text(yaml.safe_dump({"test_suites": {"looks": test}}))
    rows = []
    for name in EngineName:
        result = _run(suite, folder / name, name)
        if result.tests[0].cause is not api.Cause.PRODUCT:
            raise RuntimeError(str(result.tests[0].error))
        found = [step for step in result.tests[0].workflow_steps if step.step_type == "validate"]
        once = statistics.median(step.duration * 1000 for step in found[:-1])
        each = found[-1].duration * 1000 / found[-1].attempts
        rows.append([name, f"{once:.0f}", found[-1].attempts, f"{each:.0f}"])
    return table(["engine", "one look, ms", "attempts", "each of them, ms"], rows)


def _run(suite: Path, runs: Path, name: EngineName) -> api.RunResult:
    with open_engine(name) as engine:
        return api.run(api.plan(api.load(suite, provider="local")), engine=engine, runs=runs)
