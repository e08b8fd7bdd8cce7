"""A set-up as a graph on a real node: services are installed at the same time, and a failure of one stops no other."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from held_runs import Killer
from real_runs import Desk, Steps, one_test, run_steps, traces, write_suite

from e2e_ansible.deadline import Deadline
from e2e_ansible.judge.result import StepResult
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.reading import read_run

pytestmark = pytest.mark.nodes


def shell(name: str, script: str, **more: Any) -> dict[str, Any]:
    """A script on the node."""
    head = {"step": "custom_command", "name": name, "target_node": "n11"}
    return {**head, "custom_command": ["sh", "-c", script], **more}


#: The web interface cannot begin, and the program has a fault of its own; the database has to do with neither.
SETUP: Steps = [
    {"step": "create_nodes", "name": "nodes"},
    shell("break", "systemctl mask cockpit.socket", needs=["nodes"]),
    {"step": "install", "name": "database", "service": "postgresql", "needs": ["break"]},
    {"step": "install", "name": "web", "service": "admin_ui", "targets": ["database"], "needs": ["break"]},
    shell("program", "echo no such table >&2; exit 7", needs=["break"]),
    shell("of-web", "touch /tmp/of-web", needs=["web"]),
    shell(
        "of-database",
        "test ! -e /tmp/of-web && runuser -u postgres -- psql -Atc 'select 1'",
        needs=["database"],
    ),
    {"step": "validate", "checks": ["cluster_status"]},
]


def together(one: StepResult, other: StepResult) -> bool:
    """Whether there was a moment at which both ran, by what was written down."""
    assert one.started and one.ended and other.started and other.ended
    return max(one.started, other.started) < min(one.ended, other.ended)


def test_services_are_installed_at_once_and_all_failures_are_told(tmp_path: Path) -> None:
    real = run_steps(tmp_path, SETUP, admin_ui=True)
    test = real.test
    steps = {step.id.partition("-")[2]: step for step in test.workflow_steps}
    assert {name: step.status.value for name, step in steps.items()} == {
        "nodes": "completed",
        "break": "completed",
        "database": "completed",
        "web": "failed",
        "program": "failed",
        "of-web": "skipped",
        "of-database": "completed",
        "validate": "skipped",
    }, test.error
    assert together(steps["database"], steps["web"])
    assert together(steps["database"], steps["program"])
    assert not test.success
    first, second = str(test.error).split("\nalso ")
    assert first.startswith("04-web: ") and "cockpit.socket does not start" in first
    assert second.startswith("05-program: ") and "no such table" in second
    assert test.evidence == ("evidence",), "once, of all that failed"
    assert read_run(RunFolder.open(real.folder)).tests == (test,), "the same from the folder"


KILLED: Steps = [
    {"step": "create_nodes", "name": "nodes"},
    {"step": "install", "name": "database", "service": "postgresql", "needs": ["nodes"]},
    {"step": "install", "name": "web", "service": "admin_ui", "needs": ["nodes"]},
    {
        "step": "validate",
        "checks": ["cluster_status", "admin_ui_accessible"],
        "retry": {"max_attempts": 60, "delay_seconds": 0.5},
    },
    {"step": "destroy"},
]


def test_a_run_that_is_killed_while_two_are_installed_goes_on_with_both(desk: Desk) -> None:
    write_suite(desk.folder / "suite.json", t=one_test(KILLED, admin_ui=True))
    folder = Killer(desk).folder
    for step in ("01-nodes", "04-validate", "05-destroy"):  # there nothing is held
        (folder / "struck" / f"{step}@").touch()

    def held() -> set[str]:
        return {path.name.partition("@")[0] for path in (folder / "held").iterdir()}

    with desk.start("run", "suite.json") as process:
        Deadline(300).wait_for(lambda: len(held()) == 2 or process.poll() is not None, interval=0.05)
        assert held() == {"02-database", "03-web"}, process.poll()
        for path in (folder / "held").iterdir():
            (folder / "struck" / path.name).touch()
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    done = desk.call("resume")
    assert done.code == 0, done.said
    (test,) = desk.result().tests
    steps = {step.id.partition("-")[2]: step for step in test.workflow_steps}
    assert (test.verdict, len(test.resumptions)) == ("pass", 1), test.error
    assert not steps["nodes"].resumed
    for name in ("database", "web"):
        assert "played once more" in steps[name].resumed, name
    assert traces(desk.newest()) == []
