"""Whether a soak of ten thousand cycles costs what one of a hundred does: everything is real but the nodes.

python -m benchmarks.cycles [CYCLES]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.measure import table
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest
from e2e_ansible.judge.result import RunResult
from e2e_ansible.oracle.cycle import CYCLE
from e2e_ansible.providers.base import Finding, Provider
from e2e_ansible.report.notice import CycleStarted, Listener, Notice
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.soak_reports import write_soak_reports
from e2e_ansible.soak.course import Course
from e2e_ansible.soak.options import SoakOptions
from e2e_ansible.soak.result import read_soak
from e2e_ansible.soak.session import Hearers, run_soak
from e2e_ansible.steps.base import CompileContext, CompiledStep
from e2e_ansible.steps.custom_command import CustomCommand, CustomCommandOptions
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import Contexts, Suite
from e2e_ansible.suite.vocabulary import Vocabulary

__all__ = ["NoNodes", "Simulated", "course", "cycles", "soak"]

PHASES = ("preflight", "primary_prep", "activation", "post_activation", "finalization")
#: What a simulated cycle does: the act gets its number and the name of the step, and gives an exit status.
Act = Callable[[int, str], int]


def steps(phases: Sequence[str] = PHASES) -> list[dict[str, Any]]:
    """A step before the cycles, one for each phase, and one after them."""
    plain = {"step": "custom_command", "custom_command": ["x"]}
    inner = [{**plain, "name": phase, "phase": phase} for phase in phases]
    return [{**plain, "name": "begin"}, *inner, {**plain, "name": "finish"}]


def course(
    options: SoakOptions, workflow: Sequence[dict[str, Any]] | None = None, *, sites: bool = True
) -> Course:
    """A test in cycles with two sites, or with none."""
    words = Vocabulary.default()
    two = {"sites": {"site_a": 1, "site_b": 1}, "database": "patroni"} if sites else {}
    test = {"parameters": {**two, "admin_ui": False}, "workflow": list(workflow or steps())}
    text = json.dumps({"test_suites": {"simulated": test}}, indent=1).encode()

    def load(contexts: Contexts | None) -> Suite:
        return parse_suite(text, "simulated.json", vocabulary=words, contexts=contexts)

    return Course(load, {**words.step_types, Repeatable.name: Repeatable()}, options)


class Repeatable(CustomCommand):
    """A command that may be played again when the run died in it."""

    def compile(self, options: CustomCommandOptions, context: CompileContext) -> CompiledStep:
        """As of any command."""
        return replace(super().compile(options, context), replay=Replay.REPEATABLE)


@dataclass
class Simulated:
    """An engine whose steps pass, unless the act says otherwise. `done` is what it was asked for."""

    act: Act = lambda cycle, step: 0
    keeps: bool = False
    done: list[tuple[int, str]] = field(default_factory=list)
    name: str = "simulated"

    def run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
        """Do one step."""
        cycle, step = int(request.environment.get(CYCLE, "0")), Path(request.playbook).stem.partition("-")[2]
        if self.keeps:
            self.done.append((cycle, step))
        rc = self.act(cycle, step)
        if cancel.is_set:
            return Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")
        for event in _events(rc):
            on_event(event)
        return Outcome(ended=Ended.COMPLETED, rc=2 if rc else 0)


def _events(rc: int) -> list[Event]:
    result = {"rc": rc, "stdout": "", "stderr": "", "msg": "non-zero return code" if rc else ""}
    data = {"task": "Run", "play": "Play", "duration": 0.1, "host": "localhost", "res": result}
    end = {"failures": {"localhost": 1} if rc else {}}
    kind = Kind.FAILED if rc else Kind.OK
    return [
        Event.model_validate({"event": kind, "counter": 1, "stdout": "", "event_data": data}),
        Event.model_validate({"event": Kind.STATS, "counter": 2, "stdout": "", "event_data": end}),
    ]


@dataclass
class NoNodes:
    """A provider that only remembers: a deployment is there until it is removed."""

    name: str = "local"
    there: set[str] = field(default_factory=set)
    destroyed: list[str] = field(default_factory=list)

    def deployments(self) -> Collection[str]:
        """Those that were not removed."""
        return sorted(self.there)

    def nodes(self, deployment: str) -> Sequence[Any]:
        """None can be looked at."""
        return ()

    def destroy(self, deployment: str) -> bool:
        """Forget it."""
        self.destroyed.append(deployment)
        self.there.discard(deployment)
        return True

    def doctor(self) -> Sequence[Finding]:
        """Nothing is needed."""
        return ()


def soak(
    runs: Path,
    options: SoakOptions,
    *,
    engine: Simulated | None = None,
    listeners: Sequence[Listener] = (),
    made: Course | None = None,
    nodes: NoNodes | None = None,
    **how: Any,
) -> tuple[RunResult, RunFolder]:
    """Run a simulated soak."""
    return run_soak(
        made or course(options),
        runs=runs,
        engine=engine or Simulated(),
        options=RunOptions(**how),
        hearers=Hearers(listeners=listeners, provider=provider_of(nodes or NoNodes())),
    )


def provider_of(nodes: NoNodes) -> Callable[[str], Provider]:
    """What gives this provider by any name."""
    return lambda name: nodes  # type: ignore[return-value]  # no more of it is asked for


@dataclass
class _Watch:
    """Takes the size of this process at some cycles, in KiB."""

    at: Collection[int]
    sizes: dict[int, int] = field(default_factory=dict)

    def __call__(self, notice: Notice) -> None:
        if isinstance(notice, CycleStarted) and notice.cycle in self.at:
            self.sizes[notice.cycle] = resident()


def resident() -> int:
    """KiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def cycles(folder: Path, number: int) -> str:
    """A soak of so many cycles, of which every hundredth fails."""
    watch = _Watch({min(100, number), number})
    failing = Simulated(lambda cycle, step: int(cycle % 100 == 0 and step == "finalization"))
    begin = time.perf_counter()
    result, run = soak(folder, SoakOptions(cycles=number, cooldown=0), engine=failing, listeners=[watch])
    seconds = time.perf_counter() - begin
    rows: list[list[object]] = [
        ["cycles: passed, failed", f"{result.soak.passed}, {result.soak.failed}" if result.soak else ""],
        ["ms per cycle", f"{seconds / number * 1000:.0f}"],
        *([f"MiB in memory at cycle {cycle}", f"{size / 1024:.0f}"] for cycle, size in watch.sizes.items()),
        ["KiB on disk per cycle", f"{_written(run.path) / number / 1024:.1f}"],
        ["files per cycle", f"{sum(1 for _ in run.path.rglob('*')) / number:.1f}"],
        [
            "KiB of records per cycle",
            f"{(run.path / 'metrics/metrics.jsonl').stat().st_size / number / 1024:.1f}",
        ],
        ["s to judge all of it again", f"{_taken(lambda: read_soak(run)):.1f}"],
        ["s of its analysis", f"{_taken(lambda: write_soak_reports(run)):.1f}"],
    ]
    return table([f"{number} simulated cycles", ""], rows)


def _written(path: Path) -> int:
    return sum(each.lstat().st_blocks * 512 for each in path.rglob("*"))


def _taken(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cycles", description=__doc__)
    parser.add_argument("cycles", nargs="?", type=int, default=10_000)
    number = parser.parse_args().cycles
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        print(cycles(Path(folder), number))  # it is what it is for


if __name__ == "__main__":
    main()
