"""What is kept of a run that did not pass, and what can still be done after any death of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, one_test, traces, write_suite
from role_nodes import Cluster

from e2e_ansible.deadline import Deadline
from e2e_ansible.judge.result import RunResult
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.verdict import Verdict

pytestmark = pytest.mark.nodes

DEPLOY: dict[str, Any] = {"step": "deploy"}
NODES: dict[str, Any] = {"step": "make_nodes"}
LOOK: dict[str, Any] = {"step": "validate", "checks": ["data_integrity"]}
SLEEP: dict[str, Any] = {"step": "custom_command", "custom_command": ["sleep", "60"], "target_node": "n11"}
FAIL: dict[str, Any] = {"step": "custom_command", "custom_command": ["false"], "target_node": "n11"}


def suite(desk: Desk, *steps: dict[str, Any], size: int = 1) -> str:
    return str(write_suite(desk.folder / "suite.json", test=one_test(steps, size=size)))


def cluster(desk: Desk) -> Cluster:
    manifest = json.loads((desk.newest() / "run.json").read_text())
    return Cluster(get_provider("local"), manifest["tests"][0]["deployment"], desk.folder)


def reported(desk: Desk) -> tuple[int, RunResult]:
    """The code of `report` and the result that it wrote."""
    return desk.call("report").code, desk.result()


def destroyed(desk: Desk) -> None:
    """`destroy` removes everything, and once more it has nothing to do."""
    first = desk.call("destroy", desk.newest().name)
    assert first.code == 0, first.said
    assert traces(desk.newest()) == []
    again = desk.call("destroy")
    assert again.code == 0, again.said
    assert "nothing was left to remove" in again.said


# ---- evidence and keep


def test_logs_of_a_run_that_failed_and_nodes_that_it_kept(desk: Desk) -> None:
    leave = "logger canary-of-n11; runuser -u postgres -- psql -c \"do 'begin raise log ''canary-of-psql''; end'\""
    steps = [
        DEPLOY,
        {"step": "custom_command", "custom_command": [leave], "shell": True, "target_node": "n11"},
        {"step": "crash_node", "target_node": "n12", "method": "destroy"},
        {"step": "validate", "checks": ["cluster_status"]},
    ]
    done = desk.call("run", suite(desk, *steps, size=2), "--keep", "on-failure")
    assert done.code == 1, done.said
    (test,) = desk.result().tests
    assert (test.verdict, test.cause, test.kept) == ("fail", "product", True)
    assert "n12 (power off) does not run" in str(test.error)

    (folder,) = (desk.newest() / test.folder / name for name in test.evidence)
    assert "canary-of-n11" in (folder / "n11/journal.txt").read_text()
    (log,) = folder.glob("n11/files/var/log/postgresql/*.log")
    assert "canary-of-psql" in log.read_text()
    journal = (desk.newest() / test.folder / "journal.jsonl").read_text().splitlines()
    (said,) = (json.loads(line)["message"] for line in journal if '"kind":"evidence"' in line)
    assert "n11" in said
    assert "n12 is off" in said

    nodes = cluster(desk)
    assert nodes.ssh("n11", "hostname") == "n11"
    assert {node.name: node.power for node in nodes.nodes.values()} == {
        "n11": PowerState.ON,
        "n12": PowerState.OFF,
    }
    assert f"e2e-ansible destroy {desk.newest().name}" in done.said
    destroyed(desk)


def test_logs_are_there_before_anything_is_destroyed(desk: Desk) -> None:
    done = desk.call("run", suite(desk, DEPLOY, FAIL))
    assert done.code == 1, done.said
    (test,) = desk.result().tests
    entries = (desk.newest() / test.folder / "journal.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["kind"] for line in entries]
    assert kinds[-4:] == ["evidence", "clean_up_ended", "quota_released", "test_ended"]
    assert (desk.newest() / test.folder / "evidence/n11/journal.txt").stat().st_size > 0
    assert traces(desk.newest()) == []


@pytest.mark.parametrize(
    ("keep", "command", "code", "kept"),
    [
        ("never", "false", 1, False),
        ("on-failure", "true", 0, False),
        ("always", "true", 0, True),
    ],
)
def test_nodes_stay_by_policy(desk: Desk, keep: str, command: str, code: int, kept: bool) -> None:
    desk.allow_make_nodes()
    done = desk.call("run", suite(desk, NODES, {**FAIL, "custom_command": [command]}), "--keep", keep)
    assert done.code == code, done.said
    (test,) = desk.result().tests
    assert test.kept is kept
    assert bool(traces(desk.newest())) is kept
    assert (f"e2e-ansible destroy {desk.newest().name}" in done.said) is kept
    if kept:
        assert cluster(desk).ssh("n11", "hostname") == "n11"
        destroyed(desk)


# ---- runs that die


@dataclass
class Watched:
    """A run that is being watched by what it says."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)

    def read(self) -> None:
        """Take all lines; runs in a thread of its own."""
        for line in self.process.stdout or ():
            self.lines.append(json.loads(line))

    def wait_for(self, moment: Callable[[dict[str, Any]], bool]) -> None:
        """Until a notice is the one."""
        assert Deadline(60).wait_for(lambda: any(map(moment, list(self.lines))), 0.01), self.lines

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def ended(self) -> int:
        """Its exit code."""
        return self.process.wait(60)

    @property
    def said(self) -> str:
        """What it told the user while it ran."""
        return "\n".join(str(line["text"]) for line in self.lines if line["kind"] == "message")


@contextmanager
def watched(desk: Desk, *steps: dict[str, Any]) -> Iterator[Watched]:
    """Start a run of these steps."""
    with desk.start("run", suite(desk, *steps), "--json") as process:
        watch = Watched(process)
        reader = threading.Thread(target=watch.read, daemon=True)
        reader.start()
        try:
            yield watch
            reader.join(10)
        finally:
            if process.poll() is None:
                process.kill()


def task(name: str) -> Callable[[dict[str, Any]], bool]:
    """The moment when a task begins."""
    return lambda notice: notice["kind"] == "task_started" and name in notice["task"]


@pytest.mark.parametrize(
    ("moment", "step", "passed"),
    [
        (task("provision : "), "01-deploy", 0),
        (task("Create the cluster"), "01-deploy", 0),
        (task("Look at the node"), "02-validate", 1),
        (task("Run the command"), "03-custom-command", 2),
    ],
    ids=["while nodes are made", "in deploy", "in validate", "while rows are written"],
)
def test_a_run_that_is_killed(
    desk: Desk, moment: Callable[[dict[str, Any]], bool], step: str, passed: int
) -> None:
    with watched(desk, DEPLOY, LOOK, SLEEP) as run:
        run.wait_for(moment)
        run.signal(signal.SIGKILL)
        assert run.ended() == -signal.SIGKILL
    code, result = reported(desk)
    assert code == 3
    assert not result.finished
    (test,) = result.tests
    assert (test.verdict, test.cause) == ("unknown", "harness")
    assert test.error == f"{step}: the run was killed in this step"
    assert [each.verdict for each in test.workflow_steps].count(Verdict.PASS) == passed
    destroyed(desk)
    assert reported(desk) == (code, result)


def test_a_run_that_is_killed_after_its_last_step_is_no_pass(desk: Desk) -> None:
    desk.allow_make_nodes()
    with watched(desk, NODES) as run:
        run.wait_for(lambda notice: "removing the nodes" in notice.get("text", ""))
        run.signal(signal.SIGKILL)
        assert run.ended() == -signal.SIGKILL
    code, result = reported(desk)
    assert code not in (0, 1)
    assert not result.finished
    (test,) = result.tests
    assert test.verdict != "pass"
    assert [step.verdict for step in test.workflow_steps] == ["pass"]
    destroyed(desk)


def kill_with_engine(pid: int) -> None:
    """A run and its engine at once, so that neither ends what the other has left."""
    os.kill(pid, signal.SIGSTOP)
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)


def test_what_outlives_a_killed_run_is_ended_later(desk: Desk) -> None:
    """A command on the controller that ignores the hang-up of its terminal."""
    stay = {"step": "custom_command", "custom_command": ["nohup", "sh", "-c", "touch here; sleep 612; :"]}
    with watched(desk, stay) as run:
        assert Deadline(60).wait_for((desk.folder / "here").exists)
        kill_with_engine(run.process.pid)
        assert run.ended() == -signal.SIGKILL
    assert any("sleep 612" in line for line in traces(desk.newest()))
    assert reported(desk)[0] == 3
    destroyed(desk)


def test_what_a_living_run_has_made_is_not_destroyed(desk: Desk) -> None:
    desk.allow_make_nodes()
    with watched(desk, NODES, SLEEP) as run:
        run.wait_for(task("Run the command"))
        refused = desk.call("destroy")
        assert refused.code == 2
        assert f"{desk.newest()} is still running hint: interrupt it first" in refused.said
        assert cluster(desk).ssh("n11", "hostname") == "n11"
        run.signal(signal.SIGINT)
        assert run.ended() == 130
    assert traces(desk.newest()) == []


def test_an_interrupt_collects_and_cleans_up(desk: Desk) -> None:
    with watched(desk, DEPLOY, SLEEP) as run:
        run.wait_for(task("Run the command"))
        run.signal(signal.SIGINT)
        assert run.ended() == 130
    assert "ending the step, collecting logs, cleaning up" in run.said
    (test,) = desk.result().tests
    assert (test.verdict, test.cause) == ("unknown", "interrupt")
    assert test.workflow_steps[1].status == "interrupted"
    assert (desk.newest() / test.folder / "evidence/n11/journal.txt").stat().st_size > 0
    assert "was removed" in test.clean_up
    assert traces(desk.newest()) == []


def test_a_second_interrupt_leaves_everything(desk: Desk) -> None:
    with watched(desk, DEPLOY, SLEEP) as run:
        run.wait_for(task("Run the command"))
        run.signal(signal.SIGINT)
        run.wait_for(lambda notice: "collecting the logs" in notice.get("text", ""))
        run.signal(signal.SIGINT)
        assert run.ended() == 130
    assert "everything is left as it is" in run.said
    (test,) = desk.result().tests
    assert test.kept
    assert "was left as it is" in test.clean_up
    assert cluster(desk).nodes["n11"].power is PowerState.ON
    assert cluster(desk).ssh("n11", "hostname") == "n11"
    shown = desk.call("report")
    assert shown.code == 130
    assert f"e2e-ansible destroy {desk.newest().name}" in shown.said
    destroyed(desk)
