"""Folds the event stream of one playbook run into facts: failures, proofs, observations, timings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any

from pydantic import ValidationError

from e2e_ansible.compile.plan import PlannedStep
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.judge.change import change_words
from e2e_ansible.judge.result import Failure, Proof, TaskTiming
from e2e_ansible.load.base import LoadOutput
from e2e_ansible.nodes.observation import NodeObservation

__all__ = ["Facts", "fold"]

PROOF_KEY = "e2e_proof"
OBSERVATION_KEY = "observation"
TARGETS_KEY = "e2e_targets"
LOAD_KEY = "e2e_load"
_HOST_ENDS = {
    Kind.OK: "ok",
    Kind.FAILED: "failed",
    Kind.ERROR: "failed",
    Kind.ASYNC_FAILED: "failed",
    Kind.SKIPPED: "skipped",
    Kind.UNREACHABLE: "unreachable",
}
_ERROR = re.compile(r"\s*(\x1b\[[0-9;]*m)*(ERROR!|\[ERROR\])")
_REGISTERED = ("stdout", "stderr", "rc")
#: What Ansible and ssh add to every command that fails; it tells nothing beside what the command said.
_NO_REASON = "non-zero return code"
_NOISE = re.compile(r"^Shared connection to \S+ closed\.\s*$", re.MULTILINE)


@dataclass
class Facts:
    """What one playbook run showed.

    `unproved` are failed tasks that looked for the proof of an act and did not find it; `changes` are tasks that
    changed something where nothing had to be changed; `results` holds the last
    result of every host, for `register`; `under_way` is the task of each host that has begun and not ended;
    `targets` are the hosts that the play has chosen; `load` is the last run of a load tool;
    `finished` says that Ansible came to its end.
    """

    failures: list[Failure] = field(default_factory=list)
    unproved: list[Failure] = field(default_factory=list)
    changes: list[Failure] = field(default_factory=list)
    rescued: set[str] = field(default_factory=set)
    proofs: list[Proof] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    observations: dict[str, NodeObservation] = field(default_factory=dict)
    load: LoadOutput | None = None
    timings: list[TaskTiming] = field(default_factory=list)
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    under_way: dict[str, str] = field(default_factory=dict)
    finished: bool = False
    unmatched: bool = False
    messages: list[str] = field(default_factory=list)

    @property
    def slowest(self) -> tuple[TaskTiming, ...]:
        """The five slowest tasks, slowest first."""
        return tuple(sorted(self.timings, key=lambda timing: -timing.seconds)[:5])

    def registered(self, hosts: Iterable[str]) -> dict[str, object] | None:
        """stdout, stderr and rc of the first of these hosts that has a result."""
        found = next((self.results[host] for host in hosts if host in self.results), None)
        return None if found is None else {key: found.get(key, "") for key in _REGISTERED}


def fold(step: PlannedStep, events: Iterable[Event]) -> Facts:
    """Facts of one playbook run; failures that a rescue handled are left out."""
    facts = Facts()
    for event in events:
        _fold(facts, step, event)
    facts.failures = [
        failure
        for failure in facts.failures
        if failure.host not in facts.rescued or failure.kind == "unreachable"
    ]
    return facts


def _fold(facts: Facts, step: PlannedStep, event: Event) -> None:
    if event.kind is Kind.HOST_START:
        facts.under_way[event.host] = event.task
    elif event.kind in _HOST_ENDS:
        _host_result(facts, step, event)
    elif event.kind is Kind.STATS:
        facts.finished = True
        failed, rescued = _counts(event, "failures"), _counts(event, "rescued")
        facts.rescued = {host for host in rescued if host not in failed}
    elif event.kind in (Kind.NO_HOSTS, Kind.NO_HOSTS_MATCHED):
        facts.unmatched = True
    elif event.kind in (Kind.WARNING, Kind.ERROR_MESSAGE) or (
        event.kind is Kind.VERBOSE and _is_error(event)
    ):
        facts.messages.append(event.stdout.strip())


def _is_error(event: Event) -> bool:
    return _ERROR.match(event.stdout) is not None


def _counts(event: Event, name: str) -> Mapping[str, int]:
    found = event.data.get(name)
    return found if isinstance(found, Mapping) else {}


def _host_result(facts: Facts, step: PlannedStep, event: Event) -> None:
    host, result = event.host, event.result
    facts.hosts.add(host)
    facts.under_way.pop(host, None)
    facts.timings.append(
        TaskTiming(host=host, task=event.task, seconds=_seconds(event), status=_HOST_ENDS[event.kind])
    )
    if event.kind is Kind.OK and "rc" in result:
        facts.results[host] = result
    _keep_proof(facts, host, result)
    _keep_observation(facts, host, result)
    _keep_load(facts, host, result)
    facts.targets.extend(str(name) for name in result.get(TARGETS_KEY) or () if name not in facts.targets)
    if event.kind is Kind.OK and result.get("changed") is True and event.data.get("play") in step.unchanged:
        change = _failure(step, event, "changed")
        facts.changes.append(change.model_copy(update={"message": change_words(result)}))
    if event.kind is Kind.UNREACHABLE:
        facts.failures.append(_failure(step, event, "unreachable"))
    elif _HOST_ENDS[event.kind] == "failed" and not event.data.get("ignore_errors"):
        proves = host in step.judgement.proofs or step.judgement.chooses
        unproved = PROOF_KEY in result and proves
        (facts.unproved if unproved else facts.failures).append(_failure(step, event, "failed"))


def _keep_proof(facts: Facts, host: str, result: Mapping[str, Any]) -> None:
    found = result.get(PROOF_KEY)
    if isinstance(found, Mapping):
        facts.proofs.append(
            Proof(
                host=host,
                act=str(found.get("act", "")),
                proved=found.get("proved") is True,
                how=str(found.get("how", "")),
                seconds=_number(found.get("seconds")) or 0.0,
            )
        )


def _keep_observation(facts: Facts, host: str, result: Mapping[str, Any]) -> None:
    found = result.get(OBSERVATION_KEY)
    if isinstance(found, Mapping):
        try:
            facts.observations[host] = NodeObservation.model_validate(found)
        except ValidationError as error:
            facts.messages.append(f"{host}: the observation cannot be read: {error.error_count()} errors")


def _keep_load(facts: Facts, host: str, result: Mapping[str, Any]) -> None:
    found = result.get(LOAD_KEY)
    if isinstance(found, Mapping):
        facts.load = None  # one before it does not stand for what cannot be read
        try:
            facts.load = LoadOutput.model_validate(found)
        except ValidationError as error:
            facts.messages.append(
                f"{host}: what the load tool said cannot be read: {error.error_count()} errors"
            )


def _failure(step: PlannedStep, event: Event, kind: str) -> Failure:
    role = str(event.data.get("role") or "")
    task = str(event.data.get("task") or "")
    play = str(event.data.get("play") or "")
    line = next((step.lines[name] for name in (task, role, play) if name in step.lines), 0)
    return Failure.model_validate(
        {
            "host": event.host,
            "task": event.task,
            "message": _message(event),
            "kind": kind,
            "playbook": f"plan/{step.playbook}",
            "playbook_line": line,
            "role": role,
            "action": str(event.data.get("task_action") or "").rpartition(".")[2],
            "rc": _status(event.result),
            "expected": kind == "unreachable" and event.host in step.judgement.disconnects,
        }
    )


def _status(result: Mapping[str, Any]) -> int | None:
    """The exit status of a command; a module that could not be run has an `rc` as well, but says so."""
    status = result.get("rc")
    return status if type(status) is int and _text(result, "msg") == _NO_REASON else None


def _text(result: Mapping[str, Any], key: str) -> str:
    return str(result.get(key) or "").strip()


def _message(event: Event) -> str:
    result = event.result
    parts = [_NOISE.sub("", _text(result, key)).strip() for key in ("stderr", "stdout")]
    said = [part for part in parts if part]
    message = _text(result, "msg")
    if message and not (said and message == _NO_REASON):
        said.insert(0, message)
    return "\n".join(dict.fromkeys(said)) or event.stdout.strip() or "no message"


def _seconds(event: Event) -> float:
    duration = _number(event.data.get("duration"))
    if duration is not None:
        return duration
    try:
        start, end = (datetime.fromisoformat(str(event.data[key])) for key in ("start", "end"))
        return (end - start).total_seconds()
    except (KeyError, ValueError, TypeError):  # TypeError: only one of them has a time zone
        return 0.0


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, (int, float)) and isfinite(value) else None
    except OverflowError:
        return None
