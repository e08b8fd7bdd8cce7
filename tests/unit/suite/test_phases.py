"""Phases, sites and contexts of a suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible import api
from e2e_ansible.errors import SuiteError
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.model import Suite

ECHO: dict[str, Any] = {"step": "custom_command", "custom_command": ["echo", "${context.primary}"]}
SITES = {"sites": {"east": 1, "west": 2}, "database": "patroni", "admin_ui": False}


def load(folder: Path, steps: list[dict[str, Any]], contexts: Any = None, **parameters: Any) -> Suite:
    path = folder / "suite.json"
    test = {"parameters": {**SITES, **parameters}, "workflow": steps}
    path.write_text(json.dumps({"test_suites": {"t": test}}))
    return load_suite(path, contexts=contexts)


def problems(folder: Path, steps: list[dict[str, Any]], contexts: Any = None, **parameters: Any) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        load(folder, steps, contexts, **parameters)
    return [f"{each.message}; {each.hint}" for each in caught.value.problems]


def test_sites_are_labels_of_their_nodes(tmp_path: Path) -> None:
    (plan,) = api.plan(load(tmp_path, [{"step": "init"}], clients=1))
    assert {node.name: node.labels for node in plan.nodes} == {
        "n11": ("database", "east", "setup_software"),
        "n12": ("database", "west", "setup_software"),
        "n13": ("database", "west", "setup_software"),
        "c11": ("client", "run_stroppy", "setup_software"),
    }


@pytest.mark.parametrize(
    ("contexts", "primary", "word"),
    [(None, "n11", "east"), (("east", "west"), "n11", "east"), (("west", "east"), "n12", "west")],
)
def test_contexts_say_who_is_primary(tmp_path: Path, contexts: Any, primary: str, word: str) -> None:
    (plan,) = api.plan(load(tmp_path, [{**ECHO, "target_node": "n11"}], contexts))
    assert plan.primary == primary
    assert plan.contexts == (contexts or ("east", "west"))
    assert f"!unsafe {word}" in plan.files["playbooks/01-custom-command.yml"]


def test_steps_of_a_group_have_its_phase(tmp_path: Path) -> None:
    group = {"step": "group", "phase": "two", "steps": [{"step": "validate", "checks": ["cluster_status"]}]}
    steps = [{"step": "init"}, {**ECHO, "phase": "one"}, group, {"step": "destroy"}]
    (plan,) = api.plan(load(tmp_path, steps))
    assert [step.phase for step in plan.steps] == ["", "one", "two", ""]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (
            [{**ECHO, "phase": "a"}, {**ECHO, "phase": "b"}, {**ECHO, "phase": "a"}],
            "the steps of phase 'a' do not follow one another; its first step is on line 1",
        ),
        (
            [{**ECHO, "phase": "a"}, ECHO, {**ECHO, "phase": "b"}],
            "this step has no phase and stands between steps that have one;"
            " steps before the first phase are done once, and so are those after the last",
        ),
        (
            [{"step": "group", "steps": [{**ECHO, "phase": "a"}]}],
            "a step in a group has the phase of the group; say it there",
        ),
    ],
)
def test_phases_that_cannot_be(tmp_path: Path, steps: list[dict[str, Any]], problem: str) -> None:
    assert problems(tmp_path, steps) == [problem]


@pytest.mark.parametrize(
    ("parameters", "contexts", "problem"),
    [
        ({"cluster_size": 2}, None, "they have 3 nodes together, and cluster_size is 2"),
        ({"database": "replication"}, None, "it is for database: patroni"),
        ({"sites": {"east": 1}}, None, "at least 2"),
        ({"sites": {"database": 1, "west": 1}}, None, "cannot be the name of a site"),
        ({}, ("easst", "west"), "this test has no context 'easst'; did you mean 'east'?"),
        ({}, ("east", "east"), "both contexts are 'east'"),
        ({"sites": None}, ("east", "west"), "only tests with the parameter 'sites' have contexts"),
    ],
)
def test_sites_that_cannot_be(
    tmp_path: Path, parameters: dict[str, Any], contexts: Any, problem: str
) -> None:
    found = problems(tmp_path, [{"step": "init"}], contexts, **parameters)
    assert problem in "\n".join(found)
