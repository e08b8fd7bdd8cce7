"""What the analysis of a long soak takes: seconds, and memory that does not grow with the cycles."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.measure import table
from tests.unit.soak_folders import SimulatedSoak, injection, make_soak

__all__ = ["analysis"]

_PROGRAM = """
import sys, time
from pathlib import Path
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.soak_numbers import read_soak
from e2e_ansible.run.soak_reports import write_soak_reports

def memory():
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024

run = RunFolder.open(Path(sys.argv[1]))
before, begin = memory(), time.perf_counter()
numbers = read_soak(run)
middle, after = time.perf_counter(), memory()
write_soak_reports(run)
print(middle - begin, time.perf_counter() - middle, after - before)
"""


def analysis(folder: Path, lengths: tuple[int, ...]) -> str:
    """Simulated soaks of these numbers of cycles, each analyzed in a process of its own."""
    rows: list[list[object]] = []
    for cycles in lengths:
        injected = {number: injection("pause_backup", "activation") for number in range(2, cycles, 4)}
        run = make_soak(folder / str(cycles), SimulatedSoak(cycles=cycles, injected=injected))
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(run.path)], capture_output=True, text=True, check=True
        )
        read, written, memory = map(float, done.stdout.split())
        size = (run.path / "metrics/metrics.jsonl").stat().st_size / 1e6
        page = (run.path / "analysis.html").stat().st_size / 1e3
        rows.append([cycles, f"{size:.1f}", f"{read:.1f}", f"{written:.1f}", f"{memory:.1f}", f"{page:.0f}"])
    head = ("cycles", "MB of records", "s to read", "s for all reports", "MB of memory more", "KB of page")
    return table(head, rows)
