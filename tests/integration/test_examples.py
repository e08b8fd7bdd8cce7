"""The examples and the code of the manual, run as a reader would: a pass, and red where the subject is broken."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_runs import Desk, one_test, write_suite
from role_nodes import REPOSITORY

from e2e_ansible.judge.result import CheckResult, StepResult

Workflow = Sequence[dict[str, Any]]
EXAMPLES = REPOSITORY / "examples"
BREAKS_A_UNIT = ["sh", "-c", "! systemd-run --quiet --wait --unit=broken false"]
PAUSES_REPLAY = ["runuser", "-u", "postgres", "--", "psql", "-c", "SELECT pg_wal_replay_pause()"]


def example(name: str) -> tuple[str, dict[str, Any]]:
    """Name and content of the only test of an example."""
    suite = yaml.safe_load((EXAMPLES / name / "suite.yaml").read_text())
    ((test, entry),) = suite["test_suites"].items()
    return test, entry


def broken(name: str, folder: Path, workflow: Workflow) -> Path:
    """The suite of an example with another workflow, and the code beside it."""
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    test, entry = example(name)
    return write_suite(folder / "suite.yaml", **{test: {**entry, "workflow": workflow}})


def steps(desk: Desk) -> dict[str, StepResult]:
    """The steps of the only test of the newest run, by type."""
    (test,) = desk.result().tests
    return {step.step_type: step for step in test.workflow_steps}


def check(desk: Desk, name: str) -> CheckResult:
    """The last outcome of a check in the newest run."""
    return next(result for result in steps(desk)["validate"].validation_results if result.check == name)


def judged_again_without_the_code(desk: Desk, code: int) -> None:
    """What a check of its own has answered is recorded; a report does not need it."""
    written = json.loads((desk.newest() / "result.json").read_text())
    without = desk.call("report", "--json")
    assert (without.code, json.loads(without.out)) == (code, written)


@pytest.mark.nodes
def test_a_check_and_a_step_beside_the_suite_pass(desk: Desk) -> None:
    done = desk.call("run", str(EXAMPLES / "extending/suite.yaml"), "--allow-plugins")
    assert done.code == 0, done.said
    assert check(desk, "no_failed_units").passed is True
    checkpoint = steps(desk)["checkpoint"]
    assert ("n11", "Force a checkpoint") in {(timing.host, timing.task) for timing in checkpoint.slowest}
    judged_again_without_the_code(desk, 0)


@pytest.mark.nodes
def test_a_check_beside_the_suite_is_red_when_its_subject_is_broken(desk: Desk) -> None:
    workflow: Workflow = [
        {"step": "deploy"},
        {"step": "custom_command", "custom_command": BREAKS_A_UNIT, "target_node": "n11"},
        {"step": "validate", "checks": ["no_failed_units"]},
    ]
    suite = broken("extending", desk.folder / "red", workflow)
    done = desk.call("run", str(suite), "--allow-plugins")
    assert done.code == 1, done.said
    assert (check(desk, "no_failed_units").passed, steps(desk)["validate"].cause) == (False, "product")
    assert "no_failed_units" in done.out
    judged_again_without_the_code(desk, 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--allow-plugins lets it add checks and steps"),
        (["--allow-plugins", "target_node: n99"], "n11"),
        (["--allow-plugins", "target_nod: n11"], "target_node"),
        (["--allow-plugins", "target_node: [n11]"], "target_node"),
    ],
)
def test_code_beside_a_suite_needs_leave_and_its_options_are_checked(
    desk: Desk, arguments: list[str], told: str
) -> None:
    suite = desk.folder / "copy/suite.yaml"
    shutil.copytree(EXAMPLES / "extending", suite.parent, ignore=shutil.ignore_patterns("__pycache__"))
    for mistake in arguments[1:]:
        suite.write_text(suite.read_text().replace("        target_node: n11", f"        {mistake}"))
    done = desk.call("run", str(suite), *arguments[:1])
    assert done.code == 2
    assert told in done.err
    assert not desk.runs.exists()


def install(desk: Desk) -> None:
    """The example package in a folder of its own that Python searches first."""
    source, site = desk.folder / "source", desk.folder / "site"
    shutil.copytree(EXAMPLES / "plugin-package", source, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*command, *options, str(source)], check=True)
    desk.variables["PYTHONPATH"] = f"{site}:{REPOSITORY}"


def test_without_the_package_its_words_are_unknown(desk: Desk) -> None:
    suite = str(EXAMPLES / "plugin-package/suite.yaml")
    done = desk.call("validate", suite)
    assert done.code == 2
    assert {"write_wal", "replica_lag_below"} <= set(re.findall(r"'([^']+)'", done.err))
    install(desk)
    assert desk.call("validate", suite).code == 0


@pytest.mark.nodes
def test_a_check_and_a_step_of_an_installed_package_pass(desk: Desk) -> None:
    install(desk)
    done = desk.call("run", str(EXAMPLES / "plugin-package/suite.yaml"))
    assert done.code == 0, done.said
    lag = check(desk, "replica_lag_below:1000000")
    assert (lag.passed, lag.message) == (True, "less than 1000000 bytes behind: n12")
    assert steps(desk)["write_wal"].verdict == "pass"


@pytest.mark.nodes
def test_a_check_of_an_installed_package_is_red_when_its_subject_is_broken(desk: Desk) -> None:
    install(desk)
    workflow: Workflow = [
        {"step": "deploy"},
        {"step": "custom_command", "custom_command": PAUSES_REPLAY, "target_node": "n12"},
        {"step": "write_wal", "megabytes": 8},
        {"step": "validate", "checks": ["replica_lag_below:1000000", "replica_lag_below:1000000000"]},
    ]
    suite = broken("plugin-package", desk.folder / "red", workflow)
    done = desk.call("run", str(suite))
    assert done.code == 1, done.said
    lag = check(desk, "replica_lag_below:1000000")
    behind = re.fullmatch(r"n12 is (\d+) bytes behind", lag.message)
    assert behind
    assert 1_000_000 <= int(behind[1]) < 100_000_000  # of 8 MB, some may be in buffers yet
    assert check(desk, "replica_lag_below:1000000000").passed is True
    assert steps(desk)["validate"].cause == "product"


@pytest.mark.nodes
def test_the_code_of_the_manual_runs_as_written(desk: Desk) -> None:
    page = (REPOSITORY / "docs/python.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    workflow: Workflow = [
        {"step": "deploy"},
        {"step": "validate", "checks": ["cluster_status"]},
        {"step": "destroy"},
    ]
    write_suite(desk.folder / "suite.yaml", small=one_test(workflow))
    (desk.folder / "misspelt.yaml").write_text("workflow:\n- {step: deplyo}\n")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=desk.folder,
        env=desk.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "small local ['01-deploy', '02-validate', '03-destroy']"
    assert lines[1] == "small pass None None"
    assert lines[4].split()[:3] == ["cluster_status", "True", "1"]
    assert [line.split()[:2] for line in lines if line.startswith("misspelt.yaml")] == [
        ["misspelt.yaml", "2"]
    ]
    assert [line.split()[1] for line in lines[-3:]] == ["01-deploy", "02-validate", "03-destroy"]
    assert (desk.folder / "plan/playbooks/01-deploy.yml").is_file()
    assert len(list(desk.runs.iterdir())) == 2
