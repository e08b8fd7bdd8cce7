"""Recorded tests replayed through the real run: an engine that plays recordings, nodes and a writer on paper."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.fake import FakeEngine, Recording
from e2e_ansible.engine.protocol import Cancel, Outcome, PlayRequest
from e2e_ansible.errors import CleanUpError
from e2e_ansible.judge.entry import AttemptEnded
from e2e_ansible.judge.result import RunResult, TestResult
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.oracle.histories import Histories
from e2e_ansible.oracle.ranges import Ranges
from e2e_ansible.providers.base import DeploymentSpec, Finding, Node, Operation, PowerResult
from e2e_ansible.report.notice import Message, Notice, TestEnded, TestStarted
from e2e_ansible.run import workflow_run
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.folder import RunFolder, TestFolder
from e2e_ansible.run.journal import read_events, read_journal
from e2e_ansible.run.plan_folder import read_plan
from e2e_ansible.run.session import run_plans

CASES = Path(__file__).parents[2] / "data" / "events"
NAMES = sorted(path.parent.name for path in CASES.glob("*/journal.jsonl"))
ON, OFF = PowerState.ON, PowerState.OFF
#: The nodes that were there when the steps of a test had ended.
LEFT: Mapping[str, Mapping[str, PowerState]] = {
    "bad_setting": {"n11": ON},
    "failing_check": {"n11": ON, "n12": OFF},
    "nothing_to_crash": {"n11": OFF},
    "unreachable": {"n11": OFF},
}
_FLEETING = {"started", "ended", "duration", "at", "plan_hash", "folder"}
_PAUSE = 0.01


def recorded(name: str) -> TestFolder:
    """The folder of a case."""
    return TestFolder(CASES / name)


def plan_of(name: str) -> Plan:
    """The plan of a case, with no pauses between two looks."""
    plan = read_plan(recorded(name).plan)
    steps = []
    for step in plan.steps:
        retry = step.judgement.retry.model_copy(update={"delay_seconds": _PAUSE})
        judgement = step.judgement.model_copy(update={"retry": retry})
        steps.append(step.model_copy(update={"judgement": judgement}))
    return plan.model_copy(update={"steps": tuple(steps)})


def golden(name: str) -> TestResult:
    """The golden result of a case; what results have got since has its default."""
    return TestResult.model_validate_json(recorded(name).result.read_bytes())


def expected(name: str) -> Any:
    """The golden result of a case, as data."""
    return as_data(golden(name))


def as_data(result: TestResult) -> Any:
    """A result in the form of the golden ones."""
    return lasting(json.loads(result.model_dump_json()))


def lasting(result: Mapping[str, Any]) -> Any:
    """A result without what differs from run to run: times, ids, folders."""
    return _lasting(json.loads(json.dumps(result).replace(result["deployment_id"], "deployment")))


def _lasting(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lasting(item) for key, item in value.items() if key not in _FLEETING}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def ends(name: str) -> list[AttemptEnded]:
    """How each attempt of a case ended, in order."""
    return [entry for entry in read_journal(recorded(name).journal) if isinstance(entry, AttemptEnded)]


def recordings(name: str) -> dict[str, list[Recording]]:
    """What each playbook of a case did, attempt by attempt."""
    playbooks = {step.id: step.playbook for step in plan_of(name).steps}
    events = read_events(recorded(name).events)
    made: dict[str, list[Recording]] = {}
    for end in ends(name):
        happened = tuple(events.get((end.step, end.attempt), ()))
        made.setdefault(playbooks[end.step], []).append((happened, end.outcome))
    return made


class Replay:
    """An engine for several tests at once; `before` is called with each request, and may act or raise."""

    name = "replay"

    def __init__(
        self, *names: str, before: Callable[[PlayRequest, Cancel], None] = lambda request, cancel: None
    ) -> None:
        self._engines = {name.replace("_", "-"): FakeEngine(recordings(name)) for name in names}
        self._before = before

    def run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
        """Play the next recording of the test that asks."""
        self._before(request, cancel)
        return self._engines[request.token.split("/")[1]].run(request, on_event, cancel)

    @property
    def playbooks(self) -> list[str]:
        """The playbooks that were asked for, in order for each test."""
        return [request.playbook for engine in self._engines.values() for request in engine.requests]


class PaperNodes:
    """A provider that only remembers: each test has the nodes that its recording had at its end.

    It is a listener as well, which learns what the deployments are called and what the
    tests came to; `tell` gets all that it hears.
    """

    name = "paper"

    def __init__(self, *, broken: str = "", tell: Callable[[Notice], None] = lambda notice: None) -> None:
        self._broken = broken
        self._tell = tell
        self.left: list[str] = []
        self.results: list[TestResult] = []

    def listen(self, notice: Notice) -> None:
        """A test that begins has its nodes, as nobody sees the playbook that makes them."""
        if isinstance(notice, TestStarted) and notice.test in LEFT:
            self.left.append(notice.deployment_id)
        if isinstance(notice, TestEnded):
            self.results.append(notice.result)
        self._tell(notice)

    def deployments(self) -> Sequence[str]:
        """Those that were not removed."""
        return tuple(self.left)

    def nodes(self, deployment: str) -> Sequence[Node]:
        """The nodes of a case."""
        powers = LEFT.get(deployment.rpartition("-")[0].replace("-", "_"), {})
        return [Node(name=name, labels=("database",), power=power) for name, power in powers.items()]

    def destroy(self, deployment: str) -> bool:
        """Forget it, or fail as a provider does."""
        if self._broken:
            raise CleanUpError(self._broken)
        self.left.remove(deployment)
        return True

    def doctor(self) -> Sequence[Finding]:
        """Nothing is needed."""
        return ()

    def prepare(self, spec: DeploymentSpec) -> Path:
        """Only playbooks ask, and those are recorded."""
        raise NotImplementedError

    def create(self, deployment: str) -> bool:
        """Only playbooks ask, and those are recorded."""
        raise NotImplementedError

    def power(self, deployment: str, node: str, operation: Operation, deadline_seconds: float) -> PowerResult:
        """Only playbooks ask, and those are recorded."""
        raise NotImplementedError


class PaperWriter:
    """In place of the clients of a real cluster: each look gets the rows that its recording had."""

    def __init__(self, plan: Plan, folder: Path, cycle: object = None) -> None:
        self.histories = Histories(folder)
        rows = (end.acknowledged for end in ends(plan.name))
        self._rows = [each for each in rows if each is not None]
        self.starts = False

    def start(self, nodes: Sequence[Node]) -> None:
        """Rows may be asked for from now on."""
        self.starts = True

    @contextmanager
    def still(self) -> Iterator[Ranges | None]:
        """The rows of the next look."""
        yield self._rows.pop(0) if self.starts else None

    def look(self) -> dict[str, int]:
        """No recording has a history."""
        return {}

    def stop(self) -> None:
        """No more rows."""
        self.starts = False


@dataclass(frozen=True)
class Replayed:
    """What one run of recorded tests came to."""

    result: RunResult
    folder: RunFolder
    notices: Sequence[Notice]

    @property
    def tests(self) -> Sequence[TestFolder]:
        """The folders of its tests."""
        return [self.folder.test(test.folder) for test in self.result.tests]

    def said(self) -> str:
        """All messages to the user."""
        return "\n".join(notice.text for notice in self.notices if isinstance(notice, Message))


def replay(
    runs: Path,
    *names: str,
    engine: Replay | None = None,
    nodes: PaperNodes | None = None,
    plans: Sequence[Plan] | None = None,
    writer: type[PaperWriter] = PaperWriter,
    **options: Any,
) -> Replayed:
    """Run these cases; `options` are those of a run."""
    there = nodes or PaperNodes()
    notices: list[Notice] = []

    def keep(notice: Notice) -> None:
        notices.append(notice)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow_run, "Clients", writer)
        result, folder = run_plans(
            plans or [plan_of(name) for name in names],
            runs=runs,
            engine=engine or Replay(*names),
            options=RunOptions(**options),
            listeners=[there.listen, keep],
            provider=lambda name: there,
        )
    return Replayed(result, folder, notices)
