"""The project's own roles on real nodes, cold and warm: the same events, results and facts."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from real_runs import one_test, runs_below, write_suite

from e2e_ansible import api
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.name import EngineName
from e2e_ansible.run.engines import open_engine
from e2e_ansible.run.journal import read_events

pytestmark = pytest.mark.nodes

NODE = {"target_node": "n11"}
STEPS = [
    {"step": "init"},
    {"step": "deploy"},
    {"step": "deploy", "name": "deploy-again"},
    {"step": "validate", "checks": ["cluster_status", "ssh_connectivity", "data_integrity"]},
    {"step": "restart_node", **NODE},
    {"step": "restart_node", "method": "graceful", **NODE},
    {"step": "stop_node", **NODE},
    {"step": "start_node", **NODE},
    {"step": "crash_node", **NODE},
    {"step": "start_node", "name": "start-again", **NODE},
    {"step": "crash_node", "method": "destroy", **NODE},
    {"step": "custom_command", "custom_command": ["true"], **NODE},
]
#: Numbers, ids, addresses and places are others each time; so is how often something was waited for.
CHANGING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]*\d[0-9a-f.:]*|/[^\s\"']*|test-\w+"
)
REPEATED = (Kind.ASYNC_POLL, Kind.RETRY)


def run(folder: Path, name: EngineName) -> tuple[api.TestResult, dict[str, Counter[str]]]:
    """The result of the test, and for every step how often each normalised event came."""
    suite = write_suite(folder / "suite.json", test=one_test(STEPS))
    with runs_below(folder) as runs:
        with open_engine(name) as engine:
            result = api.run(api.plan(api.load(suite)), engine=engine, runs=runs, keep="never")
        (test,) = result.tests
        written = read_events(runs / result.run_id / test.folder / "events.jsonl")
    return test, {step: Counter(map(normal, events)) for (step, _), events in written.items()}


def normal(event: Event) -> str:
    if event.kind in REPEATED:
        return event.kind.value
    data = {key: value for key, value in event.data.items() if key not in {"duration", "start", "end"}}
    return CHANGING.sub("#", f"{event.kind} {event.task} {event.host} {json.dumps(data, sort_keys=True)}")


def test_the_roles_of_this_project_do_the_same_cold_and_warm(tmp_path: Path) -> None:
    found = {}
    for name in EngineName:
        (tmp_path / name).mkdir()
        found[name] = run(tmp_path / name, name)
    (warm, warm_events), (cold, cold_events) = found[EngineName.WARM], found[EngineName.COLD]
    assert {step.engine for step in warm.workflow_steps if step.log} == {"warm"}
    assert {step.engine for step in cold.workflow_steps if step.log} == {"cold"}
    assert [(step.id, step.verdict, step.cause) for step in warm.workflow_steps] == [
        (step.id, step.verdict, step.cause) for step in cold.workflow_steps
    ]
    assert warm.workflow_steps[-1].verdict == "fail"
    assert warm_events.keys() == cold_events.keys()
    for step, events in warm_events.items():
        others = cold_events[step]
        assert (step, events - others, others - events) == (step, Counter(), Counter())
