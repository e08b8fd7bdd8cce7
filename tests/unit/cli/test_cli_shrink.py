"""`shrink` from the command line: real suites and folders, and in place of nodes a simulator with a planted bug."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cli_desk import Desk

from e2e_ansible.engine.protocol import Engine
from e2e_ansible.judge.result import RunResult
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.session import new_manifest
from e2e_ansible.soak import trying
from e2e_ansible.soak.course import Course
from e2e_ansible.soak.folder import SoakFolder, cycle_id
from e2e_ansible.soak.injection import draw
from e2e_ansible.soak.metrics import MetricsLog
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.records import CycleEnd, FailureInjection, Record, StepFigure
from e2e_ansible.soak.schedule import read_schedule
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.load import load_suite
from e2e_ansible.verdict import Cause, Verdict

PHASES = ("preflight", "activation", "finalization")
CYCLES = 20
SCENARIOS = ("pause_backup", "delay_restore", "kill_observability")
A, B = ("pause_backup", "activation"), ("kill_observability", "finalization")
SUITE = {
    "test_suites": {
        "other": {"workflow": [{"step": "init"}]},
        "switch": {
            "parameters": {"cluster_size": 2, "admin_ui": False, "backup": True, "exporter": True},
            "workflow": [
                {"step": "deploy"},
                *({"step": "custom_command", "custom_command": ["true"], "phase": phase} for phase in PHASES),
            ],
        },
    }
}
NONE: dict[str, Any] = {"total_tests": 0, "passed": 0, "failed": 0, "unknown": 0, "tests": ()}
Bug = Callable[[Sequence[PlannedInjection], int], bool]


def pair(schedule: Sequence[PlannedInjection], cycle: int) -> bool:
    """This cycle fails: B is injected into it, and A was before."""
    there = {each.cycle: (each.scenario, each.phase) for each in schedule}
    return there.get(cycle) == B and any(there[number] == A for number in there if number < cycle)


def records(run_id: str, options: SoakOptions, bug: Bug, cause: Cause) -> list[Record]:
    """What a soak writes down, cycle by cycle, until one fails."""
    made: list[Record] = []
    schedule = options.schedule or ()
    for cycle in range(1, (options.cycles or 0) + 1):
        base: dict[str, Any] = {
            "timestamp": "2026-11-21T12:00:00+00:00",
            "run_id": run_id,
            "cycle_num": cycle,
            "cycle_id": cycle_id(cycle),
        }
        for each in schedule:
            if each.cycle == cycle:
                fields = each.model_dump(exclude={"cycle"})
                made.append(FailureInjection(**base, **fields, success=True))
        failed = bug(schedule, cycle)
        made.append(
            CycleEnd(
                **base,
                success=not failed,
                verdict=Verdict.FAIL if failed else Verdict.PASS,
                cause=cause if failed else None,
                error="07-check-rows: rows are lost" if failed else "",
                duration_seconds=1.0,
                steps={"07-check-rows": StepFigure(verdict=Verdict.PASS, seconds=1.0)},
            )
        )
        if failed:
            break
    return made


class Simulator:
    """In place of `run_soak`: it makes the folder of a run and writes what would have happened."""

    def __init__(self, bug: Bug, cause: Cause = Cause.PRODUCT) -> None:
        self.bug = bug
        self.cause = cause
        self.tried: list[tuple[int | None, tuple[PlannedInjection, ...]]] = []
        self.dies_at = 0

    def __call__(
        self, course: Course, *, runs: Path, engine: Engine | None, options: RunOptions
    ) -> tuple[RunResult, RunFolder]:
        run = RunFolder.create(runs, now=time.time())
        plan = next(iter(course.plans().values()))
        manifest = new_manifest([plan], run, options)
        asked = {**manifest.options, "test": course.name}
        run.write_manifest(manifest.model_copy(update={"soak": course.options, "options": asked}))
        SoakFolder(run).make()
        self.tried.append((course.options.cycles, course.options.schedule or ()))
        if len(self.tried) == self.dies_at:
            cut = RunResult(
                run_id=run.run_id, suite="s.json", verdict=Verdict.UNKNOWN, cause=Cause.INTERRUPT, **NONE
            )
            return cut, run
        made = records(run.run_id, course.options, self.bug, self.cause)
        log = MetricsLog(SoakFolder(run).metrics)
        for record in made:
            log.append(record)
        log.close()
        failed = any(isinstance(record, CycleEnd) and not record.success for record in made)
        verdict = Verdict.FAIL if failed else Verdict.PASS
        cause = self.cause if failed else None
        return RunResult(run_id=run.run_id, suite="s.json", verdict=verdict, cause=cause, **NONE), run


@pytest.fixture
def soaked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A random soak of 20 cycles that has failed, and from then on a simulator."""
    desk.write("s.json", json.dumps(SUITE))
    suite = load_suite("s.json")
    seed = next(seed for seed in range(1000) if _fails_late(_drawn(seed)))
    options = SoakOptions(cycles=CYCLES, schedule=_drawn(seed), seed=seed, cooldown=5)
    simulator = Simulator(pair)
    course = Course(lambda contexts: _only_switch(suite), step_types(), options)
    simulator(course, runs=Path("runs"), engine=None, options=RunOptions())
    simulator.tried.clear()
    monkeypatch.setattr(trying, "run_soak", simulator)
    return simulator


def _only_switch(suite: Any) -> Any:
    from dataclasses import replace

    return replace(suite, tests=tuple(test for test in suite.tests if test.name == "switch"))


def _drawn(seed: int) -> tuple[PlannedInjection, ...]:
    return tuple(draw(seed, cycle, SCENARIOS, PHASES) for cycle in range(1, CYCLES + 1))


def _fails_late(schedule: Sequence[PlannedInjection]) -> bool:
    return any(pair(schedule, cycle) for cycle in range(10, CYCLES + 1)) and not any(
        pair(schedule, cycle) for cycle in range(10)
    )


def shrunk(desk: Desk, *arguments: str, code: int = 0) -> str:
    done = desk.call("shrink", "--engine", "cold", *arguments)
    assert done.code == code, done.out + done.err
    return done.out + done.err


def test_a_failed_soak_is_shrunk_to_two_failures_and_the_command_that_repeats_it(
    desk: Desk, soaked: Simulator
) -> None:
    said = shrunk(desk)
    print(said)
    (run,) = Path("runs").iterdir()
    schedule = run / "shrink/schedule.json"
    found = read_schedule(schedule)
    assert [(each.cycle, each.scenario, each.phase) for each in found] == [(1, *A), (2, *B)]
    assert "shrunk to 2 cycles with 2 injected failures by" in said
    assert f"fail (product) in step check-rows; {soaked.tried[0][0]} cycles with" in said
    command = (
        "e2e-ansible run s.json --run-test switch --provider local --cycles 2 --stop-on-failure "
        f"--schedule {schedule} --cooldown 5"
    )
    assert command in said.replace("\n", " ")
    assert len(list((run / "shrink/runs").iterdir())) == len(soaked.tried)
    assert desk.call(*command.split()[1:], "--dry-run").code == 0


def test_it_is_not_begun_twice_but_goes_on_when_asked(desk: Desk, soaked: Simulator) -> None:
    shrunk(desk, "-o", "found.json")
    tried = len(soaked.tried)
    assert len(read_schedule(Path("found.json"))) == 2
    assert "go on with --resume" in shrunk(desk, code=2)
    shrunk(desk, "--resume")
    assert len(soaked.tried) == tried


def test_one_that_was_interrupted_goes_on_with_the_try_that_it_was_in(desk: Desk, soaked: Simulator) -> None:
    soaked.dies_at = 3
    assert "interrupted in try 3" in shrunk(desk, code=130)
    said = shrunk(desk, "--resume")
    assert "try 4: " in said and "try 3: " not in said
    assert "shrunk to 2 cycles with 2 injected failures" in said
    assert soaked.tried[2] == soaked.tried[3]
    assert len(set(soaked.tried)) == len(soaked.tried) - 1


def test_a_failure_that_does_not_come_again_is_said_to_be_gone(desk: Desk, soaked: Simulator) -> None:
    soaked.bug = lambda schedule, cycle: False
    assert "the failure did not come again in 3 runs" in shrunk(desk, "--repeat", "3", code=3)


def test_a_failure_with_another_cause_is_another_one(desk: Desk, soaked: Simulator) -> None:
    soaked.cause = Cause.CLEAN_UP
    assert "the failure did not come again" in shrunk(desk, "--any-step", code=3)


def test_too_few_tries_are_said_to_be_too_few(desk: Desk, soaked: Simulator) -> None:
    said = shrunk(desk, "--max-tries", "4", code=3)
    assert "the tries did not suffice" in said and "by 4 runs" in said


def test_a_run_that_is_no_soak_is_refused(desk: Desk) -> None:
    desk.a_run("survives")
    assert "is no soak" in shrunk(desk, code=2)
    desk.write("runs/x/y", "")
    assert "there is no run" in shrunk(desk, "nothing", code=2)
