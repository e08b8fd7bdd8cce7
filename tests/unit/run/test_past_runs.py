"""The runs that there were: in order, with their numbers, a trend against those before, and their errors."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from test_run_comparing import ordinary

from e2e_ansible.run.past import past_runs
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.reports import write_reports
from e2e_ansible.run.soak_numbers import METRICS
from e2e_ansible.verdict import Cause, Verdict
from tests.unit.soak_folders import BEGIN, SimulatedSoak, Trouble, make_soak


def soak(day: int, **settings: object) -> SimulatedSoak:
    return SimulatedSoak(seed=day, begin=BEGIN + timedelta(days=day), **settings)  # type: ignore[arg-type]


def test_soaks_are_told_oldest_first_with_their_trend(tmp_path: Path) -> None:
    for day in range(8):
        make_soak(tmp_path, soak(day, cycles=15))
    phases = ("preflight", "primary_prep", "activation", "post_activation", "finalization")
    make_soak(tmp_path, soak(8, cycles=15, slower=dict.fromkeys(phases, 2.0), troubles={3: Trouble()}))
    make_soak(tmp_path, soak(9, cycles=15, slower=dict.fromkeys(phases, 0.4)))
    found = list(past_runs(tmp_path))
    assert [one.run_id for one in found] == sorted(one.run_id for one in found)
    assert found[0].trend == "first"
    assert (found[8].trend, found[9].trend) == ("slower", "faster")
    assert (found[8].verdict, found[8].cause, found[8].failed) == (Verdict.FAIL, Cause.PRODUCT, 1)
    assert (found[9].verdict, found[9].passed, found[9].cycles) == (Verdict.PASS, 15, 15)
    assert found[9].p50 is not None and found[9].p95 is not None and found[9].outage is not None
    assert found[9].p50 < found[9].p95


def test_a_soak_is_compared_only_with_soaks_of_its_suite(tmp_path: Path) -> None:
    make_soak(tmp_path, soak(1, cycles=3))
    make_soak(tmp_path, soak(2, cycles=3), suite="other.yaml")
    ordinary(tmp_path, "survives", 25, suite="other.yaml")
    assert [one.trend for one in past_runs(tmp_path)] == ["first", "first", "first"]


def test_a_soak_of_which_nothing_is_known(tmp_path: Path) -> None:
    make_soak(tmp_path, soak(1, cycles=0))
    make_soak(tmp_path, soak(2, cycles=2, troubles={1: Trouble(verdict=Verdict.UNKNOWN, cause=None)}))
    make_soak(tmp_path, soak(3, cycles=1, troubles={1: Trouble(cause=Cause.INFRASTRUCTURE)}))
    nothing, open_, apart = past_runs(tmp_path)
    assert (nothing.verdict, nothing.trend, nothing.p50) == (Verdict.UNKNOWN, "", None)
    assert (open_.verdict, open_.unknown) == (Verdict.UNKNOWN, 1)
    assert (apart.verdict, apart.apart, apart.failed) == (Verdict.UNKNOWN, 1, 0)


def test_ordinary_runs_have_their_result_written_or_not(tmp_path: Path) -> None:
    judged, written = ordinary(tmp_path, "survives", 1), ordinary(tmp_path, "survives", 2)
    failed = ordinary(tmp_path, "failing_check", 3)
    write_reports(written, read_run(written))
    found = {one.run_id: one for one in past_runs(tmp_path)}
    one, two = found[judged.run_id], found[written.run_id]
    assert (one.verdict, one.passed, one.soak, one.trend) == (Verdict.PASS, 1, False, "first")
    assert (two.p50, two.trend) == (one.p50, "unclear")
    assert (found[failed.run_id].verdict, found[failed.run_id].p50, found[failed.run_id].trend) == (
        Verdict.FAIL,
        None,
        "",
    )


def test_dry_runs_are_left_out_and_runs_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    dry, torn, bad = (make_soak(tmp_path, soak(day, cycles=2)) for day in (1, 2, 3))
    dry.write_manifest(dry.manifest().model_copy(update={"dry_run": True}))
    (torn.path / METRICS).write_text("nonsense\n")
    (bad.path / "run.json").write_text("{")
    (tmp_path / "notes").mkdir()
    found = list(past_runs(tmp_path))
    assert [one.run_id for one in found] == [torn.run_id, bad.run_id]
    assert "metrics.jsonl:1" in found[0].error
    assert "run.json cannot be read" in found[1].error
