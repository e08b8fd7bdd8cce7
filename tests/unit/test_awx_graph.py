"""Groups as workflows of AWX: the edges between jobs, and what AWX cannot do, with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.api import plan
from e2e_ansible.awx.workflow import Workflow, exported, workflow_of
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


LOOK = {"checks": ["cluster_status"], "steps": [{"step": "stop_node", "target_node": "n12"}]}


def test_a_hypothesis_without_a_watch_is_a_chain() -> None:
    names = [node.identifier for node in made({"step": "deploy"}, {"step": "hypothesis", **LOOK}).nodes]
    assert names[:4] == ["01-deploy", "02-before", "03-stop-node", "04-after"]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([command("a", background=True)], "a job of AWX cannot run beside"),
        ([command("a", background=True), {"step": "wait", "for": ["a"]}], "there is nothing to wait for"),
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
    ],
)
def test_what_awx_cannot_express_is_refused_with_its_place(steps: list[Any], words: str) -> None:
    with pytest.raises(SuiteError, match=words) as caught:
        made(*steps)
    assert all(problem.file == "s.json" and problem.line > 1 for problem in caught.value.problems)
