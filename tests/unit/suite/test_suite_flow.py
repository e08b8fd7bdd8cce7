"""Groups, conditions and waits in a suite file: what is wrong is told at its line, with what is meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.errors import SuiteError
from e2e_ansible.suite.condition import ConditionError, parse_condition
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import Step


def command(name: str = "", *words: str, **more: Any) -> dict[str, Any]:
    head: dict[str, Any] = {"step": "custom_command", "custom_command": list(words) or ["x"], **more}
    return {**head, "name": name} if name else head


def group(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"step": "group", "steps": list(steps), **more}


def loaded(*steps: Any, **test: Any) -> tuple[Step, ...]:
    text = json.dumps({**test, "workflow": list(steps)}, indent=1)
    return parse_suite(text.encode(), "s.json").tests[0].steps


def problems(*steps: Any, **test: Any) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        loaded(*steps, **test)
    assert all(problem.line > 1 for problem in caught.value.problems)
    return [str(problem).split(": ", 1)[1] for problem in caught.value.problems]


USES = command("", "x", "${steps.a.stdout}")
MAKES = command("", "x", register="a")
UNSURE = "the step with the register 'a' may not have run before this one"


@pytest.mark.parametrize(
    "steps",
    [
        [{**MAKES, "when": "a == b"}, USES],
        [group(MAKES, when="a == b"), USES],
        [group(MAKES, USES, parallel=True)],
        [{**MAKES, "background": True}, USES],
        [group(command(), rescue=[MAKES]), USES],
        [group(MAKES, rescue=[USES])],
        [group(MAKES, **{"finally": [USES]})],
        [group(MAKES, rescue=[command()], on_rescue="continue"), USES],
    ],
)
def test_a_reference_needs_a_step_that_has_certainly_run(steps: list[Any]) -> None:
    (problem,) = problems(*steps)
    assert problem.startswith(UNSURE)


@pytest.mark.parametrize(
    "steps",
    [
        [group(MAKES, USES)],
        [group(MAKES), USES],
        [group(MAKES, parallel=True), USES],
        [group(MAKES, USES, when="a == b")],
        [group(MAKES, rescue=[command()]), USES],
        [group(command(), **{"finally": [MAKES]}), USES],
        [group({**MAKES, "background": True}), USES],
        [{**MAKES, "background": True, "name": "n"}, {"step": "wait", "for": ["n"]}, USES],
    ],
)
def test_a_reference_to_what_has_run(steps: list[Any]) -> None:
    assert loaded(*steps)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (command(when="a = b"), "unknown operator '='; did you mean '=='?"),
        (command(when="passd first"), "unknown word 'passd'; did you mean 'passed'?"),
        (
            command(when="passed frist"),
            "no step that has ended before is named 'frist' (did you mean 'first'?)",
        ),
        (command(when="${steps.a.stdout}"), "alone is no condition"),
        (
            {"step": "wait", "for": ["laod"]},
            "no step named 'laod' runs in the background here (did you mean 'load'?)",
        ),
        (
            {"step": "wait", "for": ["load"], "when": "passed first"},
            "a wait has no condition of its own; put it into a group with this 'when'",
        ),
        (group(command(), fnally=[]), "unknown key 'fnally' in step 'group' (did you mean 'finally'?)"),
        (group({"step": "stop_nod"}), "unknown step type 'stop_nod' (did you mean 'stop_node'?)"),
        (group({"step": "stop_node", "target_node": "n99"}), "this test has no node 'n99'"),
        (group(), "'steps' must have at least 1 item"),
        ({"step": "group"}, "step 'group' needs 'steps'"),
        ({"step": "group", "steps": "x"}, "'steps' must be a list"),
        (group(command(), on_rescue="continue"), "on_rescue: continue needs steps in 'rescue'"),
        (group(command(), background=True), "only a step with a playbook can run in the background"),
        (group(command(), timeout_seconds=5), "has no deadline of its own"),
        (
            group(command("c"), foreach={"x": [1, 2]}),
            "two steps have the name 'c' (put ${foreach.KEY} in it)",
        ),
        (
            group(command("", "${foreach.y}"), foreach={"x": [1]}),
            "unknown value of foreach 'y' in '${foreach.y}'",
        ),
        (group(command(), foreach={"x": []}), "must have at least 1 item"),
        (command("", "${foreach.y}"), "'${foreach.y}' cannot be used here"),
        (
            {
                "step": "hypothesis",
                "checks": ["cluster_status"],
                "during": ["custer_status"],
                "steps": [command()],
            },
            "unknown check 'custer_status' (did you mean 'cluster_status'?)",
        ),
    ],
)
def test_what_is_wrong_is_told_with_what_is_meant(step: dict[str, Any], told: str) -> None:
    found = problems(command("first"), command("load", background=True), MAKES, step)
    assert any(told in problem for problem in found), found


def test_foreach_puts_values_in_and_nests() -> None:
    inner = group(command("${foreach.a}-${foreach.b}"), foreach={"b": [1, 2]})
    (outer,) = loaded(group(inner, foreach={"a": ["x", "y"]}))
    names = [step.options.name for each in outer.parts["steps"] for step in each.parts["steps"]]
    assert names == ["x-1", "x-2", "y-1", "y-2"]


def test_in_parallel_the_steps_of_one_value_are_a_branch() -> None:
    (outer,) = loaded(group(command(), command(), foreach={"a": [1, 2, 3]}, parallel=True))
    assert [step.type for step in outer.parts["steps"]] == ["group"] * 3


@pytest.mark.parametrize("value", ["a == b", "x' in [", '"', "passed first", "[a, b]", "\\"])
def test_a_value_stays_one_text_of_its_condition(value: str) -> None:
    (step,) = loaded(command(when="${variables.v} == '${variables.v}'"), variables={"v": value})
    condition = parse_condition(str(step.options.when))
    assert (condition.op, condition.left, condition.right) == ("==", value, (value,))


@pytest.mark.parametrize(
    "text",
    [
        "a == b",
        "a!=b",
        '\'a b\' == "c\\"d"',
        "a in [b]",
        "a not in [b, 'c d', ${steps.x.rc}]",
        "passed a",
        "failed 'a'",
    ],
)
def test_a_condition_reads_what_it_writes(text: str) -> None:
    condition = parse_condition(text)
    assert parse_condition(str(condition)) == condition


@pytest.mark.parametrize(
    "text", ["", "a", "a b", "a == ", "a == b c", "a in b", "a in [", "a in [b,]", "'a", "== a", "a or b"]
)
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(ConditionError):
        parse_condition(text)
