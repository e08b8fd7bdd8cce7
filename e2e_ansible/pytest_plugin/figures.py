"""What a run has come to as properties, which JUnit files carry along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from e2e_ansible.judge.result import RunResult
from e2e_ansible.pytest_plugin.work import Done
from e2e_ansible.report.numbers import numbers_of_test
from e2e_ansible.report.words import join_path
from e2e_ansible.run.reports import REPORT
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.metrics import read
from e2e_ansible.soak.records import CycleEnd

__all__ = ["properties"]


def properties(done: Done, folder: Path) -> dict[str, str]:
    """Verdict, cause, folder and report of a run, and what its clients went through; `folder` as people name it."""
    result = done.result
    if result is None:
        return {"verdict": "unknown", "cause": "", "run_folder": str(folder)}
    found = {
        "verdict": result.verdict.value,
        "cause": result.cause.value if result.cause else "",
        "run_folder": str(folder),
        "e2e_report": join_path(str(folder), REPORT),
    }
    if result.soak is not None:
        return found | dict(_of_cycles(result, SoakFolder(done.folder)))
    numbers = (pair for test in result.tests for pair in numbers_of_test(test))
    return found | dict(numbers)


def _of_cycles(result: RunResult, folder: SoakFolder) -> Iterator[tuple[str, str]]:
    """How many cycles came to what, and the longest outage of each client over all of them, in seconds."""
    assert result.soak is not None
    for name in ("cycles", "passed", "failed", "unknown", "swaps", "stopped"):
        yield f"soak.{name}", str(getattr(result.soak, name))
    longest: dict[str, float] = {}
    for record in read(folder.metrics):
        if isinstance(record, CycleEnd):
            for client, outages in record.clients.items():
                for what, found in (("writes", outages.writes), ("reads", outages.reads)):
                    name = f"client.{client}.outage_{what}_seconds"
                    longest[name] = max([longest.get(name, 0.0), *found])
    yield from ((name, f"{seconds:.3f}") for name, seconds in longest.items())
