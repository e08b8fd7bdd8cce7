"""The pytest plugin: suites are collected as tests, and fixtures give tests a cluster.

pytest imports this for every project of an environment that has the package, so nothing heavy is imported before a
suite, or a fixture of it, is met.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from e2e_ansible.pytest_plugin import options, sharing
from e2e_ansible.pytest_plugin.fixtures import (
    e2e_cluster,
    e2e_results,
    e2e_run,
    primary_context,
    secondary_context,
)

if TYPE_CHECKING:
    from e2e_ansible.pytest_plugin.collect import SuiteFile

__all__ = ["e2e_cluster", "e2e_results", "e2e_run", "primary_context", "secondary_context"]

_MARKERS = (
    "e2e: makes nodes and judges what became of them; every suite has it",
    "e2e_soak: does a test in cycles; suites have it with --e2e-cycles or --e2e-run-hours",
    "e2e_full_validation: looks at more than others do, and takes longer",
    "e2e_cluster(size=1, database='standalone', suite=None, test=None, keep=None, **parameters): "
    "the cluster that the fixture e2e_cluster deploys",
    "resilience: has failures injected; suites have it with --e2e-inject-failure",
    "slow: takes long",
)
_MAKES_NODES = {"e2e_cluster", "e2e_run"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and the settings of pytest.ini and pyproject.toml."""
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; refuse options that cannot be meant."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    options.check_command_line(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist what all of them share."""
    sharing.tell_worker(node)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Run folders hold plans and logs, and no tests."""
    return (
        True
        if (collection_path / "run.json").is_file() and (collection_path / "run.lock").is_file()
        else None
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
    """A suite that matches the setting `e2e_suites`, or that was named on the command line."""
    if file_path.suffix not in options.SUFFIXES or not _is_meant(file_path, parent):
        return None
    from e2e_ansible.pytest_plugin.collect import SuiteFile

    made: SuiteFile = SuiteFile.from_parent(parent, path=file_path)
    return made


def _is_meant(path: Path, parent: pytest.Collector) -> bool:
    if any(path.match(pattern) for pattern in parent.config.getini("e2e_suites")):
        return not options.reads_as_inventory(path)
    return parent.session.isinitpath(path) and options.reads_as_suite(path)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test with a fixture that makes nodes is an e2e test; those that may share a cluster stay on one worker.

    Later would be too late: xdist reads its groups when all items are there.
    """
    fixtures = _MAKES_NODES & set(getattr(item, "fixturenames", ()))
    if fixtures:
        item.add_marker("e2e")
    if "e2e_cluster" in fixtures and item.get_closest_marker("xdist_group") is None:
        options.keep_together(item, f"e2e_cluster:{item.path}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where the report of each run is, also of those that passed."""
    told = [line for reports in terminalreporter.stats.values() for line in _told(reports)]
    if told:
        terminalreporter.section("e2e runs")
        for line in told:
            terminalreporter.write_line(line)


def _told(reports: list[Any]) -> list[str]:
    found = []
    for report in reports:
        said = dict(getattr(report, "user_properties", ()))
        if getattr(report, "when", "") == "call" and "e2e_report" in said:
            found.append(f"{said['verdict'].upper():<8}{report.nodeid}  {said['e2e_report']}")
    return found


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End what was started, and remove the nodes of workers that were killed."""
    for line in sharing.close(config):
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"e2e: {line}")
