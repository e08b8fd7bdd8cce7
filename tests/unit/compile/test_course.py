"""The graph of a plan: who waits for whom, levels, the longest path, and edges that lead nowhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.course import Course, course_of, is_graph, sinks, waits
from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, FlowWait, Plan
from e2e_ansible.errors import HarnessError, SuiteError
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary

WORDS = Vocabulary.default()


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


def test_a_wait_in_a_group_is_for_what_began_before_the_group_as_well(words: Vocabulary) -> None:
    wait = {"step": "wait", "for": ["a"]}
    inner = group(after("b"), group(wait, after("c")), after("d"))
    course = course_of(planned(words, after("a", background=True), inner, after("e")))
    assert edges(course) == {"a": "", "b": "", "c": "b a", "d": "c", "e": "d"}
    beside = group(group(wait, after("b")), after("c"), parallel=True)
    both = course_of(planned(words, after("a", background=True), beside, after("d")))
    assert edges(both) == {"a": "", "b": "a", "c": "", "d": "b c"}


def test_what_removes_the_nodes_begins_when_nothing_runs_beside_it(words: Vocabulary) -> None:
    steps = [after("a", background=True), after("b", background=True), {"step": "wait", "for": ["b"]}]
    course = course_of(planned(words, *steps, {"step": "destroy"}))
    assert edges(course) == {"a": "", "b": "", "destroy": "b a"}
    assert len(course.longest({node.step: 1.0 for node in course.nodes})[0]) == 2


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


# ---- against a run that is only clocked


class Drawn:
    """A flow as somebody might write it: lists with and without needs, groups, steps beside others, waits for them."""

    def __init__(self, data: st.DataObject) -> None:
        self.data, self.made = data, 0

    def chosen(self, *kinds: str) -> str:
        return self.data.draw(st.sampled_from(kinds))

    def name(self) -> str:
        self.made += 1
        return f"s{self.made}"

    def items(self, depth: int, running: Sequence[list[str]] = ()) -> list[Any]:
        """A list; what is `running` in the lists around it may be waited for in it, once."""
        begun, needed, made = list[str](), list[str](), list[Any]()
        for _ in range(self.data.draw(st.integers(1, 4))):
            some = [names for names in (*running, begun) if names]
            kinds = ["step", "needs", "beside", *(["wait"] if some else []), *(["group"] if depth else [])]
            kind, name = self.chosen(*kinds), self.name()
            if kind == "wait":
                made.append({"step": "wait", "for": [some[0].pop()]})
            elif kind == "beside":
                made.append(after(name, background=True))
                begun.append(name)
            elif kind == "group" and self.data.draw(st.booleans()):
                branches = [group(*self.items(depth - 1)) for _ in range(2)]
                made.append(group(*branches, parallel=True, name=name))
                needed.append(name)
            elif kind == "group":
                made.append(group(*self.items(depth - 1, (*running, begun)), name=name))
                needed.append(name)
            else:
                needs = self.data.draw(st.lists(st.sampled_from(needed), unique=True)) if needed else []
                made.append(self.act(name) | ({"needs": needs} if kind == "needs" else {}))
                needed.append(name)
        return made

    def act(self, name: str) -> dict[str, Any]:
        return after(name)


class Struck(Drawn):
    """The same, in which nodes are stopped and started."""

    def act(self, name: str) -> dict[str, Any]:
        kind = self.chosen("custom_command", "stop_node", "start_node")
        if kind == "custom_command":
            return after(name)
        return {"step": kind, "name": name, "target_node": self.chosen("n11", "n12")}


class Clock:
    """When each item ends, by the rules of a run in so many words; no graph is made."""

    def __init__(self, plan: Plan, seconds: Mapping[str, float]) -> None:
        self.seconds, self.beside = seconds, {step.id for step in plan.steps if step.background}
        self.begun: dict[str, float] = {}
        self.over: dict[str, float] = {}

    def list(self, items: Sequence[FlowItem], now: float) -> float:
        ends: dict[int, float] = {}
        places = {item.id: place for place, item in enumerate(items) if item.id}
        for place, item in enumerate(items):
            before = range(place) if item.needs is None else [places[name] for name in item.needs]
            ends[place] = self.item(item, max([now, *(ends[each] for each in before)]))
        own = [self.over[item.id] for item in items if item.id in self.beside]
        return max([now, *ends.values(), *own])

    def item(self, item: FlowItem, now: float) -> float:
        if isinstance(item, FlowWait):
            return max([now, *(self.over[step] for step in item.steps)])
        if isinstance(item, FlowGroup):
            return (
                max(self.list([each], now) for each in item.body)
                if item.parallel
                else self.list(item.body, now)
            )
        self.begun[item.step], self.over[item.step] = now, now + self.seconds[item.step]
        return now if item.step in self.beside else self.over[item.step]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_the_longest_path_takes_as_long_as_a_run_of_the_flow(data: st.DataObject) -> None:
    plan = planned(WORDS, *Drawn(data).items(2))
    seconds = {step.id: float(data.draw(st.integers(1, 9))) for step in plan.steps}
    path, total = course_of(plan).longest(seconds)
    assert total == Clock(plan, seconds).list(plan.items, 0.0)
    assert total == sum(seconds[step] for step in path)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_node_is_down_where_compiling_did_not_see_that_it_may_be(data: st.DataObject) -> None:
    """A node is down from when it begins to be stopped until it has been started. No two moments are the same."""
    try:
        plan = planned(WORDS, {"step": "deploy"}, *Struck(data).items(2))
    except SuiteError as error:
        assert "that run at the same time" in str(error)
        return
    seconds = {step.id: data.draw(st.integers(1, 9)) + 2.0**-step.index for step in plan.steps}
    clock = Clock(plan, seconds)
    clock.list(plan.items, 0.0)
    stopped = [(clock.begun[step.id], *step.hosts) for step in plan.steps if step.type == "stop_node"]
    started = [(clock.over[step.id], *step.hosts) for step in plan.steps if step.type == "start_node"]
    for step in plan.steps:
        now = clock.begun[step.id]
        acts = sorted(
            [(at, node, True) for at, node in stopped if at < now]
            + [(at, node, False) for at, node in started if at <= now]
        )
        last = {node: down for _, node, down in acts}
        assert {node for node, down in last.items() if down} <= {*step.judgement.away}, step.id
