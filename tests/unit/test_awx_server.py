"""The server of the tests against what was recorded from AWX 24.6.1, and by the rules that AWX has for edges."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from awx_jobs import Inert, Runner, _Dumper, inert
from awx_state import State

from e2e_ansible.engine.event import Event

RECORDED = Path(__file__).parents[1] / "data" / "events" / "awx.jsonl"


def recorded() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RECORDED.read_text().splitlines()]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(State("/api/v2/", threading.RLock()), tmp_path)


def test_an_event_has_the_fields_of_one_of_awx(runner: Runner) -> None:
    """What ansible-runner gives is put into the form of AWX, and read back as the same event."""
    runner.events[7] = []
    for event in recorded():
        given = {
            key: event[key] for key in ("event", "counter", "uuid", "parent_uuid", "stdout", "event_data")
        }
        given |= {"created": event["created"].replace("Z", "+00:00"), "start_line": 0, "end_line": 0}
        runner._keep({"id": 7}, given)
    for made, event in zip(runner.events[7], recorded(), strict=True):
        # The recording leaves out what nobody reads.
        assert set(event) <= set(made)
        assert made["created"] == event["created"]
        assert made["created"].endswith("Z")
        assert Event.of(made) == Event.of(event)
    ids = [event["id"] for event in runner.events[7]]
    assert ids != sorted(ids), "whoever orders by id gets it wrong"


def test_what_is_said_at_a_launch_is_inert() -> None:
    import yaml

    text = yaml.dump(inert({"a": ["{{ 7 }}", 5, {"b": "c"}]}), Dumper=_Dumper)
    assert text.count("!unsafe") == 2
    assert isinstance(inert({"a": "x"})["a"], Inert)


NODES = ("first", "second", "after")


def graph(runner: Runner, statuses: dict[str, str], parents: str) -> list[str]:
    """Which of `after` and `second` would start when `first` has ended so, with edges of these kinds."""
    edges = {"success_nodes": [], "failure_nodes": [], "always_nodes": []}
    rest = {"job": None, "do_not_run": False, "all_parents_must_converge": False}
    nodes = [
        {"id": number, "identifier": name, **rest, **json.loads(json.dumps(edges))}
        for number, name in enumerate(NODES, start=1)
    ]
    nodes[0]["success_nodes"], nodes[0][parents] = [2], [3]
    nodes[0]["job"] = 11
    runner._state.objects["jobs"][11] = {"status": statuses["first"]}
    started: list[str] = []

    def start(node: dict[str, Any], *_: Any) -> None:
        started.append(node["identifier"])
        node["job"] = 12
        runner._state.objects["jobs"][12] = {"status": "successful"}

    runner._start_node = start  # type: ignore[method-assign]
    while runner._advance(nodes, {}, stopped=False):
        pass
    return started


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        ("successful", "failure_nodes", ["second"]),
        ("failed", "failure_nodes", ["after"]),
        ("canceled", "failure_nodes", ["after"]),
        ("error", "always_nodes", ["after"]),
        ("successful", "always_nodes", ["second", "after"]),
    ],
)
def test_edges_are_followed_as_awx_follows_them(
    runner: Runner, status: str, kind: str, expected: list[str]
) -> None:
    assert graph(runner, {"first": status}, kind) == expected


@pytest.mark.parametrize(
    ("one", "other", "started"),
    [
        ("successful", "successful", True),
        ("successful", "failed", False),
        ("failed", "successful", False),
        ("failed", "running", False),
        ("successful", "running", False),
        ("successful", "left out", False),
        ("successful", "not begun", False),
        ("successful", "canceled", True),
    ],
)
def test_where_all_parents_must_converge_each_has_to_lead_there(
    runner: Runner, one: str, other: str, started: bool
) -> None:
    """The last is what AWX does: it asks only parents that were successful or have failed."""
    nodes: list[dict[str, Any]] = [
        {
            "id": number,
            "job": 10 + number if number < 3 else None,
            "do_not_run": False,
            "all_parents_must_converge": number == 3,
            "success_nodes": [3] if number < 3 else [],
            "failure_nodes": [],
            "always_nodes": [],
        }
        for number in (1, 2, 3)
    ]
    runner._state.objects["jobs"] |= {11: {"status": one}, 12: {"status": other}}
    if other == "not begun":
        runner._state.objects["jobs"][12] = {"status": "pending"}
        nodes.append({**nodes[1], "id": 4, "job": 12, "success_nodes": [2]})
        nodes[1]["job"] = None
    if other == "left out":
        nodes[1] |= {"job": None, "do_not_run": True}
    found: list[int] = []
    runner._start_node = lambda node, *_: found.append(node["id"])  # type: ignore[method-assign]
    runner._advance(nodes, {}, stopped=False)
    assert found == [3] * started
    if other not in ("running", "left out", "not begun"):
        assert nodes[2]["do_not_run"] is not started
    nodes[2]["all_parents_must_converge"] = False
    nodes[2]["do_not_run"] = False
    found.clear()
    runner._advance(nodes, {}, stopped=False)
    assert bool(found) is ("successful" in (one, other) and not {"running", "not begun"} & {one, other})


def handing(runner: Runner, *jobs: tuple[int, list[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Nodes by number, what follows each, and the artifacts of its job, which was successful."""
    runner._state.objects["job_templates"][5] = {
        **{"id": 5, "name": "x", "survey_enabled": False, "ask_variables_on_launch": True},
        **{"ask_timeout_on_launch": True},
    }
    for number, _, artifacts in jobs:
        runner._state.objects["jobs"][100 + number] = {"status": "successful", "artifacts": artifacts}
    nodes: list[dict[str, Any]] = [
        {
            "id": number,
            "job": None,
            "do_not_run": False,
            "all_parents_must_converge": False,
            "unified_job_template": 5,
            "extra_data": {"from": "node", "own": number},
            "timeout": None,
            "ancestor_artifacts": {},
            "success_nodes": after,
            "failure_nodes": [],
            "always_nodes": [],
        }
        for number, after, _ in jobs
    ]
    return nodes


def given(runner: Runner, nodes: list[dict[str, Any]], variables: dict[str, Any]) -> dict[int, Any]:
    """The variables that each job would begin with, when all have begun."""
    found: dict[int, Any] = {}

    def start(_: Any, taken: dict[str, Any]) -> dict[str, Any]:
        number = taken["extra_vars"]["own"]
        found[number] = taken["extra_vars"]
        return {"id": 100 + number, "type": "job"}

    runner._start_job = start  # type: ignore[method-assign,assignment]
    while runner._advance(nodes, variables, stopped=False):
        pass
    return found


@pytest.mark.parametrize(("left", "right", "expected"), [(2, 3, "old"), (3, 2, "new")])
def test_where_branches_meet_what_one_was_given_takes_back_what_another_gave(
    runner: Runner, left: int, right: int, expected: str
) -> None:
    """Parents in the order of their numbers, each with what it was given before what it gave."""
    nodes = handing(
        runner,
        (1, [2, 3], {"key": "old", "first": 1}),
        *sorted([(left, [4], {"key": "new", "left": 1}), (right, [4], {"right": 1})]),
        (4, [5], {}),
        (5, [], {}),
    )
    found = given(runner, nodes, {})
    for number in (4, 5):
        assert found[number]["key"] == expected
        assert {"first", "left", "right"} <= set(found[number])
    assert found[left]["key"] == found[right]["key"] == "old"
    assert not {"left", "right"} & (set(found[left]) | set(found[right])), (
        "branches know nothing of each other"
    )


def test_artifacts_come_between_what_the_node_says_and_the_variables_of_the_workflow(runner: Runner) -> None:
    nodes = handing(runner, (1, [2], {"from": "artifact", "of": "artifact"}), (2, [], {}))
    found = given(runner, nodes, {"of": "workflow"})
    assert (found[1]["from"], found[1]["of"]) == ("node", "workflow")
    assert (found[2]["from"], found[2]["of"]) == ("artifact", "workflow")


def test_a_workflow_gives_what_its_jobs_gave_in_the_order_of_their_ends(runner: Runner) -> None:
    state = runner._state
    ends = {
        7: ("successful", "3", {"key": 7}),
        8: ("failed", "2", {"key": 8, "b": 8}),
        9: ("canceled", "9", {"key": 9}),
    }
    for number, (status, finished, artifacts) in ends.items():
        state.objects["jobs"][number] = {"status": status, "finished": finished, "artifacts": artifacts}
    state.job_nodes[20] = [{"id": number, "job": number, "unified_job_template": 5} for number in ends]
    state.objects["workflow_jobs"][20] = {"status": "failed"}
    assert runner._given("workflow_jobs", 20) == {"key": 7, "b": 8}
