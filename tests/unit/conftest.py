"""What holds for every unit test: no test sees, or changes, what this machine has of e2e-ansible."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def home_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where deployments are recorded and quotas are reserved."""
    return str(tmp_path_factory.mktemp("home"))


@pytest.fixture(autouse=True)
def _a_home_of_its_own(home_of_the_session: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("E2E_ANSIBLE_HOME", home_of_the_session)
        patch.delenv("E2E_BUDGET", raising=False)
        yield
