"""What compiling knows of a flow: which nodes may be down, and what cannot run at the same time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import FlowGroup, FlowStep, Plan
from e2e_ansible.errors import SuiteError
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary

DEPLOY = {"step": "deploy"}
LOOK = {"step": "validate", "checks": ["cluster_status"], "name": "look"}
WAIT = {"step": "wait", "for": ["x"]}


def stop(node: str, **more: Any) -> dict[str, Any]:
    return {"step": "stop_node", "target_node": node, **more}


def start(node: str, **more: Any) -> dict[str, Any]:
    return {"step": "start_node", "target_node": node, **more}


def fault(kind: str, node: str, **more: Any) -> dict[str, Any]:
    return {"step": "fault", "fault": kind, "target": node, **more}


def heal(name: str = "all") -> dict[str, Any]:
    return {"step": "heal", "fault": name}


def group(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"step": "group", "steps": list(steps), **more}


def plan(words: Vocabulary, *steps: Any) -> Plan:
    """One key a line, so that places differ."""
    text = json.dumps({"parameters": {"cluster_size": 4}, "workflow": [DEPLOY, *steps]}, indent=1)
    (made,) = compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)
    return made


def away(words: Vocabulary, *steps: Any) -> tuple[str, ...]:
    """The nodes that may be down at the last look."""
    made = plan(words, *steps, LOOK)
    return made.steps[-1].judgement.away


@pytest.mark.parametrize(
    ("steps", "down"),
    [
        ([group(stop("n12"))], ("n12",)),
        ([group(stop("n12"), start("n12"))], ()),
        ([stop("n12"), group(start("n12"), stop("n13"), parallel=True)], ("n13",)),
        ([stop("n12", when="passed first")], ("n12",)),
        ([stop("n12"), start("n12", when="a == b")], ("n12",)),
        ([stop("n12"), group(start("n12"), when="a == b")], ("n12",)),
        ([group(stop("n12"), stop("n13"), rescue=[start("n12")])], ("n12", "n13")),
        ([group(stop("n12"), rescue=[start("n12")], on_rescue="continue")], ("n12",)),
        ([group(start("n12"), rescue=[stop("n13")], on_rescue="continue")], ("n13",)),
        ([group(stop("n12"), **{"finally": [start("n12")]})], ()),
        ([group(stop("n12"), start("n12"), **{"finally": [stop("n12")]})], ("n12",)),
        ([stop("n12"), start("n12", background=True), stop("n13")], ("n12", "n13")),
        ([stop("n12"), start("n12", background=True, name="x"), WAIT], ()),
        (
            [
                stop("n12"),
                start("n12", background=True, name="x", when="passed first"),
                WAIT,
            ],
            ("n12",),
        ),
        ([stop("n12"), group(start("n12", background=True))], ()),
        ([fault("crash", "n12")], ("n12",)),
        ([fault("crash", "n12"), heal()], ()),
        ([fault("crash", "n12"), heal("crash")], ()),
        ([fault("crash", "n12", name="bang"), heal("bang")], ()),
        ([fault("crash", "n12"), fault("power_off", "n13"), heal("crash")], ("n13",)),
        ([fault("crash", "n12"), heal(), stop("n12"), heal()], ("n12",)),
        ([stop("n13"), fault("crash", "n12"), heal()], ("n13",)),
        ([fault("crash", "n12", for_seconds=1)], ()),
        ([fault("reboot", "n12")], ()),
        ([fault("crash", "replica")], ("n11", "n12", "n13", "n14")),
        ([fault("crash", "replica"), heal()], ()),
        ([fault("partition", "n12"), fault("stop", "n12"), heal("partition")], ("n12",)),
        ([group(fault("stop", "n12"), **{"finally": [heal()]})], ()),
        ([group(fault("stop", "n12"), heal("stop"), stop("n13"), rescue=[heal()])], ("n13",)),
    ],
)
def test_the_nodes_that_may_be_down_after(
    words: Vocabulary, steps: Sequence[Any], down: Sequence[str]
) -> None:
    assert away(words, {**LOOK, "name": "first"}, *steps) == down


def test_a_branch_counts_with_what_the_others_take_away(words: Vocabulary) -> None:
    made = plan(words, group(group(stop("n12"), start("n12")), LOOK, parallel=True))
    assert made.steps[-1].judgement.away == ("n12",)


def test_a_watch_counts_with_what_the_steps_take_away(words: Vocabulary) -> None:
    watch = {"step": "hypothesis", "checks": ["cluster_status"], "during": ["database_running"]}
    made = plan(words, {**watch, "steps": [stop("n12"), start("n12")]})
    (during,) = (step for step in made.steps if step.watch)
    assert during.judgement.away == ("n12",)
    assert [step.precondition for step in made.steps] == [False, True, False, False, False, False]


@pytest.mark.parametrize(
    ("steps", "words_"),
    [
        ([group(stop("n12"), start("n12"), parallel=True)], "n12 is taken away or brought back"),
        ([group(stop("n12"), group(stop("n12")), parallel=True)], "n12 is taken away or brought back"),
        ([stop("n12", background=True), stop("n12")], "n12 is taken away or brought back"),
        (
            [stop("n12", background=True, name="x"), group(LOOK, rescue=[WAIT]), stop("n12")],
            "n12 is taken away or brought back",
        ),
        (
            [stop("n12", background=True, name="x"), group(WAIT, when="a == b"), stop("n12")],
            "n12 is taken away or brought back",
        ),
        (
            [
                stop("n12", background=True, name="x"),
                group(LOOK, WAIT, rescue=[{**LOOK, "name": "again"}], on_rescue="continue"),
                stop("n12"),
            ],
            "n12 is taken away or brought back",
        ),
        ([group(fault("crash", "n12"), heal("crash"), parallel=True)], "n12 is taken away or brought back"),
        ([group({"step": "destroy"}, LOOK, parallel=True)], "nothing can run at the same time"),
        ([{"step": "destroy", "background": True}], "nothing can run at the same time"),
    ],
)
def test_what_cannot_run_at_the_same_time(words: Vocabulary, steps: Sequence[Any], words_: str) -> None:
    with pytest.raises(SuiteError, match=rf"^s\.json:\d+:\d+: .*{words_}") as caught:
        plan(words, *steps)
    assert {problem.line for problem in caught.value.problems} != {1}


def test_a_step_that_was_perhaps_waited_for_can_be_waited_for_again(words: Vocabulary) -> None:
    back = stop("n12", background=True, name="x")
    assert plan(words, back, group(LOOK, rescue=[WAIT]), WAIT, stop("n12")).steps


@pytest.mark.parametrize(
    ("steps", "words_"),
    [
        ([group(WAIT), WAIT], "no step named 'x' runs in the background here"),
        ([group(WAIT, WAIT, parallel=True)], "no step named 'x' runs in the background here"),
        ([{**WAIT, "name": "w"}, stop("n12", when="passed w")], "no step before is named 'w' .*known: x"),
    ],
)
def test_a_step_is_waited_for_once_and_to_wait_has_no_result(
    words: Vocabulary, steps: Sequence[Any], words_: str
) -> None:
    with pytest.raises(SuiteError, match=rf"^s\.json:\d+:\d+: {words_}"):
        plan(words, {**LOOK, "name": "x", "background": True}, *steps)


def test_two_branches_may_look_at_the_same_node(words: Vocabulary) -> None:
    again = {**LOOK, "name": "again"}
    assert len(plan(words, group(stop("n12"), stop("n13"), LOOK, again, parallel=True)).steps) == 5


def test_a_list_of_steps_has_no_flow_in_its_file_but_has_one(words: Vocabulary) -> None:
    made = plan(words, LOOK)
    assert '"flow"' not in made.to_json()
    assert made.items == (FlowStep(step="01-deploy"), FlowStep(step="02-look"))


def test_a_plan_with_groups_is_read_back(words: Vocabulary) -> None:
    outage = group(stop("n12", name="s"), rescue=[start("n12", when="failed s")], name="g")
    made = plan(words, outage, LOOK)
    read = Plan.model_validate_json(made.to_json())
    assert read == made.model_copy(update={"files": {}})
    (found,) = (item for item in read.items if isinstance(item, FlowGroup))
    assert (found.id, found.name) == ("group-1-g", "g")
    assert str(made.steps[2].when) == 'failed "02-s"'


def test_a_step_that_cannot_be_compiled_is_told_with_its_line(words: Vocabulary) -> None:
    nowhere = {"step": "install", "service": "exporter", "targets": ["c11"]}
    parameters = {"clients": 1, "exporter": True}
    text = json.dumps({"parameters": parameters, "workflow": [{"step": "create_nodes"}, nowhere]}, indent=1)
    with pytest.raises(SuiteError) as caught:
        compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)
    (problem,) = caught.value.problems
    assert problem.line == text[: text.index('"install"')].count("\n"), "where the step begins"
    assert problem.hint
