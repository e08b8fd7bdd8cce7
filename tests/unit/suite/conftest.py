"""What the tests of the loader share: a way to load a text, and to see its problems."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite_texts import Load, Problems

from e2e_ansible.errors import SuiteError
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import Suite
from e2e_ansible.suite.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary.default()


@pytest.fixture(scope="session")
def examples() -> list[Path]:
    return sorted((Path(__file__).parents[2] / "data" / "suites").iterdir())


@pytest.fixture
def load(vocabulary: Vocabulary) -> Load:
    def loaded(text: str | bytes, name: str = "suite.yaml", **options: object) -> Suite:
        content = text.encode() if isinstance(text, str) else text
        return parse_suite(content, name, vocabulary=vocabulary, **options)  # type: ignore[arg-type]

    return loaded


@pytest.fixture
def problems(load: Load) -> Problems:
    def found(text: str | bytes, name: str = "suite.yaml", **options: object) -> list[str]:
        with pytest.raises(SuiteError) as raised:
            load(text, name, **options)
        return [str(problem) for problem in raised.value.problems]

    return found
