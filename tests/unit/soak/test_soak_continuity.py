"""Rows over cycles: each cycle has numbers of its own, and those that were acknowledged before must still be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ansible.oracle.config import ClientConfig
from e2e_ansible.oracle.cycle import Cycle
from e2e_ansible.oracle.history_file import HistoryFile
from e2e_ansible.oracle.workloads import workload

SECOND = 1_000_000_000


def config(place: Path, **more: object) -> ClientConfig:
    """A client."""
    return ClientConfig(hosts=("h",), history=place / "history.jsonl", name="load").change(**more)


def test_numbers_of_one_cycle_are_never_those_of_another(tmp_path: Path) -> None:
    """Also after the client was started again in the same cycle."""
    third = config(tmp_path, cycle=3)
    file = HistoryFile(third.history, third.first)
    number, _ = file.invoke(lambda number: ("append", number))
    assert number == 3_000_000_001
    copy = tmp_path / "copy.jsonl"  # the client that wrote the first has it open
    copy.write_bytes(third.history.read_bytes())
    assert HistoryFile(copy, third.first).last == 3_000_000_001
    assert config(tmp_path).first == 0


@pytest.mark.parametrize("name", ["bank", "register", "list-append"])
def test_what_is_not_only_added_to_begins_anew(tmp_path: Path, name: str) -> None:
    """In a table of the cycle; that of the cycle before is removed."""
    tables = [config(tmp_path, cycle=number, workload=name).table for number in range(4)]
    assert len(set(tables)) == 4
    setup = workload(config(tmp_path, cycle=3, workload=name)).setup()
    assert f"drop table if exists {tables[2]};" in setup
    assert "drop" not in workload(config(tmp_path, cycle=1, workload=name)).setup()


def test_rows_are_added_to_one_table(tmp_path: Path) -> None:
    """Over all cycles, and none of it is removed."""
    assert {config(tmp_path, cycle=number).table for number in range(4)} == {"e2e.append_load"}
    assert "drop" not in workload(config(tmp_path, cycle=3)).setup()


def test_a_client_is_told_what_must_be_there() -> None:
    """On the controller by its configuration, on a node by the environment of the role."""
    cycle = Cycle(3, {"load": 50})
    assert cycle.settings("load") == {"cycle": 3, "earlier": 50}
    assert cycle.settings("other") == {"cycle": 3, "earlier": 0}
    assert cycle.environment() == {"E2E_CYCLE": "3", "E2E_EARLIER_ROWS": '{"load": 50}'}
    assert (Cycle().settings("load"), Cycle().environment()) == ({}, {})
