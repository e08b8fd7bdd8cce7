"""Suites through the whole run with an engine that does what a script says: each step by its name."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest
from e2e_ansible.judge.entry import Entry
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.report.notice import Notice
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import TestFolder, manifest_tests
from e2e_ansible.run.journal import read_journal
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.run.results import read_test
from e2e_ansible.run.workflow_run import run_test
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary

WAIT = 20
Steps = Sequence[Mapping[str, Any]]
#: What a step does: returns the exit status of its command; it may wait, cancel or raise.
Act = Callable[[Cancel], int]


def command(name: str, **more: Any) -> dict[str, Any]:
    """A command on the controller."""
    return {"step": "custom_command", "name": name, "custom_command": ["x"], **more}


def group(*steps: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A group of steps."""
    return {"step": "group", "steps": list(steps), **more}


def compiled(steps: Steps, **test: Any) -> Plan:
    """The plan of a test."""
    words = Vocabulary.default()
    text = json.dumps({"test_suites": {"t": {**test, "workflow": list(steps)}}})
    (plan,) = compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)
    return plan


@dataclass
class Script:
    """An engine. Steps without an act pass; `said` is what a command prints; `begun` are steps in their order.

    `off` names the looks, by step and number, that see n11 off. An event in `over` is set when its step has ended.
    """

    acts: Mapping[str, Act | int] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    off: frozenset[tuple[str, int]] = frozenset()
    over: Mapping[str, threading.Event] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    requests: list[PlayRequest] = field(default_factory=list)
    name: str = "script"
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
        """Do what the script says."""
        name = Path(request.playbook).stem.partition("-")[2]
        with self._lock:
            self.begun.append(name)
            self.requests.append(request)
        act = self.acts.get(name, 0)
        rc = act if isinstance(act, int) else act(cancel)
        off = (name, self.begun.count(name)) in self.off
        for event in _events(rc, self.said.get(name, ""), off=off):
            on_event(event)
        with self._lock:
            self.ended.append(name)
        if name in self.over:
            self.over[name].set()
        if cancel.is_set:
            return Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")
        return Outcome(ended=Ended.COMPLETED, rc=2 if rc else 0)


def _events(rc: int, said: str, *, off: bool) -> list[Event]:
    result = {"rc": rc, "stdout": said, "stderr": "", "msg": "non-zero return code" if rc else ""}
    kind = Kind.FAILED if rc else Kind.OK
    seen = {"node": "n11", "power": "off" if off else "on", "reachable": not off, "system_state": "running"}
    data = {"task": "Run", "play": "Play", "duration": 0.1}
    command = {**data, "host": "localhost", "res": result}
    look = {**data, "host": "n11", "res": {"observation": seen}}
    end = {"failures": {"localhost": 1} if rc else {}}
    return [
        Event.model_validate({"event": Kind.OK, "counter": 1, "stdout": "", "event_data": look}),
        Event.model_validate({"event": kind, "counter": 1, "stdout": "", "event_data": command}),
        Event.model_validate({"event": Kind.STATS, "counter": 2, "stdout": "", "event_data": end}),
    ]


class NoNodes:
    """A provider without a node."""

    name = "local"

    def deployments(self) -> Sequence[str]:
        """None."""
        return ()

    def destroy(self, deployment: str) -> bool:
        """There was nothing."""
        return False


@dataclass
class Ran:
    """A run that has ended, and what it left."""

    result: TestResult
    engine: Script
    folder: TestFolder
    notices: list[Notice]

    @property
    def decided(self) -> tuple[str, str | None]:
        """Verdict and cause."""
        return self.result.verdict.value, self.result.cause.value if self.result.cause else None

    def step(self, name: str) -> StepResult:
        """The result of a step by its name."""
        (found,) = (step for step in self.result.workflow_steps if step.id.partition("-")[2] == name)
        return found

    def statuses(self) -> dict[str, str]:
        """How far each step came."""
        return {step.id.partition("-")[2]: step.status.value for step in self.result.workflow_steps}

    def journal(self) -> list[Entry]:
        """What was written down."""
        return read_journal(self.folder.journal)


def run(folder: Path, steps: Steps, engine: Script | None = None, **test: Any) -> Ran:
    """Run a test, and see that its folder tells the same afterwards."""
    return run_plan(folder, compiled(steps, **test), engine or Script())


def run_plan(
    folder: Path,
    plan: Plan,
    engine: Any,
    cancel: Cancel | None = None,
    now: Callable[[], float] = time.time,
) -> Ran:
    """Run a plan."""
    notices: list[Notice] = []
    context = RunContext(
        run_id="run-1",
        engine=engine,
        options=RunOptions(),
        environment={},
        tell=Megaphone([notices.append]),
        cancel=cancel or Cancel(),
        provider=lambda name: NoNodes(),  # type: ignore[return-value, arg-type]
        now=now,
    )
    (entry,) = manifest_tests(context.run_id, [plan])
    test = TestFolder(folder / "tests" / "t")
    test.path.mkdir(parents=True)
    write_plan(plan, test.plan)
    result = run_test(context, plan, entry, test)
    assert read_test(test, entry.folder) == result
    return Ran(result, engine, test, notices)
