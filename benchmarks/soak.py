"""Whether a thousand steps cost what the first ones do."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmarks.measure import table
from e2e_ansible import api
from e2e_ansible.engine.name import EngineName
from e2e_ansible.engine.warm.engine import WarmEngine
from e2e_ansible.report.notice import Notice, StepEnded, StepStarted
from e2e_ansible.run.engines import open_engine

__all__ = ["soak"]

_STEP = {"step": "custom_command", "custom_command": ["true"]}


class _Watch:
    """A listener that takes the time of each step, and the sizes of both processes at each."""

    def __init__(self, parent: int) -> None:
        self._processes = (os.getpid(), parent)
        self._begin = 0.0
        self.seconds: list[float] = []
        self.sizes: list[tuple[tuple[int, int], ...]] = []

    def __call__(self, notice: Notice) -> None:
        match notice:
            case StepStarted():
                self._begin = time.perf_counter()
            case StepEnded():
                self.seconds.append(time.perf_counter() - self._begin)
                self.sizes.append(tuple(map(_size, self._processes)))


def soak(folder: Path, steps: int) -> str:
    """One test of many steps that do nothing, through the API, with everything that a run writes."""
    folder.mkdir()
    suite = folder / "soak.yaml"
    suite.write_text(yaml.safe_dump({"test_suites": {"soak": {"workflow": [_STEP] * steps}}}))
    with open_engine(EngineName.WARM) as engine, _working_in(folder):
        assert isinstance(engine, WarmEngine)
        plans = api.plan(api.load(suite))
        watch = _Watch(engine.parent_id)
        result = api.run(plans, engine=engine, listeners=[watch])
    if result.verdict is not api.Verdict.PASS:
        raise RuntimeError(str(result.tests[0].error))
    written = sum(path.stat().st_blocks * 512 for path in (folder / "runs").rglob("*"))
    tenth = steps // 10
    first, last = (statistics.median(part) * 1000 for part in (watch.seconds[:tenth], watch.seconds[-tenth:]))
    early, late = watch.sizes[tenth], watch.sizes[-1]
    rows: list[list[object]] = [
        [f"ms per step, first {tenth}", f"{first:.0f}"],
        [f"ms per step, last {tenth}", f"{last:.0f}"],
        ["last against first", f"{last / first:.2f}"],
        ["KiB on disk per step", f"{written / steps / 1024:.1f}"],
    ]
    for name, before, after in zip(("this process", "parent"), early, late, strict=True):
        rows.append([f"MiB of {name}, after {tenth} and {steps}", f"{before[0]} and {after[0]}"])
        rows.append([f"open files of {name}, after {tenth} and {steps}", f"{before[1]} and {after[1]}"])
    return table([f"{steps} steps", ""], rows)


def _size(process: int) -> tuple[int, int]:
    """Resident MiB, and open files."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20, len(list(Path(f"/proc/{process}/fd").iterdir()))


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
