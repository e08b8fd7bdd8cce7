"""Cycles on real nodes: killed in a cycle and between two, rows of earlier cycles that are lost, an interrupt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, one_test, traces, write_suite
from role_nodes import Cluster

from e2e_ansible.providers.local.driver import LocalProvider
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.metrics import read
from e2e_ansible.soak.records import CycleEnd
from e2e_ansible.soak.result import read_soak
from e2e_ansible.verdict import Verdict

pytestmark = pytest.mark.nodes

Notice = Mapping[str, Any]
CLIENT = {"client": "load", "phase": "activation"}
STEPS = [
    {"step": "deploy"},
    {"step": "validate", "checks": ["database_running"], "phase": "preflight"},
    {"step": "start_client", "rate": 50, "reads": 0.3, **CLIENT},
    {"step": "custom_command", "name": "work", "custom_command": ["sleep", "1"], "phase": "activation"},
    {"step": "stop_client", **CLIENT},
    {
        "step": "validate",
        "name": "rows",
        "checks": ["no_lost_rows:load", "outage_writes:30:load"],
        "phase": "post_activation",
    },
    {"step": "validate", "name": "last", "checks": ["database_running"]},
]


def until(process: subprocess.Popen[str], holds: Callable[[Notice], bool]) -> None:
    """Read what a command says until a notice comes."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("{") and holds(json.loads(line)):
            return
    raise AssertionError("".join(said[-20:]) + (process.stderr.read() if process.stderr else ""))


def kill(process: subprocess.Popen[str]) -> None:
    """As a machine does that has no memory left."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def in_cycle(cycle: int, step: str) -> Callable[[Notice], bool]:
    """A step of a cycle begins."""
    seen = [0]

    def holds(notice: Notice) -> bool:
        seen[0] = notice["cycle"] if notice["kind"] == "cycle_started" else seen[0]
        return bool(seen[0] == cycle and notice["kind"] == "step_started" and notice["step"].endswith(step))

    return holds


def after_cycle(cycle: int) -> Callable[[Notice], bool]:
    """The line of a cycle is told, so its state is saved."""
    return lambda notice: notice["kind"] == "message" and notice["text"].startswith(f"cycle {cycle} of")


def cluster(desk: Desk, folder: SoakFolder) -> Cluster:
    """The nodes that all cycles have."""
    (name,) = {test.deployment for test in folder.run.manifest().tests}
    return Cluster(LocalProvider(desk.home), name, desk.folder)


def test_a_soak_outlives_kills_and_sees_that_rows_of_earlier_cycles_are_lost(desk: Desk) -> None:
    """Killed in its second cycle and in the pause after it; then rows that the first had acknowledged are deleted."""
    suite = str(write_suite(desk.folder / "suite.json", turns=one_test(STEPS)))
    first = desk.start("run", suite, "--cycles", "4", "--cooldown", "0", "--json")
    until(first, in_cycle(2, "rows"))
    kill(first)
    run = RunFolder.open(desk.newest())
    folder = SoakFolder(run)
    before = folder.read_state()
    assert (before.last_completed_cycle, before.tally.passed, before.under_way is not None) == (1, 1, True)
    second = desk.start("run", suite, "--resume", "--cooldown", "900", "--json")
    until(second, after_cycle(2))
    kill(second)
    between = folder.read_state()
    assert (between.last_completed_cycle, between.tally.passed, between.under_way) == (2, 2, None)
    held = between.rows["load"]
    assert held > before.rows["load"] > 0
    delete = "delete from e2e.append_load where id in (select id from e2e.append_load order by id limit 7)"
    cluster(desk, folder).ssh("n11", f'sudo -u postgres psql -qc "{delete}" postgres')
    done = desk.call("run", suite, "--resume", "--cooldown", "0")
    assert done.code == 1, done.said
    ends = {record.cycle_num: record for record in read(folder.metrics) if isinstance(record, CycleEnd)}
    assert [ends[number].verdict for number in (1, 2, 3, 4)] == [
        Verdict.PASS,
        Verdict.PASS,
        Verdict.FAIL,
        Verdict.PASS,
    ], done.said
    assert f"counted {held - 7} rows of earlier cycles" in ends[3].error
    assert "at least 7 are lost" in ends[3].error
    assert ends[3].clients["load"].lost == 7
    kinds = Counter((record.metric_type, record.cycle_num) for record in read(folder.metrics))
    assert {kinds[kind, number] for kind in ("cycle_start", "cycle_end") for number in (1, 2, 3, 4)} == {1}
    assert folder.read_state().started == before.started
    assert read_soak(run) == desk.result()
    assert desk.call("report", run.run_id).code == 1
    assert traces(run.path) == []


def test_an_interrupt_ends_a_soak_in_order(desk: Desk) -> None:
    """The cycle is cut off, the nodes that all cycles shared are gone, and that is no pass."""
    desk.allow_make_nodes()
    wait = {"step": "custom_command", "name": "wait", "custom_command": ["sleep", "600"], "phase": "one"}
    suite = write_suite(desk.folder / "suite.json", turns=one_test([{"step": "make_nodes"}, wait]))
    process = desk.start("run", str(suite), "--cycles", "2", "--json")
    until(process, in_cycle(1, "wait"))
    os.kill(process.pid, signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    result = desk.result()
    assert result.soak is not None
    assert (result.soak.stopped, result.soak.unknown, result.soak.passed) == ("interrupted", 1, 0)
    assert "was removed" in result.soak.clean_up
    assert traces(desk.newest()) == []
    again = desk.call("run", str(suite), "--resume")
    assert again.code == 2
    assert "were removed" in again.said


def test_a_rehearsal_makes_no_node(desk: Desk) -> None:
    """It goes through two cycles, writes every file, and ends with 0; there is nothing to remove."""
    suite = write_suite(desk.folder / "suite.json", turns=one_test(STEPS))
    done = desk.call("run", str(suite), "--cycles", "2", "--dry-run")
    assert done.code == 0, done.said
    assert "nothing was tested" in done.said
    run: Path = desk.newest()
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["dry_run"], summary["success_count"], len(summary["cycles"])) == (True, None, 2)
    assert traces(run) == []
