"""The option that writes the golden files anew, and the words of all suites here."""

from __future__ import annotations

import pytest

from e2e_ansible.suite.vocabulary import Vocabulary


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renew-golden",
        action="store_true",
        help="write tests/golden/*/.plan anew; look at the difference before you commit it",
    )


@pytest.fixture
def renew_golden(pytestconfig: pytest.Config) -> bool:
    # Unknown where pytest was given another path and found this file only later.
    return bool(pytestconfig.getoption("--renew-golden", default=False))


@pytest.fixture(scope="session")
def words() -> Vocabulary:
    return Vocabulary.default()
