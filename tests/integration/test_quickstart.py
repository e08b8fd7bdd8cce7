"""The quickstart suite as a user starts it: everything passes, is written down, and nothing is left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, Done, a_desk, traces
from role_nodes import REPOSITORY

from e2e_ansible.checks.registry import checks, isolated
from e2e_ansible.judge.result import RunResult
from e2e_ansible.suite.vocabulary import Vocabulary

pytestmark = pytest.mark.nodes

STEP_TYPES = {
    "init",
    "deploy",
    "validate",
    "stop_cluster",
    "start_cluster",
    "stop_node",
    "start_node",
    "restart_node",
    "crash_node",
    "custom_command",
    "destroy",
}
CHECKS = {
    "cluster_status",
    "cluster_status_stopped",
    "cluster_degraded",
    "cluster_critical",
    "all_nodes_running",
    "ssh_connectivity",
    "vms_powered_off",
    "node_status",
    "database_running",
    "database_degraded",
    "database_down",
    "admin_ui_accessible",
    "data_integrity",
}


@dataclass(frozen=True)
class Ran:
    """The run of the suite, its folder, and what was in TMPDIR after it."""

    desk: Desk
    done: Done
    run: Path
    temporary: list[str]

    @property
    def result(self) -> RunResult:
        """What was written."""
        return self.desk.result()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with a_desk(tmp_path_factory.mktemp("quickstart")) as desk:
        done = desk.call("run", str(REPOSITORY / "suites/quickstart.yaml"))
        yield Ran(desk, done, desk.newest(), sorted(path.name for path in desk.scratch.iterdir()))


def test_every_step_passes(ran: Ran) -> None:
    assert ran.done.code == 0, ran.done.said
    (test,) = ran.result.tests
    assert (test.verdict, test.cause, test.success) == ("pass", None, True)
    steps = test.workflow_steps
    assert [step.id for step in steps if (step.status, step.verdict) != ("completed", "pass")] == []
    assert all(step.started and step.ended and step.started < step.ended for step in steps)
    assert "PASS" in ran.done.out
    assert "report.html" in ran.done.out


def test_every_step_type_and_check_for_any_cluster_occurs(ran: Ran) -> None:
    (test,) = ran.result.tests
    assert {step.step_type for step in test.workflow_steps} == STEP_TYPES
    results = [result for step in test.workflow_steps for result in step.validation_results]
    assert {result.check.partition(":")[0] for result in results if result.passed} == CHECKS
    assert {result.allow_failure for result in results if not result.passed} == {True}
    assert set(Vocabulary.default().step_types) >= STEP_TYPES
    with isolated():
        assert set(checks()) >= CHECKS


def test_every_act_on_the_power_is_proved(ran: Ran) -> None:
    (test,) = ran.result.tests
    acts = [step for step in test.workflow_steps if step.step_type.endswith(("_node", "_cluster"))]
    for step in acts:
        assert {proof.host for proof in step.proofs if proof.act != "settled"} == set(step.hosts), step.id
        assert all(proof.proved for proof in step.proofs), step.id


def test_nothing_is_left(ran: Ran) -> None:
    assert traces(ran.run) == []
    assert ran.temporary == []


def test_the_result_has_the_field_names_of_the_seed(ran: Ran) -> None:
    result: dict[str, Any] = json.loads((ran.run / "result.json").read_text())
    (test,) = result["tests"]
    assert {"deployment_id", "success", "duration", "workflow_steps"} <= set(test)
    assert json.loads((ran.run / "tests/quickstart/result.json").read_text()) == test
    step_keys = {"step_type", "description", "status", "duration", "error", "validation_results"}
    for step in test["workflow_steps"]:
        assert step_keys <= set(step)
        assert all({"check", "passed", "attempts"} <= set(each) for each in step["validation_results"])


def test_a_report_is_the_same_again_wherever_the_folder_is(ran: Ran) -> None:
    written = {name: (ran.run / name).read_bytes() for name in ("result.json", "junit.xml", "report.html")}
    here = ran.desk.call("report", ran.run.name, "--json")
    assert (here.code, json.loads(here.out)) == (0, json.loads(written["result.json"]))
    assert {name: (ran.run / name).read_bytes() for name in written} == written
    elsewhere = ran.desk.folder / "elsewhere" / "copy"
    shutil.copytree(ran.run, elsewhere)
    (elsewhere / "result.json").unlink()
    moved = ran.desk.call("report", str(elsewhere), "--json")
    assert (moved.code, moved.out) == (0, here.out)
    assert (elsewhere / "result.json").read_bytes() == written["result.json"]
