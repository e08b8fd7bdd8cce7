"""What one more host costs in a step on many."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.master import Master, open_master
from benchmarks.measure import in_turn, table
from benchmarks.project import Project
from e2e_ansible.engine.name import EngineName
from e2e_ansible.run.engines import open_engine

__all__ = ["hosts", "ssh_hosts"]

_COMMAND = {"argv": ["true"], "timeout_seconds": 30}
_TASKS: dict[str, dict[str, object]] = {
    "raw": {"ansible.builtin.raw": "true"},
    "at-once": {"wide_command": _COMMAND},
}
#: `wide_command` is what this project compiles for many nodes, `plain_command` for a few.
_SSH_TASKS: dict[str, dict[str, object]] = {
    "command": {"ansible.builtin.command": {"argv": ["true"]}},
    "raw": {"ansible.builtin.raw": "true", "vars": {"ansible_ssh_use_tty": False}},
    "each": {"plain_command": _COMMAND},
    "at-once": {"wide_command": _COMMAND},
}
_FORKS = 25  # as in the configuration of compiled plans


def hosts(folder: Path, counts: Sequence[int], rounds: int) -> str:
    """One plain command on hosts with a local connection, by plain ansible-playbook and by the warm engine."""
    folder.mkdir()
    rows = []
    with open_engine(EngineName.WARM) as engine:
        for count in counts:
            names = "".join(f"h{number}\n" for number in range(count))
            settings = f"ansible_connection=local\nansible_python_interpreter={sys.executable}\n"
            inventory = f"{names}[all:vars]\n{settings}"
            project = Project.make(folder / str(count), inventory, _TASKS)
            cases = {
                "plain": partial(project.plain, "raw"),
                "each": partial(project.ours, engine, "raw"),
                "at-once": partial(project.ours, engine, "at-once"),
            }
            times = in_turn(cases, rounds, unmeasured=int(count < 100))
            ratios = [times[name].times_faster_than(times["plain"]) for name in ("each", "at-once")]
            rows.append([count, *times.values(), f"{times['plain'].median / count:.1f}", *ratios])
    ways = [
        "ansible-playbook, raw, ms",
        "ours, raw, ms",
        "ours, at once, ms",
        "ansible-playbook, ms per host",
    ]
    return table(["hosts", *ways, "raw against it", "at once against it"], rows)


def ssh_hosts(folder: Path, counts: Sequence[int], rounds: int) -> str:
    """A plain command on hosts behind one open ssh connection: by modules, as it is, at once, and by ssh alone."""
    folder.mkdir()
    rows = []
    with open_engine(EngineName.WARM) as engine, open_master(folder) as master:
        for count in counts:
            inventory = "".join(f"h{number} {master.variables}\n" for number in range(count))
            project = Project.make(folder / str(count), inventory, _SSH_TASKS)
            cases = {
                "command": partial(project.plain, "command"),
                "raw": partial(project.plain, "raw"),
                "each": partial(project.ours, engine, "each"),
                "at-once": partial(project.ours, engine, "at-once"),
                "floor": partial(_by_ssh_alone, master, count),
            }
            times = in_turn(cases, rounds, unmeasured=int(count < 100))
            best = times["at-once"]
            ratios = [best.times_faster_than(times[name]) for name in ("command", "raw", "each")]
            rows.append([count, *times.values(), *ratios])
    ways = [
        "ansible-playbook, command",
        "ansible-playbook, raw",
        "ours, each host",
        "ours, at once",
        "xargs ssh",
    ]
    against = [f"at once against {name}" for name in ("command", "raw", "each host")]
    return table(["ssh hosts", *(f"{way}, ms" for way in ways), *against], rows)


def _by_ssh_alone(master: Master, count: int) -> None:
    names = "\n".join(map(str, range(count)))
    command = ["xargs", "-I@", f"-P{_FORKS}", *master.ssh, "true"]
    subprocess.run(command, input=names, text=True, check=True, capture_output=True)
