"""The files of a soak: records that are there when it is killed, phases, packed cycles, tables."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest

from e2e_ansible.errors import HarnessError
from e2e_ansible.run.folder import TestFolder
from e2e_ansible.soak.metrics import MetricsLog, read
from e2e_ansible.soak.pack import PACKED, is_packed, pack, unpacked
from e2e_ansible.soak.phases import PhaseOutcome
from e2e_ansible.soak.records import CycleEnd, CycleStart
from e2e_ansible.soak.tables import add_results, drop_results
from e2e_ansible.verdict import Verdict


def start(number: int) -> CycleStart:
    """A record."""
    return CycleStart(
        timestamp="2026-01-01T00:00:00Z", run_id="r", cycle_num=number, cycle_id=f"cycle_{number:03d}"
    )


def end(number: int, verdict: Verdict | None = Verdict.PASS) -> CycleEnd:
    """A record."""
    return CycleEnd(
        timestamp="2026-01-01T00:00:09.000Z",
        run_id="r",
        cycle_num=number,
        cycle_id=f"cycle_{number:03d}",
        success=verdict is Verdict.PASS,
        verdict=verdict,
        duration_seconds=9,
        primary_context="site_a",
        secondary_context="site_b",
    )


def test_records_are_there_when_they_are_told(tmp_path: Path) -> None:
    """Nobody else can read them, and a line that a kill has torn is no part of them."""
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    log.append(start(1))
    assert [record.cycle_num for record in read(path)] == [1]
    log.close()
    with path.open("a") as file:
        file.write('{"timestamp": "2026-')
    assert [record.cycle_num for record in read(path)] == [1]
    again = MetricsLog(path)
    again.append(start(2))
    again.close()
    assert [record.cycle_num for record in read(path)] == [1, 2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_no_record_is_told_with_its_line(tmp_path: Path) -> None:
    """In the middle of the file something else is wrong than a kill."""
    path = tmp_path / "metrics.jsonl"
    path.write_text("{}\n")
    with pytest.raises(HarnessError, match=r"metrics\.jsonl:1"):
        list(read(path))
    assert list(read(tmp_path / "none.jsonl")) == []


def test_records_of_a_rehearsal_say_so(tmp_path: Path) -> None:
    """Each line of them."""
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, dry_run=True)
    log.append(start(1))
    log.close()
    assert json.loads(path.read_text())["dry_run"] is True
    assert [record.cycle_num for record in read(path)] == [1]


def test_the_table_has_a_line_for_each_phase_and_cycle_once(tmp_path: Path) -> None:
    """A cycle that is counted once more after a kill takes the place of what it had."""
    path = tmp_path / "cycle_results.csv"
    phases = [PhaseOutcome("activation", Verdict.FAIL, 0.0, 4.0), PhaseOutcome("end", Verdict.PASS, 4.0, 9.0)]
    for number in (1, 11, 2):
        add_results(path, end(number), phases, number, 0.0)
    with path.open("a") as file:
        file.write("2,half a li")
    drop_results(path, 2, fresh=False)
    add_results(path, end(2, None), [], 2, 0.0)
    rows = list(csv.DictReader(path.open()))
    assert [(row["cycle"], row["phase"], row["status"]) for row in rows] == [
        ("1", "activation", "1"),
        ("1", "end", "0"),
        ("1", "", "0"),
        ("11", "activation", "1"),
        ("11", "end", "0"),
        ("11", "", "0"),
        ("2", "", ""),
    ]
    assert rows[0]["duration_seconds"] == "4.000"
    assert rows[-1]["verdict"] == "rehearsed; nothing was tested"
    assert rows[0]["exit_code"] == rows[0]["status"]


def packable(place: Path) -> TestFolder:
    """A cycle with a plan that is elsewhere."""
    (place / "plans/x").mkdir(parents=True)
    (place / "plans/x/plan.json").write_text("{}")
    folder = TestFolder(place / "cycles/0001")
    folder.path.mkdir(parents=True)
    folder.plan.symlink_to("../../plans/x")
    (folder.path / "histories").mkdir()
    (folder.path / "histories/load.jsonl").write_text("{}\n" * 1000)
    folder.journal.write_text("{}\n")
    return folder


def test_a_cycle_that_passed_is_one_file(tmp_path: Path) -> None:
    """Whoever reads it finds everything as it was, and leaves nothing."""
    folder = packable(tmp_path)
    pack(folder)
    pack(folder)
    assert sorted(path.name for path in folder.path.iterdir()) == [PACKED, "plan"]
    assert stat.S_IMODE((folder.path / PACKED).stat().st_mode) == 0o600
    with unpacked(folder) as whole:
        assert (whole.path / "histories/load.jsonl").read_text() == "{}\n" * 1000
        assert whole.journal.read_text() == "{}\n"
        assert (whole.plan / "plan.json").read_text() == "{}"
        place = whole.path
    assert not place.exists()


def test_a_kill_while_a_cycle_is_packed_loses_nothing(tmp_path: Path) -> None:
    """Before the file is whole the folder is; afterwards the file is."""
    folder = packable(tmp_path)
    (folder.path / f".{PACKED}.new").write_text("half of it")
    assert not is_packed(folder)
    with unpacked(folder) as whole:
        assert whole.journal.exists()
    pack(folder)
    folder.journal.write_text("left by a kill\n")
    with unpacked(folder) as whole:
        assert whole.journal.read_text() == "{}\n"
    pack(folder)
    assert not folder.journal.exists()


def test_a_spoiled_pack_is_an_error(tmp_path: Path) -> None:
    """And no empty cycle."""
    folder = packable(tmp_path)
    pack(folder)
    (folder.path / PACKED).write_bytes(b"\x1f\x8b nothing")
    with pytest.raises(HarnessError, match="cannot be read"), unpacked(folder):
        pass
