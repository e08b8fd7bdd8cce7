"""A wrong fault, option, target or heal is told when the suite is read, at its place, with the nearest right word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.errors import Problem, SuiteError, UnsupportedSteps
from e2e_ansible.suite.load import parse_suite

CUT = {"step": "fault", "name": "cut", "fault": "partition", "target": "n12"}


def problems(*steps: Any, **test: Any) -> tuple[Problem, ...]:
    """What is wrong; a key a line."""
    parameters = {"cluster_size": 3, "database": "replication", **test.pop("parameters", {})}
    text = json.dumps({"parameters": parameters, **test, "workflow": [{"step": "deploy"}, *steps]}, indent=1)
    try:
        parse_suite(text.encode(), "s.json")
    except SuiteError as error:
        lines = text.splitlines()
        assert all(lines[problem.line - 1].strip() for problem in error.problems)
        return tuple(error.problems)
    return ()


def heal(name: str) -> dict[str, str]:
    return {"step": "heal", "fault": name}


def only(found: tuple[Problem, ...]) -> str:
    (problem,) = found
    return f"{problem.message}; {problem.hint}"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"fault": "partion"}, "'fault': there is no fault named 'partion'; did you mean 'partition'?; "),
        (
            {"options": {"direktion": "in"}},
            "unknown key 'direktion' in fault 'partition'; did you mean 'direction'?",
        ),
        (
            {"options": {"direction": "inn"}},
            "'direction' must be 'both', 'in' or 'out', not 'inn'; did you mean 'in'?",
        ),
        (
            {"fault": "corruption"},
            "fault 'corruption' needs 'relation'; Table or index, with its schema if need be",
        ),
        ({"target": "primery"}, "there is no target 'primery'; did you mean 'primary'?"),
        ({"target": "label:databse"}, "there is no target 'label:databse'; did you mean 'label:database'?"),
        (
            {"target": "label:client"},
            "there is no target 'label:client'; known: all, label:database, label:setup_software, majority, "
            "minority, "
            "n11, n12, n13, one, primary, random, replica",
        ),
        ({"target": "n19"}, "this test has no node 'n19'; its nodes are n11 to n13"),
        ({"target": "random:4"}, "target 'random:4' needs at least 4 nodes; this test has 3"),
    ],
)
def test_a_wrong_fault_is_told(more: dict[str, Any], said: str) -> None:
    assert only(problems({**CUT, **more})) == said


@pytest.mark.parametrize(
    "target", ["n12", "label:database", "all", "primary", "replica", "minority", "random:3"]
)
def test_a_right_target_is_taken(target: str) -> None:
    assert problems({**CUT, "target": target}) == ()


@pytest.mark.parametrize(
    ("target", "size", "said"),
    [
        ("replica", 3, "no node of this test is the replica; its database is standalone: name a node"),
        ("primary", 3, "no node of this test is the primary; its database is standalone: name a node"),
        ("replica", 1, "target 'replica' needs at least 2 nodes; this test has 1"),
        ("minority", 2, "target 'minority' needs at least 3 nodes; this test has 2"),
    ],
)
def test_a_cluster_without_such_a_node_is_told(target: str, size: int, said: str) -> None:
    parameters = {"cluster_size": size, "database": "standalone"}
    assert only(problems({**CUT, "fault": "kill", "target": target}, parameters=parameters)) == said


def test_a_node_alone_is_its_primary() -> None:
    parameters = {"cluster_size": 1, "database": "standalone"}
    assert problems({**CUT, "fault": "kill", "target": "primary"}, parameters=parameters) == ()


@pytest.mark.parametrize("fault", ["clock_jump", "latency", "disk_slow", "panic"])
def test_what_needs_a_machine_is_refused_of_containers(fault: str) -> None:
    step = {**CUT, "fault": fault}
    assert "provider 'local' cannot do faults of the kernel; its containers share" in only(problems(step))
    assert problems(step, provider="libvirt") == ()


def test_pressure_that_the_controller_would_feel_is_refused() -> None:
    step = {**CUT, "fault": "memory_pressure"}
    assert problems({**step, "options": {"mb": 512}}) == ()
    assert "cannot do faults of the kernel" in only(problems({**step, "options": {"mb": 513}}))
    text = json.dumps({"workflow": [{**CUT, "target": "n11", "fault": "panic"}]})
    with pytest.raises(UnsupportedSteps):
        parse_suite(text.encode(), "s.json")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([CUT, heal("cutt")], "no fault before is named 'cutt'; did you mean 'cut'?"),
        ([heal("cut"), CUT], "no fault before is named 'cut'; no fault is before it"),
        ([CUT, heal("kill")], "no fault before is named 'kill'; "),
    ],
)
def test_a_heal_of_nothing_is_told(steps: list[Any], said: str) -> None:
    assert only(problems(*steps)).startswith(said)


@pytest.mark.parametrize("name", ["cut", "partition", "all"])
def test_a_heal_by_name_kind_or_all_is_taken(name: str) -> None:
    assert problems(CUT, heal(name)) == ()
    inside = {"step": "group", "steps": [CUT], "finally": [heal(name)]}
    assert problems(inside) == ()


def test_a_fault_that_cannot_be_read_hides_no_heal() -> None:
    assert "expires_seconds" in only(problems({**CUT, "expires_seconds": 1, "for_seconds": 2}, heal("cut")))
