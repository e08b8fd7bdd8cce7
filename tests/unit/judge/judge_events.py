"""Builders of plans, events and journals: all is well first, then the one thing that a case breaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from e2e_ansible.compile.plan import Plan, PlannedNode, PlannedStep
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.entry import (
    AttemptEnded,
    AttemptStarted,
    CleanUpEnded,
    Entry,
    StepEnded,
    StepStarted,
    TestEnded,
    TestStarted,
)
from e2e_ansible.judge.record import AttemptRecord
from e2e_ansible.nodes.observation import Postgres, Replica
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.model import Requirements, Retry, SourceRef
from e2e_ansible.verdict import Cause, Verdict

SOURCE = SourceRef(file="suite.yaml", line=7, column=5)
DONE = Outcome(ended=Ended.COMPLETED, rc=0)


def step(index: int = 1, hosts: Sequence[str] = ("n11",), **changes: Any) -> PlannedStep:
    """A step whose playbook has to end well, and nothing more."""
    kind = changes.pop("type", "step")
    facts: dict[str, Any] = {
        "index": index,
        "id": f"{index:02d}-{kind}",
        "type": kind,
        "description": "",
        "playbook": f"playbooks/{index:02d}-{kind}.yml",
        "hosts": tuple(hosts),
        "deadline_seconds": 60.0,
        "replay": Replay.REPEATABLE,
        "source": SOURCE,
        "judgement": Judgement(),
    }
    return PlannedStep(**{**facts, **changes})


def crash(index: int = 1, host: str = "n11") -> PlannedStep:
    """Judged as the step type `crash_node` is."""
    judgement = Judgement(proofs=(host,), disconnects=(host,))
    return step(index, (host,), type="crash_node", judgement=judgement)


def start(index: int = 1, hosts: Sequence[str] = ("n11",)) -> PlannedStep:
    """Judged as the step types `start_node` and `start_cluster` are."""
    judgement = Judgement(proofs=tuple(hosts), unproved=Verdict.FAIL)
    return step(index, hosts, type="start_node", judgement=judgement)


def command(index: int = 1, **judgement: Any) -> PlannedStep:
    """Judged as the step type `custom_command` is."""
    how = Judgement(failure_cause=Cause.PRODUCT, timeout_cause=Cause.PRODUCT, **judgement)
    return step(index, type="custom_command", judgement=how)


def validate(
    *checks: str,
    index: int = 1,
    hosts: Sequence[str] = ("n11",),
    allow: Sequence[str] = (),
    retry: Retry | None = None,
) -> PlannedStep:
    """Judged as the step type `validate` is."""
    judgement = Judgement(
        failure_cause=Cause.PRODUCT,
        observes=True,
        checks=checks,
        allow_failures=tuple(allow),
        retry=retry or Retry(),
    )
    return step(index, hosts, type="validate", judgement=judgement)


def plan(*steps: PlannedStep, nodes: Sequence[str] = ("n11",), **changes: Any) -> Plan:
    """A test with these steps; node n11 is the primary."""
    facts: dict[str, Any] = {
        "name": "case",
        "provider": "local",
        "description": "",
        "suite_file": "suite.yaml",
        "suite_digest": "0" * 64,
        "nodes": tuple(PlannedNode(name=name, labels=("database",)) for name in nodes),
        "database": "standalone" if len(nodes) == 1 else "replication",
        "primary": "n11",
        "admin_ui": False,
        "writer": False,
        "keep": "never",
        "requirements": Requirements(),
        "parameters": {},
        "source": SOURCE,
        "steps": steps or (step(),),
    }
    return Plan(**{**facts, **changes})


def event(kind: Kind, host: str = "", *, stdout: str = "", **data: Any) -> Event:
    """One event; `data` is its event_data beside the host."""
    both = {"host": host, **data} if host else data
    return Event.model_validate({"event": kind, "counter": 1, "stdout": stdout, "event_data": both})


def ended(kind: Kind, host: str, result: Mapping[str, Any], **data: Any) -> Event:
    """The end of a task on one host."""
    return event(kind, host, **{"task": "Act", "play": "Play", "duration": 0.5, "res": dict(result), **data})


def ok(host: str = "n11", /, **result: Any) -> Event:
    """A task that went well."""
    return ended(Kind.OK, host, result)


def failed(host: str = "n11", message: str = "it broke", /, **data: Any) -> Event:
    """A task that failed; `result` adds to what the module returned."""
    return ended(Kind.FAILED, host, {"msg": message, **data.pop("result", {})}, **data)


def unreachable(host: str = "n11", /, **data: Any) -> Event:
    """A host that did not answer."""
    return ended(Kind.UNREACHABLE, host, {"msg": "no answer", "unreachable": True}, **data)


def proved(host: str = "n11", /, *, act: str = "crash", truth: object = True) -> Event:
    """What `await_node` returns."""
    return ok(host, e2e_proof={"act": act, "proved": truth, "how": "by its boot", "seconds": 1.5})


def not_proved(host: str = "n11", /, *, act: str = "crash") -> Event:
    """`await_node` at its deadline: the task fails."""
    proof = {"act": act, "proved": False, "how": "not proved within 60 s", "seconds": 60}
    return failed(host, "not proved", result={"e2e_proof": proof}, task_action="await_node")


def stats(*, failures: Iterable[str] = (), rescued: Iterable[str] = ()) -> Event:
    """The recap, which ends every playbook that Ansible could run."""
    return event(Kind.STATS, failures=dict.fromkeys(failures, 1), rescued=dict.fromkeys(rescued, 1))


def observed(host: str = "n11", /, **changes: Any) -> Event:
    """What `observe` returns of a healthy node."""
    return ok(host, observation=healthy(host, **changes))


def healthy(host: str = "n11", **changes: Any) -> dict[str, Any]:
    """A node that answers; n11 is the primary of itself and n12."""
    replicas = (Replica(name="n12", state="streaming", sync_state="async"),)
    primary = Postgres(
        installed=True,
        accepting=True,
        in_recovery=False,
        writable=True,
        replicas=replicas,
        integrity=((1, 9),),
    )
    standby = Postgres(installed=True, accepting=True, in_recovery=True, writable=False, receiver="streaming")
    postgres = primary if host == "n11" else standby
    facts: dict[str, Any] = {
        "node": host,
        "power": "on",
        "reachable": True,
        "system_state": "running",
        "postgres": postgres,
        **changes,
    }
    found = facts["postgres"]
    return {**facts, "postgres": found and found.model_dump(mode="json")}


OFF = {"power": "off", "reachable": False, "postgres": None, "system_state": ""}
SILENT = {"reachable": False, "unreachable": "timeout", "postgres": None, "system_state": ""}


def attempt(outcome: Outcome = DONE, number: int = 1, **more: Any) -> AttemptRecord:
    """An attempt that ended so."""
    end = AttemptEnded(at=2.0, step="01-step", attempt=number, outcome=outcome, **more)
    return AttemptRecord(number=number, started=1.0, ended=end)


def journal_of_step(
    planned: PlannedStep, outcomes: Sequence[Outcome] = (DONE,), at: float = 1.0, **more: Any
) -> list[Entry]:
    """What a run writes about a step; `more` goes into every end of an attempt."""
    entries: list[Entry] = [StepStarted(at=at, step=planned.id)]
    for number, outcome in enumerate(outcomes, start=1):
        entries.append(AttemptStarted(at=at, step=planned.id, attempt=number))
        entries.append(AttemptEnded(at=at + 1, step=planned.id, attempt=number, outcome=outcome, **more))
    return [*entries, StepEnded(at=at + 2, step=planned.id)]


def journal_of_test(*parts: Iterable[Entry], clean_up: CleanUpEnded | None = None) -> list[Entry]:
    """A whole journal around those of the steps."""
    removed = CleanUpEnded(at=90.0, ok=True, kept=False, message="removed")
    begin = TestStarted(at=0.5, deployment="case-1", plan_hash="hash")
    steps = [entry for part in parts for entry in part]
    return [begin, *steps, clean_up or removed, TestEnded(at=91.0)]
