"""The JSON Schema: it takes what the loader takes, and refuses misspellings."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from e2e_ansible.suite.schema import schema
from e2e_ansible.suite.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def test_it_takes_every_example(validator: jsonschema.Draft202012Validator, examples: list[Path]) -> None:
    for path in examples:
        found = [error.message for error in validator.iter_errors(yaml.safe_load(path.read_text()))]
        assert not found, path


GOOD: dict[str, Any] = {
    "test_suites": {
        "a": {
            "provider": "local",
            "parameters": {"cluster_size": 3},
            "workflow": [
                {
                    "step": "validate",
                    "checks": ["cluster_status", "node_status:n11:running"],
                    "retry": {"max_attempts": 3},
                },
                {"step": "crash_node", "target_node": "n11", "method": "${matrix.method}"},
                {"step": "${matrix.step}"},
            ],
        }
    }
}


def changed(path: str, value: object) -> dict[str, Any]:
    made = copy.deepcopy(GOOD)
    *outer, last = path.split("/")
    target: Any = made
    for part in outer:
        target = target[int(part) if part.isdigit() else part]
    target[int(last) if last.isdigit() else last] = value
    return made


def test_it_takes_references(validator: jsonschema.Draft202012Validator) -> None:
    assert validator.is_valid(GOOD)
    assert validator.is_valid(changed("test_suites/a/parameters/cluster_size", "${matrix.size}"))
    assert validator.is_valid(changed("test_suites/a/workflow/0/retry/max_attempts", "${variables.tries}"))
    assert validator.is_valid(changed("test_suites/a/workflow/0/checks/0", "node_status:${variables.node}"))


REFUSED = [
    ("test_suite", {}),
    ("test_suites/a b", {}),
    ("test_suites/a/keeep", "always"),
    ("test_suites/a/keep", "allways"),
    ("test_suites/a/provider", "azur"),
    ("test_suites/a/parameters/size", 3),
    ("test_suites/a/parameters/cluster_size", "3"),
    ("test_suites/a/workflow", []),
    ("test_suites/a/workflow/0/step", "validat"),
    ("test_suites/a/workflow/0/checks/0", "cluster_state"),
    ("test_suites/a/workflow/0/checks/1", "node_status:n11:runing"),
    ("test_suites/a/workflow/0/checks/1", "node_status"),
    ("test_suites/a/workflow/0/retry/attempts", 3),
    ("test_suites/a/workflow/1/methd", "ssh"),
    ("test_suites/a/workflow/1/method", "shh"),
    ("test_suites/a/workflow/1/step", "init"),
    ("test_suites/a/variables", {"a b": 1}),
]


@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_it_refuses_mistakes(path: str, value: object, validator: jsonschema.Draft202012Validator) -> None:
    assert not validator.is_valid(changed(path, value))


@pytest.mark.parametrize(
    "suite", [{}, {"workflow": []}, {"workflow": [{}]}, {"workflw": [{"step": "init"}]}, [], 5]
)
def test_it_refuses_wrong_shapes(suite: object, validator: jsonschema.Draft202012Validator) -> None:
    assert not validator.is_valid(suite)


def test_it_has_an_identity_and_describes_its_parts() -> None:
    made = schema()
    assert made["$id"] == "urn:e2e-ansible:suite"
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    steps = made["$defs"]["step"]["properties"]["step"]["anyOf"]
    assert all(step["description"] for step in steps if "const" in step)


def test_it_is_made_of_the_given_words(vocabulary: Vocabulary) -> None:
    made = schema(Vocabulary({"init": vocabulary.step_types["init"]}, {}, {"moon": {}}))
    validator = jsonschema.Draft202012Validator(made)
    assert validator.is_valid({"provider": "moon", "workflow": [{"step": "init"}]})
    assert not validator.is_valid({"provider": "local", "workflow": [{"step": "init"}]})
