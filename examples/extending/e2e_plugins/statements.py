"""A load tool of this suite's own: a name, and a pure function from what a program printed to a result."""

from __future__ import annotations

import re

from e2e_ansible.load.base import LoadOutput, LoadTool
from e2e_ansible.load.registry import register
from e2e_ansible.load.result import Latency, LoadResult

_LINE = re.compile(r"^(\d+) statements in ([\d.]+) s, slowest ([\d.]+) ms$", re.M)


@register
class Statements(LoadTool):
    """Reads `120 statements in 4.0 s, slowest 12.5 ms`."""

    name = "statements"
    summary = "Counts statements"

    def read(self, output: LoadOutput) -> LoadResult:
        """What cannot be read is not complete, and `meaning` says why."""
        found = _LINE.search(output.stdout)
        count, seconds = (int(found[1]), float(found[2])) if found else (None, None)
        return LoadResult(
            tool=self.name,
            workload=output.workload,
            host=output.host,
            started=output.started,
            seconds=seconds,
            transactions=count,
            per_second=count / seconds if count is not None and seconds else None,
            latency=Latency(maximum=float(found[3]) if found else None),
            exit_code=output.exit_code,
            meaning="it came to its end" if found else "its last line is missing",
            complete=found is not None and output.exit_code == 0,
        )
