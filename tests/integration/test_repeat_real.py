"""Repeated tests and time classes with real playbooks: a rate that is known, and a step that would take too long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from real_runs import one_test, traces, write_suite

from e2e_ansible import api
from e2e_ansible.deadline import Deadline
from e2e_ansible.run.folder import RunFolder

pytestmark = pytest.mark.nodes

#: Every third call fails, whoever makes it: the number of calls is that of lines in a file beside the suite.
COUNT = "echo x >> calls; test $(( $(wc -l < calls) % 3 )) -ne 0"


def shell(name: str, script: str) -> dict[str, Any]:
    """A script on the controller."""
    return {"step": "custom_command", "name": name, "custom_command": ["sh", "-c", script]}


def cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "e2e_ansible", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def newest(folder: Path) -> dict[str, Any]:
    """The result of the newest run below a folder."""
    path = max((folder / "runs").glob("*/result.json"), key=lambda one: one.stat().st_mtime_ns)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_test_that_fails_sometimes_is_told_with_its_rate(tmp_path: Path) -> None:
    steps = [shell("flaky", COUNT)]
    suite = write_suite(
        tmp_path / "s.json", t=one_test(steps), slow={**one_test(steps), "time_class": "slow"}
    )
    done = cli(tmp_path, "run", suite.name, "--run-test", "t", "--repeat", "6")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "t: 4 of 6 shows at most 94 %, less than 95 %" in done.stdout
    assert "01-flaky: flaky, 2 of 6 failed, between 4 % and 78 %" in done.stdout
    result = newest(tmp_path)
    assert [test["name"] for test in result["tests"]] == [f"t#{number}" for number in range(1, 7)]
    bad = [test["name"] for test in result["tests"] if not test["success"]]
    assert bad == ["t#3", "t#6"]
    (found,) = result["repeats"]
    assert found["steps"][0]["failing"]["tally"] == {"passed": 2, "failed": 4, "unknown": 0}
    assert cli(tmp_path, "analyze").returncode == 0, "the same from its folder"

    again = cli(tmp_path, "rerun", "--failed")
    assert [test["name"] for test in newest(tmp_path)["tests"]] == bad
    assert again.returncode == 0, again.stdout
    assert "t: 2 of 2 shows at least" in again.stdout

    few = cli(tmp_path, "run", suite.name, "--time-class", "slow", "--dry-run")
    assert "slow, all steps at most 45m" in few.stdout and "\nt  local" not in few.stdout


def test_a_step_that_hangs_is_ended_with_its_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e_ansible.run.limit.LIMITS", {"fast": 4.0})
    steps = [
        {
            "step": "group",
            "steps": [shell("hangs", "echo $$ > pid; sleep 3600"), shell("never", "touch never")],
            "finally": [shell("end", "touch end")],
        },
        shell("after", "touch after"),
    ]
    suite = write_suite(tmp_path / "s.json", t={**one_test(steps), "time_class": "fast"})
    deadline = Deadline(120)
    result = api.run(api.plan(api.load(suite)), runs=tmp_path / "runs")
    assert not deadline.expired
    (test,) = result.tests
    assert (test.verdict.value, test.cause) == ("fail", "product"), test.error
    assert "as a test of class fast, and was ended after" in str(test.error)
    assert "in 01-hangs" in str(test.error)
    assert [step.status.value for step in test.workflow_steps] == [
        "failed",
        "skipped",
        "completed",
        "skipped",
    ]
    assert (tmp_path / "end").exists() and not (tmp_path / "never").exists()
    assert not (tmp_path / "after").exists()
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    run = tmp_path / "runs" / result.run_id
    assert traces(run) == []
    assert api.analyze(run).equal
    assert api.judge(run) == result
    assert RunFolder.open(run).manifest().ended is not None
