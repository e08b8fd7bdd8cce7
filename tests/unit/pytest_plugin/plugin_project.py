"""Projects that use the plugin, run in this process; nothing of theirs makes a node."""

from __future__ import annotations

import importlib
import json
import pkgutil
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from e2e_ansible import pytest_plugin

#: A session in this process forgets afterwards what it has imported; what was there before stays.
for _module in pkgutil.iter_modules(pytest_plugin.__path__, f"{pytest_plugin.__name__}."):
    importlib.import_module(_module.name)
#: Where the package is installed, pytest has loaded the plugin already.
_INSTALLED = bool(entry_points(group="pytest11", name="e2e_ansible"))
LOADED = [] if _INSTALLED else ["-p", "e2e_ansible.pytest_plugin"]
#: Hypothesis is imported anew by each session; the cache of failures is of no use.
_WITHOUT = ("-p", "no:hypothesispytest", "-p", "no:cacheprovider")

PLAIN = """
test_suites:
  first:
    parameters: {cluster_size: 1, database: standalone}
    workflow: [{step: deploy}, {step: destroy}]
  second:
    parameters: {cluster_size: 1, database: standalone}
    matrix: {how: [ssh, destroy]}
    workflow: [{step: deploy}, {step: crash_node, target_node: n11, method: "${matrix.how}"}, {step: destroy}]
"""
SITES = """
test_suites:
  sites:
    variables: {method: passive, old_primary: secondary}
    parameters: {sites: {site_a: 1, site_b: 1}, database: patroni}
    workflow:
      - {step: deploy}
      - step: custom_command
        phase: activation
        custom_command: [echo, "${context.primary}", "${variables.method}", "${variables.old_primary}"]
      - {step: destroy}
  plain:
    parameters: {cluster_size: 1, database: standalone}
    workflow: [{step: deploy}, {step: validate, phase: look, checks: [cluster_status]}]
"""


def session(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    """A session of pytest in the folder of the project."""
    return pytester.runpytest_inprocess(*LOADED, *_WITHOUT, *words)


def said(result: pytest.RunResult) -> str:
    """Everything that it has written, as one line."""
    return " ".join((result.stdout.str() + result.stderr.str()).split())


def only_run(pytester: pytest.Pytester, runs: str = "runs") -> Path:
    """The only run folder."""
    (found,) = (pytester.path / runs).iterdir()
    return found


def arguments(run: Path) -> set[str]:
    """What the commands of all plans of a run are given."""
    plans = [*run.glob("plans/*"), *run.glob("tests/*/plan")]
    texts = [path.read_text() for plan in plans for path in plan.glob("playbooks/*custom-command.yml")]
    return {line.split()[-1] for text in texts for line in text.splitlines() if "- !unsafe" in line}


def order_of_first_cycle(run: Path) -> tuple[str, str]:
    """The contexts that the first cycle of a soak had."""
    records = map(json.loads, (run / "metrics/metrics.jsonl").read_text().splitlines())
    first = next(record for record in records if record["metric_type"] == "cycle_start")
    return first["primary_context"], first["secondary_context"]
