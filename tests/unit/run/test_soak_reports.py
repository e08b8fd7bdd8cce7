"""The reports of a soak: written once, byte-equal ever after, renewed when the soak has gone on, red when changed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.cycles import PHASES, Simulated
from benchmarks.cycles import soak as simulated_soak
from e2e_ansible import __version__
from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.report.soak_words import cycle_folder
from e2e_ansible.run.analysis import Agreement
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.soak_numbers import METRICS, is_soak, read_soak
from e2e_ansible.run.soak_reports import ANALYSIS, PAGE, TABLE, analyze_soak_run, write_soak_reports
from e2e_ansible.soak.options import SoakOptions
from tests.unit.soak_folders import SimulatedSoak, Trouble, alert, injection, make_soak

RENEW = bool(os.environ.get("E2E_RENEW_SOAK"))
GOLDEN = Path(__file__).parents[2] / "data/soak"
PLANTED = SimulatedSoak(
    cycles=40,
    seed=7,
    growing={"activation": 0.6},
    troubles={17: Trouble(), 23: Trouble("primary_prep", cause=None), 30: Trouble()},
    injected={
        9: injection("pause_backup", "activation"),
        12: injection("delay_restore", "preflight", success=False),
    },
    alerts={
        12: alert("REPLICATION_LAG", "activation"),
        33: alert("BACKUP_FAILURE", "preflight", ended=False),
    },
)
CLEAN = SimulatedSoak(cycles=20, seed=8)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return make_soak(tmp_path, SimulatedSoak(cycles=6, troubles={3: Trouble()}))


def agreements(run: RunFolder, *, write: bool = False) -> list[Agreement]:
    return [one.agreement for one in analyze_soak_run(run, write=write).files]


@pytest.mark.parametrize(("name", "soak"), [("planted", PLANTED), ("clean", CLEAN)])
def test_the_analysis_and_the_page_are_as_they_were(tmp_path: Path, name: str, soak: SimulatedSoak) -> None:
    """To renew them: E2E_RENEW_SOAK=1 python -m pytest tests/unit/run/test_soak_reports.py"""
    run = make_soak(tmp_path, soak, f"20261121-120000-{name}")
    for file, made in analyze_soak_run(run).texts.items():
        golden = GOLDEN / name / file
        text = made.replace(f"e2e-ansible {__version__}", "e2e-ansible VERSION")
        if RENEW:
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(text)
        assert golden.read_text() == text, file


def test_reports_are_written_once_and_then_byte_equal(run: RunFolder) -> None:
    first = analyze_soak_run(run)
    assert first.stale and first.fine and not first.equal
    assert {one.agreement for one in first.files} == {Agreement.MISSING}
    again = analyze_soak_run(run)
    assert again.equal and again.fine and not again.stale
    assert [one.file for one in again.files] == [ANALYSIS, TABLE, PAGE]


def test_a_copy_elsewhere_gives_the_same(run: RunFolder, tmp_path: Path) -> None:
    write_soak_reports(run)
    copy = tmp_path / "elsewhere" / run.run_id
    shutil.copytree(run.path, copy)
    assert analyze_soak_run(RunFolder.open(copy)).equal


@pytest.mark.parametrize("file", [ANALYSIS, TABLE, PAGE])
def test_a_report_that_says_something_else_is_red_until_it_is_replaced(run: RunFolder, file: str) -> None:
    write_soak_reports(run)
    right = (run.path / file).read_text()
    (run.path / file).write_text(
        right.replace("5", "6", 1) if file != ANALYSIS else right.replace("passed", "pasted", 1)
    )
    found = analyze_soak_run(run)
    assert not found.fine
    assert [one.file for one in found.files if one.agreement is Agreement.DIFFERS] == [file]
    assert (run.path / file).read_text() != right, "nothing is replaced unasked"
    assert not analyze_soak_run(run, write=True).fine
    assert (run.path / file).read_text() == right
    assert analyze_soak_run(run).equal


def test_a_soak_that_has_gone_on_has_old_reports_not_wrong_ones(run: RunFolder, tmp_path: Path) -> None:
    longer = make_soak(tmp_path / "longer", SimulatedSoak(cycles=8, troubles={3: Trouble()}), run.run_id)
    write_soak_reports(run)
    shutil.copy(longer.path / METRICS, run.path / METRICS)
    found = analyze_soak_run(run)
    assert found.stale and found.fine
    assert json.loads((run.path / ANALYSIS).read_text())["cycles"]["ended"] == 8


def test_one_report_that_is_missing_is_written(run: RunFolder) -> None:
    write_soak_reports(run)
    (run.path / TABLE).unlink()
    found = analyze_soak_run(run)
    assert found.fine and not found.stale
    assert (run.path / TABLE).exists()


def test_a_last_line_that_is_torn_is_left_out_and_told(run: RunFolder) -> None:
    file = run.path / METRICS
    whole = read_soak(run)
    file.write_bytes(file.read_bytes() + b'{"metric_type":"cycle_st')
    torn = read_soak(run)
    assert torn.source.torn and not whole.source.torn
    assert (torn.source.bytes, torn.source.sha256) == (whole.source.bytes, whole.source.sha256)
    assert torn.series.tally() == whole.series.tally()
    assert "was torn" in analyze_soak_run(run).texts[PAGE]


@pytest.mark.parametrize("cut", [0, 1, 50, 500, 1500])
def test_however_the_file_is_cut_the_rest_is_read(run: RunFolder, cut: int) -> None:
    file = run.path / METRICS
    file.write_bytes(file.read_bytes()[:cut])
    assert analyze_soak_run(run).found.cycles.ended <= 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{}", "this is no record of a soak: Unable to extract tag"),
        ("nonsense", "Invalid JSON"),
        ('{"metric_type":"cycle_end","timestamp":"x","run_id":"r"}', "cycle_end.cycle_id: Field required"),
        (
            '{"metric_type":"cycle_start","timestamp":"x","run_id":"r","cycle_id":"c","cycle_num":0}',
            "cycle 0 comes after cycle 6",
        ),
    ],
)
def test_a_line_in_the_middle_that_cannot_be_read_is_named(run: RunFolder, line: str, words: str) -> None:
    file = run.path / METRICS
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, line, *lines[-1:]]) + "\n")
    with pytest.raises(HarnessError) as raised:
        read_soak(run)
    assert f"metrics.jsonl:{len(lines) + 1}: " in str(raised.value)
    assert words in str(raised.value)


def test_a_soak_without_metrics_and_a_run_that_is_none(run: RunFolder) -> None:
    (run.path / METRICS).unlink()
    assert not is_soak(run)
    with pytest.raises(UsageError, match="is no soak"):
        read_soak(run)
    (run.path / "soak.json").write_text("{}")
    assert is_soak(run)
    with pytest.raises(HarnessError, match="no such file"):
        read_soak(run)


def test_a_report_that_cannot_be_read_is_told(run: RunFolder) -> None:
    (run.path / ANALYSIS).mkdir()
    with pytest.raises(HarnessError, match=r"analysis\.json cannot be read"):
        analyze_soak_run(run)


def test_what_the_loop_of_a_soak_writes_can_be_analyzed(tmp_path: Path) -> None:
    failing = Simulated(lambda cycle, step: int(cycle == 2 and step == "activation"))
    result, run = simulated_soak(tmp_path, SoakOptions(cycles=3, cooldown=0), engine=failing)
    found = write_soak_reports(run)
    assert result.soak is not None
    assert (found.cycles.passed, found.cycles.failed) == (result.soak.passed, result.soak.failed) == (2, 1)
    assert [one.name for one in found.phases] == list(PHASES)
    assert (found.failures[0].cycle, found.cycles.swapped) == (2, result.soak.swaps)
    assert (run.path / cycle_folder(2)).is_dir()
    assert analyze_soak_run(run).equal


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 12_000), junk=st.binary(max_size=12), cut=st.integers(0, 60))
def test_whatever_is_done_to_the_records_there_is_an_analysis_or_one_sentence(
    run: RunFolder, place: int, junk: bytes, cut: int
) -> None:
    file = run.path / METRICS
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[:place] + junk + whole[place + cut :])
        analyze_soak_run(run)
    except HarnessError as error:
        assert "metrics.jsonl:" in str(error)
    finally:
        file.write_bytes(whole)
