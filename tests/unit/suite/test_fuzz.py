"""Whatever a file holds, loading it gives a suite or problems with a place."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ansible.errors import SuiteError
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import Suite
from e2e_ansible.suite.vocabulary import Vocabulary

WORDS = Vocabulary.default()
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = st.sampled_from([".yaml", ".json"])
EXAMPLES = [
    yaml.safe_load(path.read_text())
    for path in sorted((Path(__file__).parents[2] / "data" / "suites").iterdir())
]
KEY_WORDS = """
test_suites workflow step checks retry matrix variables parameters provider name register target_node
custom_command description $schema keep cluster_size requirements << ${x} a/b
"""
TEXT_WORDS = """
init validate crash_node custom_command n11 n99 node_status:n11 node_status::: cluster_status local aws ${matrix.a.x}
${matrix.a} ${variables.a} ${parameters.cluster_size} ${steps.a.rc} ${steps.a} $${x ${ ${} $$${steps. yes 010
"""
KEYS = st.sampled_from(KEY_WORDS.split())
TEXTS = st.sampled_from(TEXT_WORDS.split())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXTS,
    st.text(max_size=20),
    st.integers(10**20, 10**40),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


def outcome(content: bytes, name: str) -> Suite | None:
    """A suite, or None after problems; anything else fails the test."""
    try:
        suite = parse_suite(content, f"suite{name}", vocabulary=WORDS)
    except SuiteError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.line >= 1
            assert problem.column >= 1
            assert problem.message
            assert "\n" not in str(problem)
        return None
    assert suite.tests
    return suite


@SETTINGS
@given(st.binary(max_size=200), NAMES)
def test_any_bytes(content: bytes, name: str) -> None:
    outcome(content, name)


@SETTINGS
@given(st.text(alphabet="{}[]:,-&*!|>'\"#%@` \n\tab01.$~<?", max_size=60), NAMES)
def test_any_punctuation(text: str, name: str) -> None:
    outcome(text.encode(), name)


@SETTINGS
@given(VALUES)
def test_any_value(value: Any) -> None:
    outcome(json.dumps(value).encode(), ".json")
    outcome(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"), ".yaml")


@SETTINGS
@given(VALUES, VALUES)
def test_any_value_in_the_shape_of_a_suite(entry: Any, step: Any) -> None:
    head = entry if isinstance(entry, dict) else {"parameters": entry}
    outcome(
        json.dumps({"test_suites": {"a": {**head, "workflow": [{"step": "init"}, step]}}}).encode(), ".json"
    )


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every key or index with what it is in."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


@SETTINGS
@given(st.data())
def test_mutations_of_examples(data: st.DataObject) -> None:
    suite = copy.deepcopy(data.draw(st.sampled_from(EXAMPLES)))
    for _ in range(data.draw(st.integers(1, 3))):
        found = list(places(suite))
        if not found:
            break
        holder, key = found[data.draw(st.integers(0, len(found) - 1))]
        act = data.draw(st.sampled_from(["drop", "rename", "retype", "misspell"]))
        old = holder.pop(key) if act != "retype" else None
        if act == "retype":
            holder[key] = data.draw(VALUES)
        elif act == "rename" and isinstance(holder, dict):
            holder[data.draw(KEYS)] = old
        elif act == "misspell" and isinstance(holder, dict):
            holder[f"{key}x"] = old
    outcome(json.dumps(suite).encode(), data.draw(NAMES))


@pytest.mark.parametrize("value", EXAMPLES)
def test_examples_are_fuzzed_from_good_ones(value: Any) -> None:
    assert outcome(json.dumps(value).encode(), ".json") is not None
