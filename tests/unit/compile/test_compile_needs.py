"""What compiling knows of steps that say what they need: nodes that may be down, and what cannot run meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.needs import StepGraph
from e2e_ansible.compile.plan import FlowGroup, FlowStep, Plan
from e2e_ansible.errors import SuiteError
from e2e_ansible.steps.group import Shape
from e2e_ansible.steps.wait import WaitOptions
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import SourceRef, Step, StepOptions
from e2e_ansible.suite.vocabulary import Vocabulary

DEPLOY = {"step": "deploy", "name": "deploy"}
DESTROY = {"step": "destroy"}


def look(name: str, **more: Any) -> dict[str, Any]:
    return {"step": "validate", "checks": ["cluster_status"], "name": name, **more}


def stop(node: str, **more: Any) -> dict[str, Any]:
    return {"step": "stop_node", "target_node": node, "name": f"stop-{node}", **more}


def start(node: str, **more: Any) -> dict[str, Any]:
    return {"step": "start_node", "target_node": node, **more}


def fault(kind: str, node: str, **more: Any) -> dict[str, Any]:
    return {"step": "fault", "fault": kind, "target": node, **more}


def command(name: str, **more: Any) -> dict[str, Any]:
    return {"step": "custom_command", "custom_command": ["x"], "name": name, **more}


def group(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"step": "group", "steps": list(steps), **more}


def plan(words: Vocabulary, *steps: Any) -> Plan:
    """One key a line, so that places differ."""
    text = json.dumps({"parameters": {"cluster_size": 4}, "workflow": [DEPLOY, *steps]}, indent=1)
    (made,) = compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)
    assert Plan.model_validate_json(made.to_json()).flow == made.flow, "the same when read again"
    return made


def away(words: Vocabulary, *steps: Any) -> Mapping[str, Sequence[str]]:
    """The nodes that may be down when each step begins, by its name."""
    return {step.id.partition("-")[2]: step.judgement.away for step in plan(words, *steps).steps}


def problems(words: Vocabulary, *steps: Any) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        plan(words, *steps)
    return [f"{problem.message} ({problem.hint})" for problem in caught.value.problems]


def test_only_what_says_what_it_needs_has_it_in_the_plan(words: Vocabulary) -> None:
    made = plan(
        words, command("a", needs=[]), group(command("b"), name="g", needs=["deploy", "a"]), command("c")
    )
    _, a, g, c = made.flow
    assert isinstance(a, FlowStep) and isinstance(g, FlowGroup) and isinstance(c, FlowStep)
    assert (a.needs, g.needs, c.needs) == ((), ("01-deploy", "02-a"), None)
    written = json.loads(made.to_json())["flow"]
    assert ["needs" in item for item in written] == [False, True, True, False]


def test_a_list_without_needs_is_no_flow(words: Vocabulary) -> None:
    assert plan(words, command("a"), command("b")).flow == ()


def test_a_step_sees_as_down_what_it_needs_has_stopped_and_what_runs_beside_it_may_stop(
    words: Vocabulary,
) -> None:
    down = away(
        words,
        stop("n12", needs=["deploy"]),
        stop("n13", needs=["deploy"]),
        look("of-n12", needs=["stop-n12"]),
        look("of-both", needs=["stop-n12", "stop-n13"]),
        look("all"),
    )
    assert down["stop-n12"] == ("n13",)
    assert down["stop-n13"] == ("n12",)
    assert down["of-n12"] == ("n12", "n13")
    assert down["of-both"] == ("n12", "n13")
    assert down["all"] == ("n12", "n13")


def test_what_was_brought_back_on_the_way_is_up(words: Vocabulary) -> None:
    down = away(
        words,
        stop("n12", needs=["deploy"]),
        start("n12", name="back", needs=["stop-n12"]),
        look("up", needs=["back"]),
        look("beside", needs=["deploy"]),
        look("all"),
    )
    assert down["back"] == ("n12",)
    assert down["up"] == ()
    assert down["beside"] == ("n12",)
    assert down["all"] == ()


def test_what_does_not_need_the_nodes_may_run_before_there_are_any(words: Vocabulary) -> None:
    down = away(words, command("package", needs=[]), look("all"))
    assert down["package"] == ("n11", "n12", "n13", "n14")
    assert down["all"] == ()


def test_a_group_counts_with_all_that_is_in_it(words: Vocabulary) -> None:
    loss = group(stop("n12"), start("n12"), name="loss", needs=["deploy"])
    down = away(words, loss, look("beside", needs=["deploy"]), look("after", needs=["loss"]))
    assert down["beside"] == ("n12",)
    assert down["after"] == ()


def test_what_runs_in_the_background_counts_until_it_is_awaited(words: Vocabulary) -> None:
    down = away(
        words,
        stop("n12", needs=["deploy"]),
        start("n12", name="back", background=True, needs=["stop-n12"]),
        look("beside", needs=["stop-n12"]),
        command("next"),
        {"step": "wait", "for": ["back"]},
        look("early", needs=["stop-n12"]),
        look("after"),
    )
    assert down["beside"] == ("n12",)
    assert down["next"] == ("n12",)
    assert down["early"] == ("n12",), "it may begin before the wait"
    assert down["after"] == ()


SAME = "n12 is taken away or brought back by steps that run at the same time"


@pytest.mark.parametrize(
    "steps",
    [
        [stop("n12", needs=["deploy"]), start("n12", needs=["deploy"])],
        [stop("n12", needs=["deploy"]), fault("crash", "n12", needs=["deploy"])],
        [stop("n12"), group(start("n12"), needs=["deploy"])],
        [group(stop("n12"), needs=["deploy"], name="g"), command("x"), start("n12", needs=["deploy"])],
        [
            fault("crash", "n12", background=True, name="b", needs=["deploy"]),
            command("x"),
            start("n12", needs=["deploy"]),
        ],
        [
            fault("crash", "n12", for_seconds=5, background=True, name="b"),
            {"step": "wait", "for": ["b"]},
            stop("n12", needs=["deploy"]),
        ],
    ],
)
def test_two_steps_that_may_run_at_once_do_not_act_on_one_node(
    words: Vocabulary, steps: Sequence[Any]
) -> None:
    (problem,) = problems(words, *steps)
    assert problem.startswith(SAME)
    assert "the other one is on line" in problem


@pytest.mark.parametrize(
    "steps",
    [
        [stop("n12", needs=["deploy"]), start("n12", needs=["stop-n12"])],
        [stop("n12", needs=["deploy"]), command("x", needs=["stop-n12"]), start("n12", needs=["x"])],
        [stop("n12", needs=["deploy"]), stop("n13", needs=["deploy"]), start("n12"), start("n13")],
        [group(stop("n12"), name="g", needs=["deploy"]), start("n12", needs=["g"])],
        [
            fault("crash", "n12", for_seconds=5, background=True, name="b", needs=["deploy"]),
            {"step": "wait", "for": ["b"]},
            stop("n12"),
        ],
    ],
)
def test_one_after_the_other_they_do(words: Vocabulary, steps: Sequence[Any]) -> None:
    plan(words, *steps)


BACK = fault("crash", "n12", for_seconds=5, background=True, name="b", needs=["deploy"])
WAIT = {"step": "wait", "for": ["b"]}


@pytest.mark.parametrize(
    ("waits", "certain"),
    [
        (group(WAIT), True),
        (group(group(WAIT)), True),
        (group(command("x"), **{"finally": [WAIT]}), True),
        (group(command("x"), rescue=[WAIT], on_rescue="continue"), False),
        (group(command("x"), group(WAIT), when="passed first"), False),
    ],
)
def test_a_wait_counts_only_where_it_is_certainly_reached(
    words: Vocabulary, waits: Any, certain: bool
) -> None:
    steps = [command("first", needs=[]), BACK, waits, stop("n12")]
    if certain:
        plan(words, *steps)
    else:
        (problem,) = problems(words, *steps)
        assert problem.startswith(SAME)


def test_a_shape_that_nobody_wrote_counts_with_all_that_is_in_it() -> None:
    def typed(kind: str, options: StepOptions) -> Step:
        return Step(kind, options, SourceRef(file="s", line=1, column=1))

    back = typed("a", StepOptions(step="a", name="b", background=True, needs=()))
    wait = typed("wait", WaitOptions.model_validate({"step": "wait", "for": ["b"]}))
    last = typed("z", StepOptions(step="z"))
    shapes = (
        Shape((wait,)),
        Shape((Shape((wait,)),)),
        Shape((last,), final=(wait,)),
        Shape((last,), rescue=(wait,)),
        Shape((last,)),
    )
    beside = [set(StepGraph([back, shape, last]).beside(())) for shape in shapes]
    running = {(0, 1), (0, 2)}
    assert beside == [set(), set(), set(), running, running]


def test_the_nodes_are_removed_when_nothing_uses_them(words: Vocabulary) -> None:
    made = plan(words, command("a", needs=["deploy"]), command("b", needs=["deploy"]), DESTROY)
    assert made.steps[-1].removes_nodes
    plan(
        words,
        command("a", needs=["deploy"]),
        command("b", needs=["deploy"]),
        {**DESTROY, "needs": ["a", "b"]},
    )
    plan(words, command("a", needs=["deploy"], background=True), DESTROY)


@pytest.mark.parametrize(
    ("steps", "beside"),
    [
        ([command("a", needs=["deploy"]), {**DESTROY, "needs": ["deploy"]}], "step 'a' on line"),
        ([command("a"), DESTROY, command("late", needs=["a"])], "step 'late' on line"),
        ([command("a"), group(DESTROY, needs=["deploy"])], "step 'a' on line"),
        ([command("a"), command("b"), {**DESTROY, "needs": []}], "step 'deploy' on line"),
    ],
)
def test_the_nodes_are_not_removed_while_something_may_run(
    words: Vocabulary, steps: Sequence[Any], beside: str
) -> None:
    told = problems(words, *steps)
    (removal,) = (each for each in told if "removes the nodes" in each)
    assert beside in removal
    assert "put it after all of them, without 'needs'" in removal


def test_how_many_more_may_run_is_told(words: Vocabulary) -> None:
    steps = [command("a"), command("b"), {**DESTROY, "needs": ["deploy"]}]
    told = problems(words, *steps)
    assert any(re.search(r"while step 'a' on line \d+ and 1 more may still run", each) for each in told), told


NODES = {"step": "create_nodes", "name": "nodes"}


@pytest.mark.parametrize("needs", [[], ["a"]])
def test_nothing_is_installed_on_nodes_that_are_not_made(words: Vocabulary, needs: list[str]) -> None:
    steps = [command("a"), NODES, {"step": "install", "service": "postgresql", "needs": needs}]
    text = json.dumps({"workflow": steps})
    with pytest.raises(SuiteError, match="the nodes may not be there yet when this step begins"):
        compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)
    text = json.dumps({"workflow": [*steps[:2], {**steps[2], "needs": ["nodes"]}]})
    compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)


def test_what_watches_begins_before_all_that_it_watches(words: Vocabulary) -> None:
    watch = {"step": "hypothesis", "checks": ["cluster_status"], "during": ["database_running"]}
    made = plan(words, {**watch, "steps": [stop("n12"), command("a", needs=[]), command("b", needs=["a"])]})
    (group,) = (item for item in made.flow if isinstance(item, FlowGroup))
    (body,) = (item for item in group.body if isinstance(item, FlowGroup))
    assert [item.id.partition("-")[2] for item in body.body] == ["during", "stop-n12", "a", "b"]
    assert [item.needs for item in body.body] == [None, None, ("03-during",), ("03-during", "05-a")]
    (during,) = (step for step in made.steps if step.watch)
    assert during.judgement.away == ("n12",)
