"""The fixtures. What is behind them is imported by the first test that asks for one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from e2e_ansible.errors import E2EError
from e2e_ansible.pytest_plugin.sharing import harness_of

if TYPE_CHECKING:
    from e2e_ansible.pytest_plugin.cluster import Cluster
    from e2e_ansible.pytest_plugin.results import Results
    from e2e_ansible.pytest_plugin.running import SuiteRunner

__all__ = ["e2e_cluster", "e2e_results", "e2e_run", "primary_context", "secondary_context"]


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    return config.getini("e2e_cluster_scope")


@contextmanager
def _plainly() -> Iterator[None]:
    """What was raised on purpose is told without a traceback."""
    try:
        yield
    except E2EError as error:
        _fail(error)


def _fail(error: E2EError) -> NoReturn:
    from e2e_ansible.pytest_plugin.failure import error_text

    pytest.fail(error_text(error), pytrace=False)


def _context(request: pytest.FixtureRequest, index: int) -> str:
    with _plainly():
        contexts = harness_of(request.config).settings.contexts
    if contexts is None:
        pytest.skip(
            "no contexts: give --primary-context and --secondary-context, or E2E_PRIMARY_CONTEXT and so on"
        )
    return contexts[index]


@pytest.fixture(scope="session")
def primary_context(request: pytest.FixtureRequest) -> str:
    """The site that takes writes at first, from --primary-context; without one the test is skipped."""
    return _context(request, 0)


@pytest.fixture(scope="session")
def secondary_context(request: pytest.FixtureRequest) -> str:
    """The other site, from --secondary-context; without one the test is skipped."""
    return _context(request, 1)


@pytest.fixture(scope="session")
def e2e_results(request: pytest.FixtureRequest) -> Results:
    """The results of the run of --e2e-results, or of all that has ended in this session."""
    from e2e_ansible.pytest_plugin.results import Results

    with _plainly():
        return Results(harness_of(request.config))


@pytest.fixture
def e2e_run(request: pytest.FixtureRequest) -> SuiteRunner:
    """A function that runs a suite file, in a run folder of its own, and returns the result."""
    from e2e_ansible.pytest_plugin.running import SuiteRunner

    with _plainly():
        return SuiteRunner(harness_of(request.config), request.path.parent)


@pytest.fixture(scope=_scope)
def e2e_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A deployed cluster, as the marker `e2e_cluster` describes it; its nodes are removed at the end."""
    from e2e_ansible.pytest_plugin.cluster import deployed
    from e2e_ansible.pytest_plugin.wanted import wanted_by
    from e2e_ansible.report.plain import PlainView

    with _plainly():
        harness = harness_of(request.config)
        if harness.settings.dry_run:
            pytest.skip("dry run: no node is made")
        wanted = wanted_by(request, harness)
        before = request.session.testsfailed

        def failed() -> bool:
            return request.session.testsfailed > before

        with deployed(harness, wanted, PlainView(sys.stdout), failed) as cluster:
            yield cluster
