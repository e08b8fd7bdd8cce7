"""The graph of a plan: who waits for whom, levels, the longest path, and edges that lead nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.course import Course, course_of, is_graph, sinks, waits
from e2e_ansible.compile.plan import FlowStep, Plan
from e2e_ansible.errors import HarnessError
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary


def say(name: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {"step": "custom_command", "name": name, "custom_command": ["x"], "needs": list(needs), **more}


def after(name: str, **more: Any) -> dict[str, Any]:
    """Without needs: after all before it."""
    return {"step": "custom_command", "name": name, "custom_command": ["x"], **more}


def group(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"step": "group", "steps": list(steps), **more}


def planned(words: Vocabulary, *steps: Any) -> Plan:
    text = json.dumps({"workflow": list(steps)})
    (made,) = compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)
    return made


def short(step: str) -> str:
    return step.partition("-")[2]


def edges(course: Course) -> dict[str, str]:
    return {short(node.step): " ".join(map(short, node.after)) for node in course.nodes}


def test_needs_are_edges_and_a_step_without_them_waits_for_all(words: Vocabulary) -> None:
    course = course_of(planned(words, after("a"), say("b"), say("c", "a"), after("d"), say("e", "b")))
    assert edges(course) == {"a": "", "b": "", "c": "a", "d": "b c", "e": "b"}
    assert [node.level for node in course.nodes] == [1, 1, 2, 3, 2]
    assert course.levels == 3


def test_what_is_waited_for_already_is_no_edge(words: Vocabulary) -> None:
    course = course_of(planned(words, after("a"), say("b", "a"), say("c", "a", "b"), after("d")))
    assert edges(course) == {"a": "", "b": "a", "c": "b", "d": "c"}


def test_a_group_begins_with_what_it_needs_and_ends_with_its_last_steps(words: Vocabulary) -> None:
    both = group(after("c"), group(after("d"), after("e")), parallel=True, name="both", needs=["b"])
    course = course_of(planned(words, after("a"), say("b"), both, say("f", "both"), after("g")))
    assert edges(course) == {"a": "", "b": "", "c": "b", "d": "b", "e": "d", "f": "c e", "g": "a f"}


def test_steps_in_the_background_are_waited_for_where_a_wait_says_so(words: Vocabulary) -> None:
    wait = {"step": "wait", "for": ["a"]}
    course = course_of(planned(words, after("a", background=True), after("b"), wait, after("c")))
    assert edges(course) == {"a": "", "b": "", "c": "a b"}
    later = course_of(planned(words, say("x"), after("a", background=True), after("b"), wait, after("c")))
    assert edges(later) == {"x": "", "a": "x", "b": "x", "c": "a b"}, (
        "it stands in the way of nothing before it"
    )
    inner = group(after("a", background=True), after("b"))
    assert edges(course_of(planned(words, inner, after("c")))) == {"a": "", "b": "", "c": "a b"}


def test_a_rescue_is_there_and_on_no_path_of_a_plan(words: Vocabulary) -> None:
    risky = group(after("a"), rescue=[after("r")], **{"finally": [after("z")]})
    course = course_of(planned(words, risky, after("b"), say("c")))
    assert edges(course)["z"] == "a r"
    assert [short(step) for step in course.longest(course.budget)[0]] == ["a", "z", "b"]
    assert {short(node.step): node.level for node in course.nodes} == {"a": 1, "r": 2, "z": 2, "b": 3, "c": 1}


def test_the_longest_path_is_that_of_the_deadlines(words: Vocabulary) -> None:
    long = say("long", timeout_seconds=100)
    course = course_of(
        planned(words, after("a", timeout_seconds=30), long, say("c", "a", timeout_seconds=80), after("d"))
    )
    path, seconds = course.longest(course.budget)
    assert ([short(step) for step in path], seconds) == (["a", "c", "d"], 410)
    measured = {node.step: 5.0 if "long" in node.step else 1.0 for node in course.nodes}
    assert ([short(step) for step in course.longest(measured)[0]]) == ["long", "d"]


def test_a_part_has_the_edges_inside_of_it(words: Vocabulary) -> None:
    course = course_of(planned(words, after("a"), say("b", "a"), say("c", "b")))
    assert edges(course.within([course.nodes[1].step, course.nodes[2].step])) == {"b": "", "c": "b"}


@pytest.mark.parametrize(
    ("steps", "graph"),
    [
        ([after("a"), after("b")], False),
        ([group(after("a"), after("b"))], False),
        ([group(after("a"), parallel=True)], False),
        ([group(after("a"), after("b"), parallel=True)], True),
        ([after("a"), say("b")], True),
        ([group(after("a"), say("b", "a"))], True),
        ([after("a", background=True)], True),
    ],
)
def test_only_what_may_run_beside_something_is_a_graph(
    words: Vocabulary, steps: list[Any], graph: bool
) -> None:
    assert is_graph(planned(words, *steps)) is graph


def test_an_edge_to_what_comes_later_is_refused() -> None:
    later = [FlowStep(step="a", needs=("b",)), FlowStep(step="b")]
    with pytest.raises(HarnessError, match="an edge from 'b' to 'a', before which it does not stand"):
        waits(later)


def test_a_flow_with_a_step_that_is_missing_is_refused(words: Vocabulary) -> None:
    made = planned(words, after("a"), say("b"))
    without = made.model_copy(update={"steps": made.steps[:1]})
    with pytest.raises(HarnessError, match="has a step '02-b', but its steps do not"):
        course_of(without)


def test_the_ends_of_a_list_are_those_for_which_nothing_waits() -> None:
    items = [FlowStep(step="a"), FlowStep(step="b", needs=()), FlowStep(step="c", needs=("a",))]
    assert sinks(waits(items)) == (1, 2)
    assert sinks(waits([FlowStep(step=str(number)) for number in range(1000)])) == (999,)
