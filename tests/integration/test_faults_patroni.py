"""Faults of a cluster with automatic failover: one deployment of Patroni on three nodes takes all of them, one after
the other, and an interrupt in the middle of the last.

After each heal the cluster is whole again by the word of Patroni, PostgreSQL and etcd. `-s` shows the table.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, a_desk, traces, write_suite

from e2e_ansible.deadline import Deadline
from e2e_ansible.faults.ledger import FaultRecord, read
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.result import TestResult as Result

pytestmark = pytest.mark.nodes

Step = dict[str, Any]
_RUN_SECONDS = 420
WHOLE = ["cluster_status", "patroni_healthy", "patroni_leader", "database_running"]
RETRY = {"max_attempts": 120, "delay_seconds": 0.3}


def fault(name: str, kind: str, target: str, **more: Any) -> Step:
    """A step that injects."""
    return {"step": "fault", "name": name, "fault": kind, "target": target, **more}


def heal(name: str) -> list[Step]:
    """A step that heals, and one that waits until the cluster is whole."""
    return [{"step": "heal", "name": f"un{name}", "fault": name}, whole(f"after-{name}")]


def whole(name: str) -> Step:
    """All nodes run, one leads, the others follow."""
    return {"step": "validate", "name": name, "checks": WHOLE, "retry": RETRY}


def look(name: str, *checks: str, **more: Any) -> Step:
    """A step that waits until these hold; the others are recorded."""
    others = [check for check in WHOLE if check not in checks]
    return {
        "step": "validate",
        "name": name,
        "checks": list(checks),
        "allow_failures": others,
        "retry": RETRY,
        **more,
    }


def everywhere(name: str, command: str) -> Step:
    """A command of the shell on every node."""
    targets = ["n11", "n12", "n13"]
    return {
        "step": "custom_command",
        "name": name,
        "targets": targets,
        "shell": True,
        "custom_command": [command],
    }


IN_RECOVERY = "cd / && runuser -u postgres -- psql -XAtc 'select pg_is_in_recovery()' postgres"
REMEMBER = f"{IN_RECOVERY} >/root/was"
DEMOTED = (
    f'for try in $(seq 150); do [ "$(cat /root/was)" = t ] || [ "$({IN_RECOVERY})" = t ] && exit 0; '
    "sleep 0.2; done; exit 1"
)


def process(kind: str, name: str, **more: Any) -> Step:
    """`kill` or `pause` of a process on a replica."""
    return fault(f"{kind}-{name}", kind, "replica", options={"process": name}, **more)


STEPS: tuple[Step, ...] = (
    {"step": "deploy", "name": "deploy"},
    whole("deployed"),
    # processes
    process("kill", "postgres"),
    *heal("kill-postgres"),
    process("kill", "patroni"),
    *heal("kill-patroni"),
    process("kill", "etcd", seed=3),
    *heal("kill-etcd"),
    process("pause", "postgres", for_seconds=0.1),
    process("pause", "patroni", for_seconds=0.1),
    process("pause", "etcd", for_seconds=0.1),
    whole("after-pauses"),
    # the disk of a replica
    fault("flip", "corruption", "replica", options={"relation": "pg_database"}),
    *heal("flip"),
    # power
    fault("crash", "crash", "replica"),
    look("crashed", "cluster_degraded"),
    *heal("crash"),
    fault("power-off", "power_off", "primary"),
    look("taken-over", "cluster_degraded"),
    *heal("power-off"),
    fault("stop", "stop", "random", seed=5),
    *heal("stop"),
    fault("reboot", "reboot", "replica"),
    *heal("reboot"),
    # halves, then the leader alone: another one leads, and the old one takes no more writes
    fault("halves", "partition", "majority", options={"shape": "halves"}, for_seconds=0.1),
    whole("after-halves"),
    everywhere("remember", REMEMBER),
    fault("isolate", "partition", "primary"),
    everywhere("demoted", DEMOTED),
    look("failover", "cluster_degraded"),
    {"step": "heal", "name": "unisolate", "fault": "isolate"},
    look("after-isolate", "cluster_degraded"),
    # by chance, and interrupted
    fault("drawn", "partition", "random", seed=4, for_seconds=600),
)


@dataclass(frozen=True)
class Ran:
    """The run, from its beginning to the interrupt and its end."""

    folder: Path
    code: int
    said: str
    result: Result
    seconds: float

    @property
    def test_folder(self) -> Path:
        (found,) = self.folder.glob("tests/*")
        return found

    @property
    def ledger(self) -> Mapping[str, FaultRecord]:
        """The last record of each name that can be healed."""
        return {record.name: record for record in read(self.test_folder / "faults.jsonl") if record.heal}

    @property
    def effects(self) -> Mapping[str, str]:
        """What the effect probe of each fault said."""
        lines = map(json.loads, (self.test_folder / "faults.jsonl").read_text().splitlines())
        return {line["fault_id"]: line.get("message", "") for line in lines if line["event"] == "effect"}

    def step(self, name: str) -> StepResult:
        return next(step for step in self.result.workflow_steps if step.id.partition("-")[2] == name)

    def says(self, step: str, check: str) -> str:
        """What a check said last in a step."""
        (found,) = (each for each in self.step(step).validation_results if each.check == check)
        return str(found.message)


def interrupted(desk: Desk, run: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait until the last fault is there, and interrupt the run in the middle of it."""

    def drawn() -> bool:
        ledgers = list(desk.runs.glob("*/tests/*/faults.jsonl"))
        records = read(ledgers[0]) if ledgers else []
        return any(record.name == "drawn" and record.effect_proved for record in records)

    assert Deadline(_RUN_SECONDS).wait_for(lambda: drawn() or run.poll() is not None, 0.2)
    if run.poll() is None:
        os.kill(run.pid, signal.SIGINT)
    return run.communicate(timeout=120)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    parameters = {
        "cluster_size": 3,
        "database": "patroni",
        "patroni_settings": {"ttl": 10, "loop_wait": 2, "retry_timeout": 4},
        "admin_ui": False,
        "postgres_settings": {"shared_buffers": "64MB"},
    }
    with a_desk(tmp_path_factory.mktemp("faults-patroni")) as desk:
        test = {"parameters": parameters, "workflow": list(STEPS)}
        suite = write_suite(desk.folder / "s.json", test=test)
        begin = time.monotonic()
        with desk.start("run", str(suite)) as run:
            try:
                out, err = interrupted(desk, run)
            finally:
                if run.poll() is None:
                    os.killpg(run.pid, signal.SIGKILL)
        seconds = time.monotonic() - begin
        (result,) = desk.result().tests
        yield Ran(desk.newest(), run.returncode, out + err, result, seconds)


def test_every_fault_and_every_heal_is_proved(ran: Ran) -> None:
    print(f"\n{ran.seconds:.0f} s", {step.id: round(step.duration, 1) for step in ran.result.workflow_steps})
    for name, record in ran.ledger.items():
        effect = ran.effects.get(record.id, "")
        print(f"| {name} | {record.fault} on {record.node} | {effect} | {record.message} |")
    wrong = [
        (step.id, step.verdict, step.error)
        for step in ran.result.workflow_steps[:-1]
        if step.verdict != "pass"
    ]
    assert wrong == [], ran.said
    names = {step["name"] for step in STEPS if step["step"] == "fault"}
    assert ran.ledger.keys() == names
    assert [name for name, record in ran.ledger.items() if not record.effect_proved or record.open] == []


def test_an_isolated_leader_is_replaced_and_takes_no_more_writes(ran: Ran) -> None:
    """What the cluster does when the old leader is back is its own affair: Patroni 3.0 may hand the lock back to it."""
    old = ran.ledger["isolate"].node
    chosen = ran.step("isolate").proofs[0].how
    assert (
        chosen == f"primary: Patroni says that {old} leads, and PostgreSQL on {old} is not in recovery: {old}"
    )
    assert ran.says("after-halves", "patroni_leader").startswith(f"{old} leads")
    assert ran.step("demoted").verdict == "pass"
    assert not ran.says("failover", "patroni_leader").startswith(f"{old} leads")


def test_without_power_the_leader_is_replaced(ran: Ran) -> None:
    old = ran.ledger["power-off"].node
    assert ran.says("crashed", "cluster_status") != ""
    assert not ran.says("after-power-off", "patroni_leader").startswith(f"{old} leads")


def test_chance_has_a_seed(ran: Ran) -> None:
    assert "of n11, n12, n13 that answer, by seed 5" in ran.step("stop").proofs[0].how


def test_an_interrupt_in_the_middle_of_a_fault_heals_it(ran: Ran) -> None:
    assert ran.code == 130, ran.said
    assert ran.ledger["drawn"].healed
    assert traces(ran.folder) == []
