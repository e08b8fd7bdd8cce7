"""Kill -9 of the controller at the end of every step and inside every type of step, on real nodes, until it is done."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, one_test, traces, write_suite

from e2e_ansible.deadline import Deadline
from e2e_ansible.judge.result import RunResult
from e2e_ansible.oracle.histories import Histories
from e2e_ansible.oracle.history import Event, acknowledged
from e2e_ansible.run.folder import TestFolder

pytestmark = pytest.mark.nodes

PLUGIN = """
from e2e_ansible.api import CompiledStep, CompileContext, Judgement, Replay, StepOptions, StepType, play, register

UNIT = '''[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo boot >>/var/lib/boots; sync /var/lib/boots'
[Install]
WantedBy=multi-user.target
'''


class Boots(StepType[StepOptions]):
    name = "count_boots"
    summary = "Count the boots of n12 from now on"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        target = {"dest": "/etc/systemd/system/count-boots.service", "content": UNIT, "mode": "0644"}
        tasks = [
            {"name": "Write the unit", "ansible.builtin.copy": target},
            {"name": "Enable it", "ansible.builtin.command": {"argv": ["systemctl", "enable", "count-boots"]}},
        ]
        return CompiledStep([play("Count", ("n12",), tasks=tasks)], ("n12",), replay=Replay.REPEATABLE)


class Booted(StepType[StepOptions]):
    name = "boots_are_4"
    summary = "See how often n12 has booted"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        words = ["sh", "-c", "cat /var/lib/boots; test $(wc -l </var/lib/boots) = 4"]
        tasks = [{"name": "Count", "ansible.builtin.command": {"argv": words}}]
        return CompiledStep([play("Count", ("n12",), tasks=tasks)], ("n12",), replay=Replay.REPEATABLE)


register(Boots)
register(Booted)
"""
CLIENT: dict[str, Any] = {"client": "here"}
STEPS: list[dict[str, Any]] = [
    {"step": "init"},
    {"step": "deploy"},
    {"step": "count_boots"},
    {"step": "start_client", **CLIENT, "rate": 20},
    {"step": "validate", "checks": ["cluster_status"], "retry": {"max_attempts": 60, "delay_seconds": 0.5}},
    {"step": "crash_node", "target_node": "n12"},
    {"step": "start_node", "target_node": "n12"},
    {"step": "restart_node", "target_node": "n12"},
    {
        "step": "group",
        "steps": [{"step": "fault", "name": "still", "fault": "pause", "target": "n11"}],
        "finally": [{"step": "heal", "fault": "still"}],
    },
    {"step": "stop_cluster"},
    {"step": "start_cluster"},
    {"step": "stop_node", "target_node": "n12"},
    {"step": "start_node", "name": "again", "target_node": "n12"},
    {"step": "boots_are_4"},
    {"step": "stop_client", **CLIENT},
    {
        "step": "validate",
        "name": "last",
        "checks": ["cluster_status", "data_integrity", "no_lost_rows:here"],
        "retry": {"max_attempts": 60, "delay_seconds": 0.5},
    },
    {"step": "destroy"},
]
DEADLINE_SECONDS = 900
#: The ledger tells better than events how far these are.
IN_THE_LEDGER = ("crash_node", "restart_node", "fault", "stop_cluster", "stop_node")
Moment = tuple[str, str]


@dataclass
class Killer:
    """Kills a run at each moment that it has not killed it at before; all it does is to read files."""

    desk: Desk
    types: dict[str, str] = field(default_factory=dict)
    struck: list[Moment] = field(default_factory=list)
    seen: set[Moment] = field(default_factory=set)
    read: int = 0

    def drive(self, *arguments: str) -> int:
        """Run it, and resume it after each kill, until it ends by itself; returns its exit code."""
        deadline = Deadline(DEADLINE_SECONDS)
        while True:
            with self.desk.start(*arguments) as process:
                deadline.wait_for(lambda: process.poll() is not None or self._is_time(), interval=0.01)
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate(timeout=60)
            if process.returncode != -signal.SIGKILL:
                assert process.returncode == 0, f"{self.struck[-3:]}\n{out}\n{err}"
                return process.returncode
            arguments = ("resume",)

    def _is_time(self) -> bool:
        new = [moment for moment in self._moments() if moment not in self.seen]
        self.struck += new[:1]
        self.seen.update(new)
        return bool(new)

    @property
    def test(self) -> TestFolder | None:
        """The folder of the only test, once there is one."""
        found = list(self.desk.runs.glob("*/tests/*"))
        return TestFolder(found[0]) if found else None

    def _moments(self) -> Iterator[Moment]:
        test = self.test
        if test is None or not test.journal.exists():
            return
        if not self.types:
            plan = json.loads((test.plan / "plan.json").read_bytes())
            self.types = {step["id"]: step["type"] for step in plan["steps"]}
        for entry in lines(test.journal):
            if entry["kind"] == "step_ended":
                yield "ended", entry["step"]
        for entry in lines(test.faults):
            if entry["event"] not in ("chosen", "healed"):
                yield entry["event"], self.types[entry.get("step") or entry["fault_id"].partition("/")[0]]
        for step in self._inside(test):
            if self.types[step] not in IN_THE_LEDGER:
                yield "inside", self.types[step]

    def _inside(self, test: TestFolder) -> Iterator[str]:
        """Steps of which a task has ended on some host; of power and faults the ledger tells more."""
        if not test.events.exists():
            return
        with test.events.open("rb") as file:
            file.seek(self.read)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self.read += len(data)
        found = [json.loads(line) for line in data.split(b"\n") if b'"runner_on_ok"' in line]
        yield from dict.fromkeys(entry["step"] for entry in found)


#: Steps of this test that may be over before a file that they have grown is read again.
TOO_SHORT = {"count_boots", "boots_are_4", "stop_client"}


def lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file, if it is there."""
    *whole, _ = (path.read_bytes() if path.exists() else b"").split(b"\n")
    return [json.loads(line) for line in whole if line]


def test_a_run_that_is_killed_all_the_time_passes_and_does_nothing_twice(desk: Desk) -> None:
    (desk.folder / "e2e_plugins").mkdir()
    (desk.folder / "e2e_plugins/boots.py").write_text(PLUGIN)
    desk.variables["E2E_ALLOW_PLUGINS"] = "1"
    write_suite(desk.folder / "suite.json", t=one_test(STEPS, size=2, database="standalone"))
    killer = Killer(desk)
    killer.drive("run", "suite.json")
    result: RunResult = desk.result()
    (test,) = result.tests
    print(len(killer.struck), "kills:", *killer.struck, sep="\n")
    assert (result.exit_code, test.verdict, result.finished) == (0, "pass", True), test.error
    assert {step for what, step in killer.struck if what == "ended"} == {
        step.id for step in test.workflow_steps
    }
    inside = {kind for what, kind in killer.struck if what != "ended"}
    assert inside >= {step.step_type for step in test.workflow_steps} - TOO_SHORT
    assert len(test.resumptions) == len(killer.struck)
    assert all(step.verdict == "pass" for step in test.workflow_steps)
    folder = killer.test
    assert folder is not None
    _see_that_acts_were_done_once(folder)
    _see_that_histories_are_whole(folder)
    assert traces(desk.newest()) == []


def _see_that_acts_were_done_once(folder: TestFolder) -> None:
    """Boots are counted on the node by the suite itself."""
    ledger = lines(folder.faults)
    machines = {
        line["before"]["machine_id"] for line in ledger if line.get("before") and line.get("node") == "n12"
    }
    assert len(machines) == 1, "the node was made once"
    assert len([line for line in ledger if line["event"] == "injected"]) <= 1
    assert [line["proved"] for line in ledger if line["event"] == "healed"][-1] is True


def _see_that_histories_are_whole(folder: TestFolder) -> None:
    histories = Histories(folder.path).whole()
    assert set(histories) == {"integrity", "here"}
    for records in histories.values():
        assert len(acknowledged(records)) > 0
        assert [record.event for record in records].count(Event.START) > 5, "begun again after each kill"


def test_a_command_that_was_under_way_is_unknown_and_not_run_again(desk: Desk) -> None:
    script = "echo x >>$PWD/begun; while [ ! -e $PWD/never ]; do sleep 0.1; done"
    steps: list[dict[str, Any]] = [
        {"step": "custom_command", "name": "slow", "custom_command": ["sh", "-c", script]},
        {"step": "custom_command", "name": "after", "custom_command": ["true"]},
    ]
    write_suite(desk.folder / "suite.json", t=one_test(steps))
    begun = desk.folder / "begun"
    with desk.start("run", "suite.json") as process:
        Deadline(60).wait_for(begun.exists, interval=0.05)
        busy = desk.call("resume")
        assert busy.code == 2
        assert "still running" in busy.said
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    done = desk.call("resume")
    assert done.code == 3, done.said
    assert "may not be repeated" in done.said
    assert begun.read_text() == "x\n"
    assert traces(desk.newest()) == []
    over = desk.call("resume")
    assert over.code == 2
    assert "has ended" in over.said


def test_a_plan_is_run_as_it_is_and_nobody_needs_to_listen(desk: Desk) -> None:
    steps = [{"step": "custom_command", "custom_command": ["true"]}]
    write_suite(desk.folder / "suite.json", t=one_test(steps))
    assert desk.call("plan", "suite.json", "-o", "plan").code == 0
    (desk.folder / "suite.json").unlink()
    with desk.start("run", "plan") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, "")
    assert desk.result().exit_code == 0
    playbook = desk.folder / "plan/playbooks/01-custom-command.yml"
    playbook.write_text(playbook.read_text().replace("true", "false"))
    refused = desk.call("run", "plan")
    assert refused.code == 2
    assert "playbooks/01-custom-command.yml is changed" in refused.said
