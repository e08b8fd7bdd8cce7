"""What is told in the same way of either line of Stroppy: all of a result that does not depend on its dialect. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.result import Latency, TransactionLoad
from e2e_ansible.load.stroppy_run import Run, intervals

__all__ = ["LONGEST_TEXT", "by_name", "common", "ended", "population"]

LONGEST_TEXT = 500
"""Characters of an error that are shown."""

_POPULATION = re.compile(r"validate_population[^\n]*fail|check\(s\) failed", re.I)
_DURATION = "_duration"


def common(output: LoadOutput, run: Run | None, dialect: str) -> dict[str, Any]:
    """Fields of a `LoadResult`: who ran, where, and when."""
    return {
        "tool": output.tool,
        "dialect": dialect,
        "version": run.version if run else "",
        "workload": output.workload,
        "host": output.host,
        "started": run.begun if run and run.begun else output.started,
        "intervals": intervals(run) if run else (),
        "exit_code": output.exit_code,
    }


def by_name(
    latencies: Mapping[str, Latency], totals: Mapping[str, float | None], seconds: float | None
) -> Iterator[TransactionLoad]:
    """Transactions of TPC-B and TPC-C: `tpcc_payment_duration` and `tpcc_payment_total` are `payment`."""
    named = {}
    for name, latency in latencies.items():
        stem = name.removesuffix(_DURATION)
        count = totals.get(f"{stem}_total")
        if name.startswith("tpc") and stem != name and count is not None:
            named[stem.partition("_")[2]] = int(count), latency
    every = sum(count for count, _ in named.values())
    for name, (count, latency) in named.items():
        yield TransactionLoad(
            name=name,
            count=count,
            per_second=count / seconds if seconds else None,
            percent=100 * count / every if every else None,
            latency=latency,
        )


def ended(output: LoadOutput, meanings: Mapping[int, str]) -> str:
    """What its exit status means, in words."""
    if output.exit_code is None:
        return "it was not seen to end"
    return meanings.get(
        output.exit_code, f"it ended with status {output.exit_code}, which has no meaning of its own"
    )


def population(output: LoadOutput) -> str:
    """Why the load does not count, if its tables are not whole."""
    if _POPULATION.search(output.stderr) or _POPULATION.search(output.stdout):
        return "its own check of the population failed: the tables are not what the workload needs"
    return ""
