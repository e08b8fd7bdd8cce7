"""How long a step may take in a test of a time class, and what a step without words of its own is about."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from e2e_ansible.compile.bounds import in_time, limit_of, most_seconds
from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.course import course_of
from e2e_ansible.compile.plan import Plan
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary


def command(name: str, **more: Any) -> dict[str, Any]:
    return {"step": "custom_command", "name": name, "custom_command": ["x"], **more}


def planned(words: Vocabulary, *steps: Any, parameters: Any = None, **more: Any) -> Plan:
    text = json.dumps({"workflow": list(steps), "parameters": parameters or {}, **more})
    (made,) = compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)
    return made


def most(plan: Plan) -> Mapping[str, float]:
    return {step.id.partition("-")[2]: most_seconds(plan, step) for step in plan.steps}


def test_a_step_may_not_take_longer_than_its_class_has(words: Vocabulary) -> None:
    steps = [command("long", timeout_seconds=4000), command("short", timeout_seconds=20)]
    plan = planned(words, *steps, time_class="fast")
    assert most(plan) == {"long": 300, "short": 20}
    assert [step.deadline_seconds for step in plan.steps] == [4000, 20]
    assert limit_of(plan) == 300


def test_without_a_class_its_deadline_is_all_it_has(words: Vocabulary) -> None:
    plan = planned(words, command("long", timeout_seconds=4000))
    assert most(plan) == {"long": 4000}
    assert limit_of(plan) == math.inf
    assert in_time(plan) == frozenset()


def test_what_runs_in_any_case_is_not_held_to_it(words: Vocabulary) -> None:
    inner = {"step": "group", "steps": [command("deep", timeout_seconds=4000)]}
    beside = command("beside", timeout_seconds=4000, background=True)
    last = [command("last", timeout_seconds=4000), inner, beside, {"step": "wait", "for": ["beside"]}]
    body = {"step": "group", "steps": [command("first", timeout_seconds=4000)], "finally": last}
    plan = planned(words, body, time_class="fast")
    assert most(plan) == {"first": 300, "last": 4000, "deep": 4000, "beside": 4000}


def test_the_longest_path_has_no_more_than_the_class(words: Vocabulary) -> None:
    steps = [
        command("a", timeout_seconds=200, needs=[]),
        command("b", timeout_seconds=200, needs=["a"]),
        command("c", timeout_seconds=50, needs=[]),
    ]
    path, seconds = course_of(planned(words, *steps, time_class="fast")).at_most()
    assert ([step.partition("-")[2] for step in path], seconds) == (["a", "b"], 300)
    assert course_of(planned(words, *steps)).at_most()[1] == 400


@pytest.mark.parametrize(
    ("step", "about"),
    [
        ({"step": "install", "service": "postgresql"}, "PostgreSQL"),
        ({"step": "install", "service": "redis"}, "Redis"),
        ({"step": "build_artifact", "artifact": "stroppy"}, "Stroppy"),
        ({"step": "load_artifact", "artifact": "packages", "packages": ["a1", "b2"]}, "a1, b2"),
        (
            {"step": "build_artifact", "artifact": "packages", "packages": ["a1", "b2", "c3", "d4"]},
            "a1 and 3 more",
        ),
        ({"step": "run_pgbench", "builtin": "select-only"}, "select-only"),
        ({"step": "run_stroppy", "workload": "tpcc/tx"}, "tpcc/tx"),
        ({"step": "run_load", "tool": "pgbench", "command": ["x"]}, "pgbench"),
        ({"step": "run_load", "tool": "pgbench", "command": ["x"], "workload": "reads"}, "pgbench: reads"),
        (command(""), ""),
    ],
)
def test_a_step_without_words_of_its_own_says_what_it_is_about(
    words: Vocabulary, step: Mapping[str, Any], about: str
) -> None:
    parameters = {"cluster_size": 1, "database": "standalone", "clients": 1, "admin_ui": False}
    written = {key: value for key, value in step.items() if value != ""}
    plan = planned(words, {"step": "create_nodes"}, written, parameters=parameters)
    made = plan.steps[-1]
    assert made.description == about
    assert made.id == f"02-{step['step'].replace('_', '-')}"
    text = plan.files[made.playbook].splitlines()
    assert any(line.endswith(f"step {made.id}: {about}" if about else f"step {made.id}") for line in text)


@pytest.mark.parametrize(("own", "says"), [({"name": "mine"}, ""), ({"description": "For us"}, "For us")])
def test_words_of_the_suite_are_enough(words: Vocabulary, own: Mapping[str, str], says: str) -> None:
    step = {"step": "install", "service": "postgresql", **own}
    parameters = {"cluster_size": 1, "database": "standalone", "admin_ui": False}
    plan = planned(words, {"step": "create_nodes"}, step, parameters=parameters)
    assert plan.steps[-1].description == says
