"""Runs against earlier ones: soaks by their cycles, others by steps and verdicts, and what cannot be compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from run_replay import CASES

from e2e_ansible.analysis.rule import Rule
from e2e_ansible.analysis.sheet import Answer
from e2e_ansible.errors import UsageError
from e2e_ansible.run.comparing import compare_runs
from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder
from e2e_ansible.run.measured import measure, suite_name
from tests.unit.soak_folders import SimulatedSoak, make_soak


def ordinary(runs: Path, case: str, day: int, *, suite: str = "recorded.yaml", named: str = "") -> RunFolder:
    """A run of one recorded test, which may be told to be another one."""
    run = RunFolder(runs / f"202611{day:02}-120000-abcdef")
    name = named or case
    shutil.copytree(CASES / case, run.test(f"tests/{name}").path)
    plan = run.test(f"tests/{name}").plan / "plan.json"
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "name": name}))
    test = ManifestTest(
        name=name,
        folder=f"tests/{name}",
        deployment=f"{name}-abcdef",
        provider="local",
        suite=suite,
        suite_digest="0" * 64,
    )
    run.write_manifest(Manifest(run_id=run.run_id, suite=suite, started=1.0, ended=2.0, tests=(test,)))
    return run


def test_a_soak_is_compared_by_its_phases(tmp_path: Path) -> None:
    old = make_soak(tmp_path, SimulatedSoak(cycles=15, seed=1))
    new = make_soak(tmp_path, SimulatedSoak(cycles=15, seed=2, slower={"activation": 1.8}))
    found = compare_runs(new, [old], Rule())
    assert found.suite == "switchover.yaml"
    answers = {row.metric: row.answer for row in found.rows}
    assert answers["phase activation"] is Answer.WORSE
    assert answers["phase preflight"] is not Answer.WORSE


def test_baselines_count_from_the_oldest_and_once(tmp_path: Path) -> None:
    runs = [
        make_soak(tmp_path, SimulatedSoak(cycles=2, seed=one), f"2026110{one}-120000-aaaaaa")
        for one in (1, 2, 3)
    ]
    found = compare_runs(runs[2], [runs[1], runs[0], runs[1]], Rule())
    assert found.baselines == (runs[0].run_id, runs[1].run_id)


def test_a_phase_of_one_side_only_is_shown(tmp_path: Path) -> None:
    old = make_soak(tmp_path, SimulatedSoak(cycles=3, phases={"preflight": 1.0, "activation": 5.0}))
    new = make_soak(
        tmp_path, SimulatedSoak(cycles=3, seed=2, phases={"activation": 5.0, "finalization": 1.0})
    )
    answers = {row.metric: row.answer for row in compare_runs(new, [old], Rule()).rows}
    assert answers["phase preflight"] is Answer.GONE
    assert answers["phase finalization"] is Answer.NEW


def test_ordinary_runs_are_compared_by_steps_and_verdicts(tmp_path: Path) -> None:
    old = [ordinary(tmp_path, "survives", day, named="one") for day in (1, 2)]
    new = ordinary(tmp_path, "failing_check", 3, named="one")
    measured = measure(old[0])
    assert not measured.soak and measured.tests == ("one",)
    assert measured.parts and all(part.startswith("one: ") for part in measured.parts)
    assert all(len(series.values) == 1 for series in measured.numbers.series.values())
    found = compare_runs(new, old, Rule())
    verdict = next(one for one in found.verdicts if one.name == "one")
    assert (verdict.answer, verdict.before, verdict.now) == (Answer.WORSE, "2 of 2 passed", "fail")
    assert found.exit_code == 1
    same = compare_runs(old[1], old[:1], Rule())
    assert (same.verdicts, same.exit_code) == ((), 3), "one value against one shows nothing"


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    soak = make_soak(tmp_path, SimulatedSoak(cycles=3))
    other = make_soak(tmp_path, SimulatedSoak(cycles=3, seed=2), suite="quickstart.yaml")
    single = ordinary(tmp_path, "survives", 5, suite="switchover.yaml")
    empty = make_soak(tmp_path, SimulatedSoak(cycles=0, seed=3))
    changed = make_soak(tmp_path, SimulatedSoak(cycles=3, seed=4, phases={"warm_up": 1.0}))
    for baselines, words in (
        ([], "no baseline"),
        ([soak], "its own baseline"),
        ([other], f"{soak.run_id} is of switchover.yaml, {other.run_id} of quickstart.yaml"),
        ([single], f"{soak.run_id} is a soak and {single.run_id} is not"),
        ([empty], f"no cycle of {empty.run_id} has ended"),
        (
            [changed],
            "have no phase in common: activation, finalization, post_activation, preflight, primary_prep; warm_up",
        ),
    ):
        with pytest.raises(UsageError) as raised:
            compare_runs(soak, baselines, Rule())
        assert words in str(raised.value)
        assert raised.value.hint
    with pytest.raises(UsageError, match=f"{soak.run_id} is a soak and {single.run_id} is not"):
        compare_runs(single, [soak], Rule())


def test_many_phases_are_not_all_named(tmp_path: Path) -> None:
    many = make_soak(tmp_path, SimulatedSoak(cycles=2, phases={f"p{one}": 1.0 for one in range(9)}))
    other = make_soak(tmp_path, SimulatedSoak(cycles=2, seed=2))
    with pytest.raises(UsageError, match=r"p0, p1, p2, p3, p4, \.\.\.; activation"):
        compare_runs(many, [other], Rule())


def test_a_suite_has_the_name_of_its_file() -> None:
    assert (
        suite_name("suites/switchover.yaml") == suite_name("/elsewhere/switchover.yaml") == "switchover.yaml"
    )
    assert suite_name("suites/a.yaml, suites/b.yaml") == "a.yaml, b.yaml"
