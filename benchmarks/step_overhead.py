"""What a step costs before any work: plain ansible-playbook, stock ansible-runner, and this project's engine.

    python benchmarks/step_overhead.py [--runs 20]

The cases are run in turn (A B C A B C ...), so that a change of the machine's speed hits all alike. Quote the
ratios of the medians; the milliseconds hold for one machine at one time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import ansible_runner

from e2e_ansible.engine.protocol import Cancel, Ended, PlayRequest
from e2e_ansible.engine.runner import RunnerEngine

TASKS: Mapping[str, str] = {
    "debug": "ansible.builtin.debug: {msg: hello}",
    "raw": "ansible.builtin.raw: 'true'",
    "command": "ansible.builtin.command: {argv: ['true']}",
}
PLAYBOOK = ["ansible-playbook", "-i", "inventory.ini"]
CONFIG = "[defaults]\ninterpreter_python = {python}\nretry_files_enabled = False\n"


def make_project(folder: Path) -> None:
    """A project with one playbook per task."""
    (folder / "ansible.cfg").write_text(CONFIG.format(python=sys.executable))
    (folder / "inventory.ini").write_text("localhost ansible_connection=local\n")
    for name, task in TASKS.items():
        play = f"- hosts: localhost\n  gather_facts: false\n  tasks:\n    - name: One task\n      {task}\n"
        (folder / f"{name}.yml").write_text(play)


def plain(folder: Path, task: str) -> None:
    """`ansible-playbook`, as a user would."""
    binary = str(Path(sys.executable).with_name("ansible-playbook"))
    subprocess.run([binary, *PLAYBOOK[1:], f"{task}.yml"], cwd=folder, check=True, capture_output=True)


def stock(folder: Path, task: str) -> None:
    """`ansible_runner.run` with its defaults."""
    with tempfile.TemporaryDirectory() as private, contextlib.redirect_stdout(io.StringIO()):
        done = ansible_runner.run(
            private_data_dir=private,
            project_dir=str(folder),
            playbook=f"{task}.yml",
            inventory=str(folder / "inventory.ini"),
            quiet=True,
        )
    if done.rc != 0:
        raise RuntimeError(f"{task} ended with {done.rc}")


def engine(folder: Path, task: str) -> None:
    """The engine of `e2e-ansible run`, with its watcher, event model and log."""
    with tempfile.TemporaryDirectory() as artifacts:
        request = PlayRequest(
            project=folder,
            playbook=f"{task}.yml",
            inventory="inventory.ini",
            artifacts=Path(artifacts),
            deadline_seconds=60,
            token="benchmark",
        )
        events: list[object] = []
        outcome = RunnerEngine().run(request, events.append, Cancel())
    if outcome.ended is not Ended.COMPLETED or outcome.rc != 0 or not events:
        raise RuntimeError(f"{task}: {outcome}")


CASES: Mapping[str, Callable[[Path, str], None]] = {
    "ansible-playbook": plain,
    "ansible_runner.run": stock,
    "e2e-ansible, cold": engine,
}


def measure(folder: Path, task: str, runs: int) -> dict[str, list[float]]:
    """Milliseconds of each case, measured in turn after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for number in range(runs + 1):
        for name, case in CASES.items():
            start = time.perf_counter()
            case(folder, task)
            if number:
                times[name].append((time.perf_counter() - start) * 1000)
    return times


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_project(folder)
        print(f"{'task':<8}  {'case':<18}  {'median ms':>9}  {'min':>6}  {'max':>6}  {'ratio':>5}")
        for task in TASKS:
            times = measure(folder, task, runs)
            base = statistics.median(times["ansible-playbook"])
            for case, values in times.items():
                median = statistics.median(values)
                figures = f"{median:9.0f}  {min(values):6.0f}  {max(values):6.0f}  {median / base:5.2f}"
                print(f"{task:<8}  {case:<18}  {figures}")


if __name__ == "__main__":
    main()
