"""What pgbench has printed, for tests: summaries in the words of its versions, and lines of its logs."""

from __future__ import annotations

import json
from typing import Any

from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.pgbench import REDUCED

__all__ = ["OLD", "SUMMARY", "output", "row"]

SUMMARY = """\
pgbench (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)
pgbench (15.20 (Debian 15.20-0+deb12u1))
transaction type: <builtin: TPC-B (sort of)>
scaling factor: 1
query mode: simple
number of clients: 4
number of threads: 1
maximum number of tries: 3
duration: 2 s
number of transactions actually processed: 1000
number of failed transactions: 5 (0.498%)
number of serialization failures: 5 (0.498%)
number of deadlock failures: 0 (0.000%)
number of transactions retried: 7 (0.697%)
total number of retries: 9
latency average = 3.905 ms
latency stddev = 0.313 ms
initial connection time = 21.483 ms
tps = 512.250000 (without initial connection time)
"""
OLD = """\
pgbench (PostgreSQL) 13.18
starting vacuum...end.
transaction type: <builtin: select only>
scaling factor: 1
query mode: simple
number of clients: 1
number of threads: 1
duration: 2 s
number of transactions actually processed: 200
latency average = 9.700 ms
latency stddev = 0.100 ms
tps = 99.000000 (including connections establishing)
tps = 100.500000 (excluding connections establishing)
"""


def row(count: int, failed: int = 0, base: float = 1.0) -> list[float | None]:
    """Numbers of one piece as the program on the node tells them."""
    times = [base * factor for factor in (1.0, 0.9, 1.2, 1.5, 2.0, 4.0)] if count else [None] * 6
    return [count, failed, *times]


def output(stdout: str = SUMMARY, *, reduced: dict[str, Any] | None = None, **more: Any) -> LoadOutput:
    """A run of pgbench that began at 100 and ended at 102.1 by the clock of its node."""
    files = {} if reduced is None else {REDUCED: json.dumps(reduced)}
    given = {"exit_code": 0, "started": 100.0, "ended": 102.1, "workload": "tpcb-like", "host": "c11"}
    return LoadOutput(tool="pgbench", argv=("pgbench",), stdout=stdout, files=files, **{**given, **more})
