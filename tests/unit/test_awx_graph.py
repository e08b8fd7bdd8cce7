"""Groups as workflows of AWX: the edges between jobs, and what AWX cannot do, with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.api import plan
from e2e_ansible.awx.export import exported
from e2e_ansible.awx.workflow import Workflow, workflow_of
from e2e_ansible.errors import SuiteError
from e2e_ansible.suite.load import parse_suite


def command(name: str, **more: Any) -> dict[str, Any]:
    return {"step": "custom_command", "name": name, "custom_command": ["x"], **more}


def group(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"step": "group", "steps": list(steps), **more}


def made(*steps: Any) -> Workflow:
    suite = parse_suite(json.dumps({"workflow": list(steps)}, indent=1).encode(), "s.json")
    (compiled,) = plan(suite)
    return workflow_of(compiled, suite.tests[0])


def edges(workflow: Workflow) -> list[str]:
    """One letter for each step, as numbers and types say nothing here."""
    short = {node.identifier: node.identifier.partition("-")[2] or node.identifier for node in workflow.nodes}
    return [
        f"{short[node.identifier]} {kind} {short[other]}"
        for node in workflow.nodes
        for kind in ("success", "failure", "always")
        for other in getattr(node, kind)
    ]


def test_branches_begin_together_and_all_have_to_lead_on() -> None:
    workflow = made(
        command("a"), group(command("b"), group(command("c"), command("d")), parallel=True), command("e")
    )
    assert edges(workflow) == [
        *("a success b", "a success c", "a failure result"),
        *("b success e", "b failure result"),
        *("c success d", "c failure result"),
        *("d success e", "d failure result"),
        "e failure result",
    ]
    assert [node.all_parents_must_converge for node in workflow.nodes] == [False] * 4 + [True, False]
    nodes = exported([workflow], organization="Ours")["awx_workflows"][0]["workflow_nodes"]
    assert [node.get("all_parents_must_converge") for node in nodes] == [None] * 4 + [True, None]


def test_branches_at_the_end_all_have_to_lead_to_the_clean_up() -> None:
    workflow = made({"step": "deploy"}, group(command("b"), command("c"), parallel=True))
    (clean_up,) = (node for node in workflow.nodes if node.identifier == "clean-up")
    assert clean_up.all_parents_must_converge


@pytest.mark.parametrize(("on_rescue", "after"), [("fail", "result"), ("continue", "b")])
def test_a_rescue_is_the_way_of_failure(on_rescue: str, after: str) -> None:
    workflow = made(group(command("a"), rescue=[command("r")], on_rescue=on_rescue), command("b"))
    assert edges(workflow) == [
        *("a success b", "a failure r", f"r success {after}", "r failure result"),
        "b failure result",
    ]


def test_an_end_stands_on_both_ways() -> None:
    workflow = made(group(command("a"), **{"finally": [command("x"), command("y")]}), command("b"))
    assert edges(workflow) == [
        *("a success x", "a failure x-after-failure"),
        *("x success y", "x failure y-after-failure"),
        *("y success b", "y failure result"),
        "b failure result",
        *("x-after-failure always y-after-failure", "y-after-failure always result"),
    ]


WAIT_FOR_B = {"step": "wait", "for": ["b"]}
LOOK = {"checks": ["cluster_status"], "steps": [{"step": "stop_node", "target_node": "n12"}]}


def test_a_hypothesis_without_a_watch_is_a_chain() -> None:
    names = [node.identifier for node in made({"step": "deploy"}, {"step": "hypothesis", **LOOK}).nodes]
    assert names[:4] == ["01-deploy", "02-before", "03-stop-node", "04-after"]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (
            [{"step": "deploy"}, command("a", background=True), {"step": "destroy"}],
            "removes the nodes while 02-a may still run",
        ),
        (
            [group(command("a"), **{"finally": [command("b", background=True), WAIT_FOR_B]})],
            "none of them can be in the background",
        ),
        (
            [group(command("b", background=True), command("c"), rescue=[command("r")], on_rescue="continue")],
            "goes on only if all succeeded",
        ),
        (
            [command("a", register="r"), command("b", when="${steps.r.stdout} == x")],
            "decides nothing on a 'when'",
        ),
        ([command("a"), group(command("b"), when="passed a")], "decides nothing on a 'when'"),
        ([{"step": "hypothesis", "during": ["cluster_status"], **LOOK}], "cannot watch while others run"),
        (
            [group(command("a"), command("c"), parallel=True, rescue=[command("b")], on_rescue="continue")],
            "goes on only if all succeeded",
        ),
        ([group(command("a"), **{"finally": [group(command("b"))]})], "can have steps only"),
        (
            [command("b", background=True), group(command("a"), WAIT_FOR_B, command("c"))],
            "stands in the list of what it waits for",
        ),
    ],
)
def test_what_awx_cannot_express_is_refused_with_its_place(steps: list[Any], words: str) -> None:
    with pytest.raises(SuiteError, match=words) as caught:
        made(*steps)
    assert all(problem.file == "s.json" and problem.line > 1 for problem in caught.value.problems)


def test_what_is_in_the_background_is_a_branch_that_meets_the_others_where_it_is_waited_for() -> None:
    workflow = made(command("a"), command("b", background=True), command("c"), WAIT_FOR_B, command("d"))
    assert [edge for edge in edges(workflow) if "success" in edge] == [
        *("a success b", "a success c", "b success d", "c success d"),
    ]
    assert converging(workflow) == ["d"]


def test_what_nobody_waits_for_is_waited_for_at_the_end_of_its_list() -> None:
    inner = group(command("b", background=True), command("c"))
    workflow = made({"step": "deploy"}, inner, command("d"), command("e", background=True))
    assert [edge for edge in edges(workflow) if "success" in edge] == [
        *("deploy success b", "deploy success c", "b success d", "c success d"),
        *("d success e", "e success up"),
    ]
    assert converging(workflow) == ["d"]
    beside = made({"step": "deploy"}, command("b", background=True), command("c"), WAIT_FOR_B)
    assert converging(beside) == ["up"], "a wait at the end leads both to the clean-up"


def needing(name: str, *needs: str) -> dict[str, Any]:
    return command(name, needs=list(needs))


def converging(workflow: Workflow) -> list[str]:
    return [node.identifier.partition("-")[2] for node in workflow.nodes if node.all_parents_must_converge]


def test_what_steps_need_are_edges_and_one_without_needs_waits_for_all() -> None:
    workflow = made(command("a"), needing("b"), needing("c", "a"), needing("d", "a", "b"), command("e"))
    assert [edge for edge in edges(workflow) if "failure" not in edge] == [
        *("a success c", "a success d", "b success d"),
        *("c success e", "d success e"),
    ]
    assert converging(workflow) == ["d", "e"]
    assert sum("failure result" in edge for edge in edges(workflow)) == 5


def test_what_another_needed_step_waits_for_already_is_no_edge_of_its_own() -> None:
    workflow = made(command("a"), needing("b", "a"), needing("c", "a", "b"))
    assert [edge for edge in edges(workflow) if "success" in edge] == ["a success b", "b success c"]
    assert converging(workflow) == []


def test_all_ends_of_a_graph_have_to_lead_to_the_clean_up() -> None:
    workflow = made({"step": "deploy"}, command("b"), needing("c"), needing("d"))
    (clean_up,) = (node for node in workflow.nodes if node.identifier == "clean-up")
    assert clean_up.all_parents_must_converge
    assert [edge for edge in edges(workflow) if edge.endswith(" success up")] == [
        *("b success up", "c success up", "d success up"),
    ]


def test_a_group_begins_with_what_it_needs() -> None:
    both = group(command("c"), command("d"), parallel=True, needs=["b"])
    workflow = made(command("a"), needing("b"), both, command("e"))
    assert [edge for edge in edges(workflow) if "success" in edge] == [
        *("a success e", "b success c", "b success d", "c success e", "d success e"),
    ]
    assert converging(workflow) == ["e"]


@pytest.mark.parametrize(
    "steps",
    [
        [group(command("b"), rescue=[command("r")], on_rescue="continue"), needing("c"), command("d")],
        [
            group(
                group(command("b"), rescue=[command("r")], on_rescue="continue"), command("c"), parallel=True
            )
        ],
        [group(command("b"), needing("c"), rescue=[command("r")], on_rescue="continue")],
        [group(command("b"), rescue=[command("r"), needing("s")], on_rescue="continue")],
    ],
)
def test_a_rescue_that_goes_on_cannot_meet_what_ran_beside_it(steps: list[Any]) -> None:
    with pytest.raises(SuiteError, match="goes on only if all succeeded"):
        made(*steps)


def test_a_rescue_that_goes_on_and_meets_nothing_is_no_trouble() -> None:
    one = group(command("b"), rescue=[command("r")], on_rescue="continue")
    workflow = made(one, command("c"), needing("d"), command("e"))
    assert "r success c" in edges(workflow)
