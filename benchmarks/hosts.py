"""What one more host costs in a step on many."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.measure import in_turn, table
from benchmarks.project import Project
from e2e_ansible.engine.name import EngineName
from e2e_ansible.run.engines import open_engine

__all__ = ["hosts"]

_TASK: dict[str, object] = {"ansible.builtin.raw": "true"}


def hosts(folder: Path, counts: Sequence[int], rounds: int) -> str:
    """One plain command on hosts with a local connection, by plain ansible-playbook and by the warm engine."""
    folder.mkdir()
    rows = []
    with open_engine(EngineName.WARM) as engine:
        for count in counts:
            names = "".join(f"h{number}\n" for number in range(count))
            settings = f"ansible_connection=local\nansible_python_interpreter={sys.executable}\n"
            inventory = f"{names}[all:vars]\n{settings}"
            project = Project.make(folder / str(count), inventory, {"raw": _TASK})
            cases = {"plain": partial(project.plain, "raw"), "ours": partial(project.ours, engine, "raw")}
            times = in_turn(cases, rounds, unmeasured=int(count < 100))
            each = [f"{times[name].median / count:.1f}" for name in cases]
            rows.append([count, *times.values(), *each, times["ours"].times_faster_than(times["plain"])])
    head = ["hosts", "ansible-playbook, ms", "ours, ms", "per host", "ours per host", "ratio"]
    return table(head, rows)
