"""Tests that are run several times: names, folders and nodes of their own, and how often each step fails."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from flow_runs import Script, Steps, command, compiled
from rich.console import Console
from run_replay import PaperNodes

from e2e_ansible import api
from e2e_ansible.analysis.flake import Steadiness
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import RunResult
from e2e_ansible.report.html import html
from e2e_ansible.report.summary import print_summary
from e2e_ansible.run.analysis import analyze
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.folder import ManifestTest, RunFolder
from e2e_ansible.run.repeat import repeated, repetition
from e2e_ansible.run.resume import resume_run
from e2e_ansible.run.session import run_plans

STEPS: Steps = [command("a"), command("b"), command("c")]


class EveryThird:
    """A step that fails every third time, as a counter says."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def __call__(self, cancel: Cancel) -> int:
        with self._lock:
            self._count += 1
            return int(self._count % 3 == 0)


def run(
    runs: Path, plans: Sequence[Plan], engine: Script | None = None, **options: object
) -> tuple[RunResult, RunFolder]:
    how = RunOptions(**options)  # type: ignore[arg-type]
    return run_plans(
        plans, runs=runs, engine=engine or Script(), options=how, provider=lambda name: PaperNodes()
    )


def plan(name: str = "t") -> Plan:
    return compiled(STEPS).model_copy(update={"name": name})


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_step_that_fails_every_third_time_has_that_rate(tmp_path: Path, parallel: int) -> None:
    result, folder = run(tmp_path, repeated([plan()], 12), Script({"b": EveryThird()}), parallel=parallel)
    (found,) = result.repeats
    assert (found.test, found.repetitions, found.cut_off, found.not_product) == ("t", 12, 0, 0)
    assert (found.success.tally.passed, found.success.tally.failed) == (8, 4)
    assert found.sentence == "8 of 12 shows at most 88 %, less than 95 %"
    flaky, *steady = found.steps
    assert (flaky.step, flaky.steadiness) == ("02-b", Steadiness.FLAKY)
    assert flaky.failing.rate == pytest.approx(4 / 12)
    # Clopper and Pearson of 4 of 12.
    assert (round(flaky.failing.low, 4), round(flaky.failing.high, 4)) == (0.0992, 0.6511)
    assert {one.step: one.failing.tally.trials for one in steady} == {"01-a": 12, "03-c": 8}
    assert result.verdict.value == "fail"
    assert analyze(folder).equal


def test_each_repetition_has_a_folder_and_nodes_of_its_own(tmp_path: Path) -> None:
    result, folder = run(tmp_path, repeated([plan("one"), plan("two")], 2))
    tests = folder.manifest().tests
    assert [test.name for test in tests] == ["one#1", "two#1", "one#2", "two#2"]
    assert [test.test for test in tests] == ["one", "two", "one", "two"]
    assert len({test.folder for test in tests}) == len({test.deployment for test in tests}) == 4
    assert [one.test for one in result.repeats] == ["one", "two"]
    assert all((folder.test(test.folder).result).is_file() for test in tests)


def test_one_time_is_an_ordinary_run(tmp_path: Path) -> None:
    made = repeated([plan()], 1)
    assert [one.name for one in made] == ["t"]
    result, _ = run(tmp_path, made)
    assert result.repeats == ()
    assert "repeats" not in result.model_dump()
    assert "repetition" not in result.tests[0].model_dump()


def test_repetitions_that_never_began_are_counted_and_show_nothing(tmp_path: Path) -> None:
    result, _ = run(tmp_path, repeated([plan()], 5), Script({"b": EveryThird()}), stop_on_error=True)
    (found,) = result.repeats
    assert (found.repetitions, found.success.tally.trials, found.cut_off) == (5, 3, 2)


def test_an_interrupt_says_nothing_of_a_step(tmp_path: Path) -> None:
    def interrupts(cancel: Cancel) -> int:
        cancel.set()
        return 0

    result, _ = run(tmp_path, repeated([plan()], 3), Script({"b": interrupts}))
    (found,) = result.repeats
    assert (found.success.tally.trials, found.cut_off) == (0, 3)
    assert found.sentence.startswith("0 of 0 shows nothing")
    assert [step.step for step in found.steps] == ["01-a"]


def test_a_run_of_repetitions_that_died_goes_on(tmp_path: Path) -> None:
    _, folder = run(tmp_path, repeated([plan()], 3))
    manifest = folder.manifest()
    folder.write_manifest(manifest.model_copy(update={"ended": None}))
    journal = folder.test(manifest.tests[1].folder).journal
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:5]))

    def recompile(tests: Sequence[ManifestTest]) -> list[Plan]:
        assert [test.test for test in tests] == ["t"]
        return [repetition(plan(test.test), test.repetition) for test in tests]

    engine = Script()
    result = resume_run(folder, engine=engine, recompile=recompile, provider=lambda name: PaperNodes())
    assert engine.begun == ["b", "c"]
    assert result.repeats[0].success.tally.passed == 3


def test_the_api_takes_up_repetitions_by_the_test_that_they_are_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def resume(folder: RunFolder, *, recompile, **_: object) -> None:  # type: ignore[no-untyped-def]
        seen.extend(one.name for one in recompile(folder.manifest().tests))

    _, folder = run(tmp_path, repeated([plan()], 2))
    monkeypatch.setattr("e2e_ansible.api.resume_run", resume)
    api.resume(folder.path, [plan()], engine=Script())
    api.resume(folder.path, repeated([plan()], 2), engine=Script())
    assert seen == ["t#1", "t#2"] * 2
    with pytest.raises(UsageError, match="no test named 't'"):
        api.resume(folder.path, [plan("u")], engine=Script())


def test_names_that_would_be_the_same_are_refused() -> None:
    with pytest.raises(UsageError, match="t#2 is the name of a repetition of t"):
        repeated([plan("t"), plan("t#2")], 2)
    assert len(repeated([plan("t"), plan("t#3")], 2)) == 4
    with pytest.raises(UsageError, match="is a repetition already"):
        repeated(repeated([plan()], 2), 2)


def test_the_terminal_and_the_page_tell_rate_and_interval(tmp_path: Path) -> None:
    result, _ = run(tmp_path, repeated([plan()], 12), Script({"b": EveryThird()}))
    out = io.StringIO()
    print_summary(Console(file=out, width=100), result, "runs/r")
    text = out.getvalue()
    assert "t: 8 of 12 shows at most 88 %, less than 95 %" in text
    assert "02-b: flaky, 4 of 12 failed, between 9 % and 66 %" in text
    assert "2 others never failed; each may still fail in up to 32 % of all runs" in text
    page = re.sub(r"<[^>]+>", " ", html(result))
    assert "Repeated tests" in page and "9 % to 66 %" in page and "4 of 12" in page
