"""Clients of a run on real nodes, on the controller and on a node, through a crash of the primary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from real_runs import Real, run_steps
from role_nodes import Cluster

from e2e_ansible.oracle.histories import Histories
from e2e_ansible.oracle.history import Event, Record, acknowledged, unknown_ids
from e2e_ansible.oracle.ranges import difference, to_ranges
from e2e_ansible.verdict import Cause, Verdict

pytestmark = pytest.mark.nodes

STEPS: list[dict[str, Any]] = [
    {"step": "init"},
    {"step": "deploy"},
    {"step": "start_client", "name": "here", "client": "here", "rate": 50, "statement_timeout_seconds": 1},
    {
        "step": "start_client",
        "name": "there",
        "client": "there",
        "place": "n12",
        "workload": "bank",
        "rate": 30,
        "concurrency": 2,
        "synchronous_commit": "on",
    },
    {"step": "crash_node", "target_node": "n11", "method": "destroy"},
    {"step": "start_node", "target_node": "n11"},
    {"step": "validate", "checks": ["cluster_status"], "retry": {"max_attempts": 60, "delay_seconds": 0.5}},
    {"step": "stop_client", "name": "end-here", "client": "here"},
    {"step": "stop_client", "name": "end-there", "client": "there", "place": "n12"},
    {"step": "start_client", "name": "victim", "client": "victim", "place": "n12", "reads": 0},
    {"step": "custom_command", "custom_command": ["true"]},
    {"step": "validate", "name": "last", "checks": ["data_integrity"]},
]


def _numbers(nodes: Cluster, statement: str) -> list[int]:
    return [int(line) for line in nodes.sql("n11", statement).split()]


def _ended(records: Sequence[Record]) -> bool:
    return records[-1].event is Event.STOP and set(records[-1].overhead or ()) == {
        "record_ns_median",
        "late_ns_p99",
        "late_ns_max",
    }


def test_clients_here_and_there_through_a_crash_of_the_primary(tmp_path: Path) -> None:
    seen: dict[str, list[int]] = {}

    def look(nodes: Cluster) -> None:
        seen["rows"] = _numbers(nodes, "select id from e2e.append_here")
        seen["accounts"] = _numbers(nodes, "select balance from e2e.bank_there")
        nodes.ssh("n12", "systemctl kill --signal=KILL e2e-client-victim.service")

    real = run_steps(tmp_path, STEPS, acts={"custom_command": look}, size=2)
    assert real.decided("validate") == (Verdict.FAIL, Cause.HARNESS)
    assert "the client victim on n12 has died" in str(real.test.error)
    folder = real.folder / real.test.folder
    histories = Histories(folder).whole()
    assert sorted(histories) == ["here", "integrity", "there", "victim"]
    _every_row_is_accounted_for(histories["here"], seen["rows"])
    _the_bank_was_seen_from_the_node(histories["there"], seen["accounts"])
    assert acknowledged(histories["victim"])
    assert not _ended(histories["victim"])
    _looks_are_cut(real, folder)


def _every_row_is_accounted_for(records: Sequence[Record], rows: Sequence[int]) -> None:
    assert _ended(records)
    present = to_ranges(rows)
    assert difference(acknowledged(records), present) == ()
    undecided = to_ranges(unknown_ids(records))
    assert difference(difference(present, acknowledged(records)), undecided) == ()
    outcomes = {record.event for record in records}
    assert Event.OK in outcomes
    assert outcomes & {Event.FAIL, Event.UNKNOWN}, "it felt nothing of the crash"
    assert all(record.timeline for record in records if record.event is Event.OK)


def _the_bank_was_seen_from_the_node(records: Sequence[Record], accounts: Sequence[int]) -> None:
    assert _ended(records)
    assert sum(accounts) == 800
    reads = [record.value for record in records if record.event is Event.OK and record.op == "read"]
    assert reads
    assert {sum(balances) for balances in reads} == {800}
    start = records[0]
    assert start.controller_wall is not None
    assert start.uncertainty is not None
    # The nodes of this provider share the clock of the controller.
    assert abs(start.controller_wall - start.wall) <= start.uncertainty + 50_000_000


def _looks_are_cut(real: Real, folder: Path) -> None:
    journal = (folder / "journal.jsonl").read_text()
    assert '"histories":{"integrity":' in journal
    (history,) = (client for client in real.test.clients if client.name == "here")
    assert history.ok > 0
