"""How fast a step ends that is told to, and what is left of it."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import table
from benchmarks.project import Project
from benchmarks.steps import local_inventory
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.name import EngineName
from e2e_ansible.engine.protocol import Cancel, Ended, Engine
from e2e_ansible.engine.warm.engine import WarmEngine
from e2e_ansible.run.engines import open_engine

__all__ = ["endings"]

_MARK = b"86421"
_TASK: dict[str, object] = {"ansible.builtin.command": {"argv": ["sleep", _MARK.decode()]}}


def endings(folder: Path, rounds: int) -> str:
    """Cancel, deadline, and the death of the parent in the middle of a step that sleeps."""
    project = Project.make(folder, local_inventory(), {"sleep": _TASK})
    rows = []
    for name in (EngineName.COLD, EngineName.WARM):
        with open_engine(name) as engine:
            rows.append(_row(f"cancel, {name}", [_cancel(project, engine) for _ in range(rounds)]))
            rows.append(_row(f"deadline of 3 s, {name}", [_deadline(project, engine) for _ in range(rounds)]))
    rows.append(_row("death of the parent", [_death(project) for _ in range(rounds)]))
    return table(["what", "ms from there to the end, median", "most", "processes left"], rows)


def _row(what: str, taken: Sequence[tuple[float, int]]) -> list[object]:
    values = [seconds * 1000 for seconds, _ in taken]
    return [what, f"{statistics.median(values):.0f}", f"{max(values):.0f}", sum(left for _, left in taken)]


def _cancel(project: Project, engine: Engine) -> tuple[float, int]:
    cancel = Cancel()
    return _ended(project, engine, cancel, Ended.CANCELED, cancel.set)


def _deadline(project: Project, engine: Engine) -> tuple[float, int]:
    begin = time.monotonic()
    outcome = engine.run(project.request("sleep", seconds=3), lambda event: None, Cancel())
    if outcome.ended is not Ended.TIMEOUT:
        raise RuntimeError(str(outcome))
    return time.monotonic() - begin - 3, len(_sleepers())


def _death(project: Project) -> tuple[float, int]:
    with open_engine(EngineName.WARM) as engine:
        assert isinstance(engine, WarmEngine)
        return _ended(
            project, engine, Cancel(), Ended.ERROR, lambda: os.kill(engine.parent_id, signal.SIGKILL)
        )


def _ended(
    project: Project, engine: Engine, cancel: Cancel, wanted: Ended, act: Callable[[], object]
) -> tuple[float, int]:
    acted: list[float] = []

    def wait() -> None:
        Deadline(30).wait_for(lambda: bool(_sleepers()), interval=0.01)
        acted.append(time.monotonic())
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    outcome = engine.run(project.request("sleep"), lambda event: None, cancel)
    ended = time.monotonic()
    thread.join()
    if outcome.ended is not wanted:
        raise RuntimeError(str(outcome))
    return ended - acted[0], len(_sleepers())


def _sleepers() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes() == b"sleep\0" + _MARK + b"\0":
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found
