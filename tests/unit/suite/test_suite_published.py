"""What is published about suites is what the code says now: the JSON Schema, the reference, the suites."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from e2e_ansible.checks.base import Check, passed
from e2e_ansible.providers.capabilities import Requirement
from e2e_ansible.providers.registry import provider_names
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.manual import manual, page
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.suite.schema import schema
from e2e_ansible.suite.vocabulary import Vocabulary

REPOSITORY = Path(__file__).parents[3]
PAGE = REPOSITORY / "docs" / "suites.md"
SCHEMA = REPOSITORY / "docs" / "schema" / "suite.schema.json"
SUITES = sorted(
    path
    for pattern in ("suites/**/*", "tests/golden/*/suite.*")
    for path in REPOSITORY.glob(pattern)
    if path.suffix in (".yml", ".yaml", ".json")
)


def test_the_schema_is_published() -> None:
    made = json.dumps(schema(), indent=2) + "\n"
    assert SCHEMA.read_text() == made, "renew it: e2e-ansible schema > docs/schema/suite.schema.json"


def test_every_key_has_a_description() -> None:
    def missing(node: Any, path: str) -> list[str]:
        if isinstance(node, list):
            return [found for item in node for found in missing(item, path)]
        if not isinstance(node, dict):
            return []
        own = [
            f"{path}/{key}"
            for key, item in node.get("properties", {}).items()
            if isinstance(item, dict) and not item.get("description") and not path.endswith("/if")
        ]
        return own + [found for key, item in node.items() for found in missing(item, f"{path}/{key}")]

    assert missing(schema(), "") == []


@pytest.mark.parametrize("path", SUITES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_suite_names_the_schema_and_agrees_with_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    suite = yaml.safe_load(text)
    named = suite.get("$schema") or text.splitlines()[0].partition("# yaml-language-server: $schema=")[2]
    assert path.parent.joinpath(named).resolve() == SCHEMA
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert [error.message for error in validator.iter_errors(suite)] == []
    assert validator.is_valid({"$schema": "x", **suite})


def test_the_reference_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "renew it: python -m e2e_ansible.suite.manual > docs/suites.md"


def test_the_reference_has_every_table() -> None:
    assert "<!-- " not in PAGE.read_text().partition("\n")[2]


def blocks() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", blocks())
def test_the_examples_of_the_reference_are_right(block: str) -> None:
    found = yaml.safe_load(block)
    suite = {"workflow": found} if isinstance(found, list) else found
    assert parse_suite(json.dumps(suite).encode(), "example.json").tests


def test_its_links_lead_somewhere() -> None:
    text = PAGE.read_text()
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in text.splitlines() if line[:1] == "#"}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert PAGE.parent.joinpath(target.partition("#")[0]).exists()


class Strange(StepType[StepOptions]):
    """A step type with an option that nobody can guess."""

    class Options(StepOptions):
        """Of it."""

        speed: float
        odd: dict[str, int] | None = None

    name = "strange"
    summary = "For | tests"
    options = Options

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        raise NotImplementedError


def test_words_of_others_are_in_it(vocabulary: Vocabulary) -> None:
    check = Check("moon", "Up", lambda *_: passed(""), ("a", "b"), 1, choices={"a": ["x"]})
    words = Vocabulary({"strange": Strange()}, {"moon": check}, {"mars": {}})
    text = manual(
        words, provider_names(), "<!-- steps -->\n<!-- options -->\n<!-- checks -->\n<!-- power -->"
    )
    assert "| [`strange`](#strange) | For \\| tests |  |" in text
    assert "| `speed` | number | required |  |" in text
    assert "| `odd` | mapping |  |  |" in text
    assert "| `moon:A[:B]` | Up; A is `x` |" in text
    assert "| `mars` (plan only) |" + " **no** |" * len(Requirement) in text
