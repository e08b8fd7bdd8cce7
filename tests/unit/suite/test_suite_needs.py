"""What a suite may say in `needs`, and what is told of what it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.errors import SuiteError
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import Step
from e2e_ansible.suite.order import behind, direct


def command(name: str = "", *words: str, **more: Any) -> dict[str, Any]:
    head: dict[str, Any] = {"step": "custom_command", "custom_command": list(words) or ["x"], **more}
    return {**head, "name": name} if name else head


def group(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"step": "group", "steps": list(steps), **more}


def loaded(*steps: Any, **test: Any) -> tuple[Step, ...]:
    text = json.dumps({**test, "workflow": list(steps)}, indent=1)
    return parse_suite(text.encode(), "s.json").tests[0].steps


def problems(*steps: Any, **test: Any) -> list[str]:
    """Message and hint of each problem."""
    with pytest.raises(SuiteError) as caught:
        loaded(*steps, **test)
    assert all(problem.file == "s.json" and problem.line > 1 for problem in caught.value.problems)
    return [f"{problem.message} ({problem.hint})" for problem in caught.value.problems]


def test_an_empty_need_is_told_once() -> None:
    (problem,) = problems(command("a"), command(needs=[""]))
    assert "item 1 of 'needs' cannot be ''" in problem


def test_needs_are_names_or_nothing_or_left_out() -> None:
    a, b, c = loaded(command("a"), command("b", needs=[]), command("c", needs=["a", "b"]))
    assert (a.options.needs, b.options.needs, c.options.needs) == (None, (), ("a", "b"))


@pytest.mark.parametrize(
    ("steps", "message", "hint"),
    [
        (
            [command("load"), command("b", needs=["laod"])],
            "no step named 'laod' comes before",
            "did you mean 'load'",
        ),
        ([command(), command("b", needs=["a"])], "no step named 'a' comes before", "a 'name'"),
        ([command("a", needs=["b"]), command("b")], "step 'b' comes later", "before this one"),
        ([command("a", needs=["a"])], "step 'a' needs itself", "leave the name out"),
        (
            [group(command("a")), command("b", needs=["a"])],
            "no step named 'a' comes before",
            "in another list",
        ),
        (
            [command("a"), group(command("b", needs=["a"]))],
            "no step named 'a' comes before",
            "in another list",
        ),
        (
            [command("a", background=True), command("b", needs=["a"])],
            "step 'a' runs in the background, so nothing can need it",
            "leave its 'background' out",
        ),
        (
            [
                command("a", background=True),
                {"step": "wait", "for": ["a"], "name": "w"},
                command("b", needs=["w"]),
            ],
            "step 'w' is a 'wait', and nothing can need one",
            "leave 'needs' out here",
        ),
        (
            [group(command("a"), command("b", needs=["a"]), parallel=True)],
            "the steps of a parallel group begin at once",
            "without 'parallel'",
        ),
        (
            [command("a", phase="one"), command("b", phase="two", needs=["a"])],
            "a step of a test with phases cannot say 'needs'",
            "in a group of its phase",
        ),
        ([command("a", needs=[3])], "item 1 of 'needs' must be text, not 3", ""),
        ([command("a", needs="b")], "", ""),
        (
            [command("a", background=True), {"step": "wait", "for": ["a"], "needs": []}],
            "a wait says with 'for' what it waits for",
            "",
        ),
    ],
)
def test_what_cannot_be_needed_is_told(steps: list[Any], message: str, hint: str) -> None:
    (problem,) = problems(*steps)
    assert message in problem or not message
    assert hint in problem


def test_the_place_is_that_of_the_name() -> None:
    text = '{"workflow": [\n{"step": "init", "name": "a"},\n{"step": "deploy", "needs": ["a",\n  "b"]}]}'
    with pytest.raises(SuiteError) as caught:
        parse_suite(text.encode(), "s.json")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (4, 3)


def test_all_of_them_are_told_at_once() -> None:
    assert len(problems(command("a"), command("b", needs=["x", "c"]), command("c", needs=["c"]))) == 3


@pytest.mark.parametrize(
    "steps",
    [
        [command("a"), group(command("b"), name="g", needs=[]), command("c", needs=["g", "a"])],
        [group(group(command("a"), command("b", needs=["a"])), parallel=True)],
        [group(command(), rescue=[command("a"), command("b", needs=["a"])])],
        [group(command(), **{"finally": [command("a"), command("b", needs=["a"])]})],
        [command("a"), command("b", needs=["a"], background=True), {"step": "wait", "for": ["b"]}],
        [group(command("a"), command("b", needs=["a"]), phase="one")],
        [command("a"), command("b", needs=["a"]), command(phase="one")],
    ],
)
def test_where_needs_can_be_said(steps: list[Any]) -> None:
    loaded(*steps)


def test_names_of_repeated_steps_are_needed_by_their_values() -> None:
    steps = [command("a-${foreach.n}"), command("b-${foreach.n}", needs=["a-${foreach.n}"])]
    (made,) = loaded(group(*steps, foreach={"n": ["x", "y"]}))
    assert [step.options.needs for step in made.parts["steps"]] == [None, ("a-x",), None, ("a-y",)]
    (made,) = loaded(group(*steps, foreach={"n": ["x", "y"]}, parallel=True))
    assert [[step.options.needs for step in one.parts["steps"]] for one in made.parts["steps"]] == [
        [None, ("a-x",)],
        [None, ("a-y",)],
    ]


# ---- what has certainly run before


MAKES = command("a", "x", register="a")


def uses(**more: Any) -> dict[str, Any]:
    return command("", "x", "${steps.a.stdout}", **more)


def test_output_is_there_of_what_is_needed_and_of_what_that_needs() -> None:
    loaded(MAKES, command("b", needs=["a"]), uses(needs=["b"]))
    loaded(MAKES, command("b", needs=[]), uses())
    loaded(group(MAKES, name="g"), command("b", needs=[]), uses(needs=["g"]))


@pytest.mark.parametrize("needs", [[], ["b"]])
def test_output_of_what_may_run_beside_is_not_there(needs: list[str]) -> None:
    (problem,) = problems(MAKES, command("b", needs=[]), uses(needs=needs))
    assert problem.startswith("the step with the register 'a' may not have run before this one")


def test_a_condition_asks_only_for_what_has_ended() -> None:
    loaded(command("a"), command("b", needs=["a"], when="passed a"))
    text = json.dumps(
        {"workflow": [command("a"), command("n", needs=[]), command("b", needs=["n"], when="passed a")]}
    )
    with pytest.raises(SuiteError, match="no step that has ended before is named 'a'"):
        parse_suite(text.encode(), "s.json")


def test_the_order_of_a_list() -> None:
    waits = direct(["a", "b", "", "d"], [None, [], None, ["a", "d", "none"]])
    assert waits == (frozenset(), frozenset(), frozenset({0, 1}), frozenset({0}))
    assert behind((frozenset(), frozenset({0}), frozenset({1}))) == (
        frozenset(),
        frozenset({0}),
        frozenset({0, 1}),
    )
