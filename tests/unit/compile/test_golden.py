"""Every suite in tests/golden compiles to the files beside it, byte for byte, and together they use all there is.

After a change that is meant: `python -m pytest tests/unit/compile --renew-golden`, then look at
`git diff tests/golden`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import golden_cases as golden
import pytest
from pydantic import BaseModel

from e2e_ansible.compile.plan import Plan
from e2e_ansible.suite.complaint import field_names
from e2e_ansible.suite.model import Requirements, Retry
from e2e_ansible.suite.model import TestEntry as Entry
from e2e_ansible.suite.parameters import Parameters
from e2e_ansible.suite.vocabulary import Vocabulary

SCHEMA = Path(__file__).parents[3] / "docs" / "schema" / "suite.schema.json"
RENEW = "python -m pytest tests/unit/compile --renew-golden"


@pytest.mark.parametrize("case", golden.CASES)
def test_a_suite_compiles_to_its_files(case: str, words: Vocabulary, renew_golden: bool) -> None:
    made = golden.contents(golden.plan(case, words))
    if renew_golden:
        golden.renew(case, made)
    found = golden.on_disk(case)
    assert sorted(made) == sorted(found), f"other files than in tests/golden/{case}/.plan; if meant: {RENEW}"
    for name, text in made.items():
        assert text == found[name], f"tests/golden/{case}/.plan/{name} differs; if meant: {RENEW}"


@pytest.mark.parametrize("case", golden.CASES)
def test_a_plan_can_be_read_back(case: str, words: Vocabulary) -> None:
    made = golden.plan(case, words)
    read = Plan.model_validate_json(golden.on_disk(case)["plan.json"])
    assert read == made.model_copy(update={"files": {}})
    assert read.model_copy(update={"files": made.files}).hash == made.hash


@pytest.mark.parametrize("case", golden.CASES)
def test_a_suite_names_its_schema(case: str) -> None:
    path = golden.suite_file(case)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    reference = golden.raw(case).get("$schema") or first.partition("$schema=")[2]
    assert path.parent.joinpath(reference).resolve() == SCHEMA


def every_test() -> Iterator[Any]:
    for case in golden.CASES:
        suite = golden.raw(case)
        yield from suite.get("test_suites", {case: suite}).values()


def every_step() -> Iterator[Any]:
    for test in every_test():
        yield from steps_below(test["workflow"])


def steps_below(steps: Any) -> Iterator[Any]:
    for step in steps:
        if isinstance(step, str):
            continue  # of Stroppy
        yield step
        for key in ("steps", "rescue", "finally"):
            yield from steps_below(step.get(key, ()))


def test_every_option_of_every_step_type_is_in_some_suite(words: Vocabulary) -> None:
    used = {(step["step"], key) for step in every_step() for key in step}
    common = {key for _, key in used} & {
        "name",
        "description",
        "timeout_seconds",
        "when",
        "background",
        "phase",
        "needs",
    }
    missing = [
        f"{name}: {key}"
        for name, step_type in words.step_types.items()
        for key in field_names(step_type.options)
        if (name, key) not in used and key not in common
    ]
    assert not missing, "make a case in tests/golden that uses these"


def test_every_check_is_in_some_suite(words: Vocabulary) -> None:
    used = {text.partition(":")[0] for step in every_step() for text in step.get("checks", ())}
    assert used == set(words.checks)


@pytest.mark.parametrize(
    ("model", "key"),
    [(Entry, ""), (Parameters, "parameters"), (Requirements, "requirements"), (Retry, "retry")],
)
def test_every_field_of_a_test_is_in_some_suite(model: type[BaseModel], key: str) -> None:
    holders = [*every_test(), *every_step()]
    used = {name for holder in holders for name in (holder.get(key, {}) if key else holder)}
    assert set(field_names(model)) <= used
