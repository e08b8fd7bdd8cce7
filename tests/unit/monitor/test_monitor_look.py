"""The look by the engine: its plan, its own sockets, and what becomes of a play that does not end well."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from monitor_sights import LABELS, observed

from e2e_ansible.compile.compiler import ANSIBLE_CFG, INVENTORY, compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.fake import FakeEngine
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.monitor.look import PLAYBOOK, EngineLook, monitor_plan
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Provider
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.load import parse_suite

DONE = Outcome(ended=Ended.COMPLETED, rc=0)
Looking = Callable[..., EngineLook]


def plan(**parameters: object) -> Plan:
    given = {"cluster_size": 2, "database": "replication", **parameters}
    test = {"parameters": given, "workflow": [{"step": "deploy"}]}
    suite = parse_suite(json.dumps({"test_suites": {"one": test}}).encode(), "suite.json")
    (made,) = compile_suite(suite, step_types())
    return made


class Deployments:
    """The one answer of a provider that the look needs."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def deployments(self) -> Sequence[str]:
        return self._names


def events(*names: str) -> tuple[Event, ...]:
    """What Ansible says of each node that was looked at."""
    nodes = {node.node: node for node in observed()}
    return tuple(
        Event.of(
            {
                "event": "runner_on_ok",
                "uuid": name,
                "counter": 1,
                "created": "2026-01-01T00:00:00+00:00",
                "event_data": {
                    "host": name,
                    "res": {"observation": nodes[name].model_dump(mode="json")},
                },
            }
        )
        for name in names
    )


@pytest.fixture
def looking(tmp_path: Path) -> Looking:
    """Makes looks by an engine that says what it is told to; the deployment is `d1`."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()

    def make(engine: FakeEngine, deployment: str = "d1") -> EngineLook:
        return EngineLook(
            engine,
            plan(),
            tmp_path / "monitor",
            provider=cast(Provider, Deployments("d1")),
            deployment=deployment,
            token="run/monitor",
            environment={"ANSIBLE_SSH_CONTROL_PATH_DIR": "/x/cp", "TMPDIR": str(scratch)},
        )

    return make


@pytest.mark.parametrize(
    ("parameters", "asked"),
    [
        ({}, {"patroni": False, "exporter": False, "backup": False}),
        ({"exporter": True, "backup": {"interval_seconds": 60}}, {"exporter": True, "backup": True}),
    ],
)
def test_the_playbook_only_looks_at_what_there_is(parameters: dict[str, Any], asked: dict[str, bool]) -> None:
    made = monitor_plan(plan(**parameters))
    assert made.steps == ()
    assert made.files["ansible.cfg"] == ANSIBLE_CFG, "another one would not be run warm"
    assert made.files[INVENTORY] == plan().files[INVENTORY]
    (only,) = yaml.safe_load(made.files[PLAYBOOK])
    (task,) = only["tasks"]
    given = task["observe"]
    assert given.items() >= {"read_only": True, "new_login": False, "load": True, **asked}.items()


def test_a_look_gives_what_all_nodes_said_and_leaves_nothing(looking: Looking, tmp_path: Path) -> None:
    engine = FakeEngine({PLAYBOOK: [(events("n11", "n12"), DONE)]})
    found = looking(engine)(7.0, Cancel())
    assert [node.node for node in found] == ["n11", "n12"]
    (request,) = engine.requests
    assert request.deadline_seconds == 7.0
    assert request.environment["E2E_DEPLOYMENT"] == "d1"
    assert request.environment["ANSIBLE_SSH_CONTROL_PATH_DIR"] == "/x/cp/m", "steps have other sockets"
    assert request.token.startswith("run/monitor")
    assert list((tmp_path / "tmp").iterdir()) == []
    assert (tmp_path / "monitor" / PLAYBOOK).is_file()


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ((events("n11"), DONE), "n12 could not be looked at"),
        (((), Outcome(ended=Ended.TIMEOUT, rc=None, message="not done after 7 s")), "not done after 7 s"),
        (((), Outcome(ended=Ended.CANCELED, rc=None)), "canceled"),
    ],
)
def test_a_look_that_is_not_whole_is_an_error(looking: Looking, recorded: Any, said: str) -> None:
    with pytest.raises(InfrastructureError, match=said):
        looking(FakeEngine({PLAYBOOK: [recorded]}))(7.0, Cancel())


def test_before_the_nodes_are_made_nobody_is_asked(looking: Looking) -> None:
    engine = FakeEngine({})
    look = looking(engine, "later")
    assert {node.power for node in look(7.0, Cancel())} == {PowerState.ABSENT}
    assert engine.requests == []
    look.deployment = "d1"
    with pytest.raises(InfrastructureError, match="no recording"):
        look(7.0, Cancel())


def test_labels_of_the_tests_are_those_of_a_plan() -> None:
    assert {node.name for node in plan().nodes} <= LABELS.keys()
