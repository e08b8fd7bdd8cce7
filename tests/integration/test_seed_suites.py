"""The example workflows of the seed on local nodes, word for word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from real_runs import Desk, traces
from role_nodes import REPOSITORY

from e2e_ansible.providers.capabilities import PROVIDERS, Cell

pytestmark = pytest.mark.nodes

SUITES = REPOSITORY / "tests/data/suites"
WORKFLOWS = ("seed_crash_recovery", "seed_single_node_failure", "seed_start_stop")


def test_the_workflows_of_the_seed_pass_side_by_side(desk: Desk) -> None:
    """The power table of `local` refuses nothing in them."""
    files = [str(SUITES / f"{name}.json") for name in WORKFLOWS]
    done = desk.call("run", *files, "--parallel", "3", "--max-nodes", "9")
    result = desk.result()
    assert done.code == 0, [test.error for test in result.tests]
    assert [test.name for test in result.tests] == list(WORKFLOWS)
    for name, test in zip(WORKFLOWS, result.tests, strict=True):
        written = json.loads((SUITES / f"{name}.json").read_text())["workflow"]
        assert [step.step_type for step in test.workflow_steps] == [step["step"] for step in written]
        assert {(step.status, step.verdict) for step in test.workflow_steps} == {("completed", "pass")}
    assert traces(desk.newest()) == []


def basic_structure(desk: Desk, requirements: dict[str, Any]) -> str:
    """The suite with other requirements."""
    suite: dict[str, Any] = json.loads((SUITES / "seed_basic_structure.json").read_text())
    suite["test_suites"]["suite_name"]["requirements"] = requirements
    (desk.folder / "suite.json").write_text(json.dumps(suite))
    return "suite.json"


def test_all_that_a_machine_lacks_is_told_and_nothing_is_started(desk: Desk) -> None:
    wanted = {"min_memory_gb": 1_000_000, "min_disk_gb": 1_000_000_000, "min_cpus": 100_000}
    suite = basic_structure(desk, {**wanted, "commands": ["sh", "no-such-command"]})
    done = desk.call("run", suite, "--provider", "local")
    assert done.code == 4
    for text in (
        "memory available (GiB): ",
        ", required 1e+06",
        "disk free (GiB): ",
        "processors: ",
        "required 100000",
        "the command 'no-such-command' is not there",
    ):
        assert text in done.said
    assert "'sh'" not in done.said
    assert "nothing was started" in done.said
    assert not desk.runs.exists()


def test_the_basic_structure_passes_without_its_requirements(desk: Desk) -> None:
    done = desk.call("run", basic_structure(desk, {}), "--provider", "local")
    assert done.code == 0, desk.result().tests[0].error
    assert traces(desk.newest()) == []


def test_what_the_power_table_refuses_is_told_with_its_line_and_nothing_is_started(desk: Desk) -> None:
    """No seed needs what `local` cannot do, so the crash of one is made to come back by itself."""
    text = (SUITES / "seed_crash_recovery.json").read_text()
    changed = text.replace(
        '"target_node": "n11", "method": "destroy"', '"target_node": "n11", "await_return": true'
    )
    assert changed != text
    (desk.folder / "suite.json").write_text(changed)
    line = 1 + changed[: changed.index("await_return")].count("\n")
    done = desk.call("run", "suite.json")
    assert done.code == 2
    assert f"suite.json:{line}:" in done.said
    cell: Cell = next(cell for name, cell in PROVIDERS["local"].items() if not cell.supported)
    assert cell.note in done.said
    assert not desk.runs.exists()
