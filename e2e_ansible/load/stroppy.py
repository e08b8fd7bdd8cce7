"""Stroppy as a load tool: either line of it, told apart by what it said of itself or by what it printed. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ansible.load.base import LoadOutput, LoadTool
from e2e_ansible.load.result import Latency, LoadResult
from e2e_ansible.load.stroppy_go import SUMMARY, read_go
from e2e_ansible.load.stroppy_k6 import read_k6
from e2e_ansible.load.stroppy_result import common
from e2e_ansible.load.stroppy_run import Run, run_of

__all__ = ["TOOL", "Stroppy"]

_K6_MARKS = ("script_runner\t", " level=error msg=", "source=console", "/\\      Grafana")
#: It also times the one time that it does nothing.
_NO_TRANSACTIONS: Mapping[str, object] = {
    **dict.fromkeys(("transactions", "per_second", "failed", "retried")),
    "latency": Latency(),
    "by_name": (),
    "intervals": (),
}


class Stroppy(LoadTool):
    """Reads both lines."""

    name = "stroppy"
    summary = "Stroppy: TPC-B, TPC-C and other workloads, either line of its command"

    def read(self, output: LoadOutput) -> LoadResult:
        """What it measured."""
        run = run_of(output)
        if run and run.unusable:
            return _unusable(output, run)
        found = read_k6(output, run) if _is_k6(output, run) else read_go(output, run)
        if run and not run.asked.transactions:
            return found.model_copy(update=_NO_TRANSACTIONS)
        if found.transactions == 0 and found.failed and not found.refused:
            return found.model_copy(update={"refused": "not one transaction succeeded"})
        return found


def _is_k6(output: LoadOutput, run: Run | None) -> bool:
    if run and run.dialect:
        return run.dialect == "k6"
    return SUMMARY not in output.stderr and any(mark in output.stderr + output.stdout for mark in _K6_MARKS)


def _unusable(output: LoadOutput, run: Run) -> LoadResult:
    return LoadResult(
        **common(output, run, run.dialect),
        meaning="it was not run",
        refused="; ".join(run.unusable),
    )


TOOL = Stroppy()
