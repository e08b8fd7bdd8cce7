"""Kill -9 of the controller at the end of every step and inside every step, on real nodes, until it is done."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from held_runs import Killer, lines
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


class Word(StepType[StepOptions]):
    name = "last_word"
    summary = "Come after the nodes are gone"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        tasks = [{"name": "Say it", "ansible.builtin.debug": {"msg": "done"}}]
        made = play("Say the last word", "localhost", connection="local", tasks=tasks)
        return CompiledStep([made], ("localhost",), replay=Replay.REPEATABLE)


register(Boots)
register(Booted)
register(Word)
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
    {"step": "last_word"},
]
#: What the ledger says of each when a kill hits it right after.
IN_THE_LEDGER = {"crash_node": "intended", "restart_node": "intended", "fault": "effect", "heal": "healing"}


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
    steps = list(killer.steps)
    assert killer.struck_inside == set(steps)
    assert killer.ended == set(steps[:-1])
    for kind, event in IN_THE_LEDGER.items():
        assert kind in {killer.steps[step] for step in killer.struck_at(event)}
    assert len(test.resumptions) == len(killer.struck)
    assert all(step.verdict == "pass" for step in test.workflow_steps)
    _see_that_acts_were_done_once(killer.test)
    _see_that_histories_are_whole(killer.test)
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
