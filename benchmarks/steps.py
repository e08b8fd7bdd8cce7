"""What a step costs before any work of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.master import open_master
from benchmarks.measure import in_turn, table
from benchmarks.project import Project
from e2e_ansible.engine.name import EngineName
from e2e_ansible.run.engines import open_engine

__all__ = ["boot", "local_inventory", "steps"]

_TASKS: dict[str, dict[str, object]] = {
    "debug": {"ansible.builtin.debug": {"msg": "hello"}},
    "raw": {"ansible.builtin.raw": "true"},
    "plain_command": {"plain_command": {"argv": ["true"], "timeout_seconds": 30}},
    "command": {"ansible.builtin.command": {"argv": ["true"]}},
}
#: `plain_command` is what this project compiles where a user would have written `command`.
_BASES = {"plain_command": "command"}


def steps(folder: Path, rounds: int) -> str:
    """Each kind of task, by plain ansible-playbook, stock ansible-runner, and both engines."""
    with (
        _ssh_project(folder) as (project, floor),
        open_engine(EngineName.WARM) as warm,
        open_engine(EngineName.COLD) as cold,
    ):
        rows = []
        for task in _TASKS:
            base = _BASES.get(task, task)
            times = in_turn(
                {
                    "plain": partial(project.plain, base),
                    "stock": partial(project.stock, base),
                    "cold": partial(project.ours, cold, task),
                    "warm": partial(project.ours, warm, task),
                    "floor": floor,
                },
                rounds,
            )
            ratio = times["warm"].times_faster_than(times["plain"])
            rows.append([task, *(times[name] for name in ("plain", "stock", "cold", "warm", "floor")), ratio])
    head = ["task", "ansible-playbook", "ansible_runner.run", "ours, cold", "ours, warm", "ssh mux true"]
    return table([*head, "warm against ansible-playbook"], rows)


def boot(folder: Path, rounds: int) -> str:
    """A warm engine that is started for one step only."""
    project = Project.make(folder, local_inventory(), {"debug": _TASKS["debug"]})

    def once() -> None:
        with open_engine(EngineName.WARM) as engine:
            project.ours(engine, "debug")

    times = in_turn({"stock": partial(project.stock, "debug"), "ours": once}, rounds)
    row = [times["stock"], times["ours"], f"{times['ours'].median / times['stock'].median:.2f}"]
    return table(["ansible_runner.run", "boot of the parent and one step", "ratio"], [row])


def local_inventory() -> str:
    """This machine, without ssh."""
    return f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n"


@contextmanager
def _ssh_project(folder: Path) -> Iterator[tuple[Project, Callable[[], object]]]:
    """One host by ssh through a master that stays, and `true` through that master as the floor."""
    folder.mkdir()
    with open_master(folder) as master:
        project = Project.make(folder / "project", f"n1 {master.variables}\n", _TASKS)
        yield project, partial(subprocess.run, [*master.ssh, "true"], check=True)
