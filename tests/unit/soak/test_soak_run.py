"""Whole soaks on simulated nodes: what is counted, what is written, what a kill at any moment leaves of it."""

from __future__ import annotations

import csv
import gc
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.cycles import NoNodes, Simulated, course, provider_of, soak, steps
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import RunResult
from e2e_ansible.report.notice import CycleStarted, Notice, StepStarted
from e2e_ansible.report.pen import Pen
from e2e_ansible.report.plain import PlainView
from e2e_ansible.report.progress import RunProgress
from e2e_ansible.report.screen import Screen
from e2e_ansible.run.analysis import analyze
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.metrics import read
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.pack import is_packed
from e2e_ansible.soak.records import CycleEnd, CycleStart, FailureInjection, PhaseResult, Record
from e2e_ansible.soak.result import read_soak
from e2e_ansible.soak.rules import Stop
from e2e_ansible.soak.session import Hearers, resume_soak
from e2e_ansible.verdict import Cause, Verdict

AGAIN = steps(("preflight", "activation"))


def options(**more: Any) -> SoakOptions:
    """Cycles without a pause."""
    return SoakOptions(**{"cycles": 3, "cooldown": 0, **more})


def records(run: RunFolder) -> list[Record]:
    """All of them."""
    return list(read(SoakFolder(run).metrics))


def kinds(run: RunFolder) -> Counter[tuple[str, int, str]]:
    """How often each kind of record is there for each cycle and phase."""
    return Counter(
        (record.metric_type, record.cycle_num, record.phase_name if isinstance(record, PhaseResult) else "")
        for record in records(run)
    )


def on(cycle: int, step: str) -> Callable[[int, str], int]:
    """A step that fails in one cycle."""
    return lambda number, name: int((number, name) == (cycle, step))


def test_cycles_are_done_counted_and_written_down(tmp_path: Path) -> None:
    """Set-up and end once, contexts turned after each cycle, every file there, nobody else can read them."""
    engine = Simulated(keeps=True)
    result, run = soak(tmp_path, options(), engine=engine)
    assert [each for each in engine.done if each[1] in ("begin", "finish")] == [(0, "begin"), (4, "finish")]
    assert len(engine.done) == 2 + 3 * 5
    starts = [record for record in records(run) if isinstance(record, CycleStart)]
    assert [record.primary_context for record in starts] == ["site_a", "site_b", "site_a"]
    assert result.exit_code == 0
    assert result.soak is not None
    assert (result.soak.cycles, result.soak.passed, result.soak.swaps, result.soak.stopped) == (
        3,
        3,
        3,
        "cycles",
    )
    assert (result.total_tests, len(result.tests)) == (5, 2)
    names = ("manifests/manifest.json", "environment.json", "summary.json", "soak.json", "cycle_results.csv")
    more = ("states/cycle_003_state.json", "metrics/metrics_cycle_003.json", "report.html", "result.json")
    for name in (*names, *more):
        assert (run.path / name).stat().st_mode & 0o77 == 0, name
    summary = json.loads((run.path / "summary.json").read_text())
    assert (summary["success_rate_percent"], summary["total_cycles"], len(summary["cycles"])) == (100.0, 3, 3)
    assert len(list((run.path / "plans").iterdir())) == 6
    assert all(is_packed(SoakFolder(run).part("cycle", number)) for number in (1, 2, 3))


def test_phases_are_written_while_the_cycle_runs(tmp_path: Path) -> None:
    """When the step after a phase begins, the record of that phase is on the disk."""
    seen: list[list[str]] = []

    def listen(notice: Notice) -> None:
        if isinstance(notice, StepStarted) and notice.step == "04-post-activation":
            (path,) = tmp_path.glob("*/metrics/metrics.jsonl")
            seen.append([each.phase_name for each in read(path) if isinstance(each, PhaseResult)])

    soak(tmp_path, options(cycles=1), listeners=[listen])
    assert seen == [["preflight", "primary_prep", "activation"]]


def test_a_cycle_that_failed_is_kept_and_the_soak_goes_on(tmp_path: Path) -> None:
    """Contexts stay when activation failed; the result has the cycle, the folder all of it, and both agree."""
    result, run = soak(tmp_path, options(), engine=Simulated(on(2, "activation")))
    ends = [record for record in records(run) if isinstance(record, CycleEnd)]
    assert [(end.success, end.swapped, end.primary_context) for end in ends] == [
        (True, True, "site_a"),
        (False, False, "site_b"),
        (True, True, "site_b"),
    ]
    assert ends[1].cause is Cause.PRODUCT
    assert "03-activation" in ends[1].error
    assert (result.verdict, result.cause, result.exit_code) == (Verdict.FAIL, Cause.PRODUCT, 1)
    assert [test.folder for test in result.tests] == ["tests/setup", "cycles/0002", "tests/end"]
    assert not is_packed(SoakFolder(run).part("cycle", 2))
    assert read_soak(run) == result
    assert analyze(run).equal
    rows = list(csv.DictReader((run.path / "cycle_results.csv").open()))
    failed = [(row["phase"], row["status"]) for row in rows if row["cycle"] == "2"]
    assert failed == [("preflight", "0"), ("primary_prep", "0"), ("activation", "1"), ("", "1")]


def test_a_spoiled_pass_is_found_when_it_is_judged_again(tmp_path: Path) -> None:
    """The journal decides, not what was counted."""
    result, run = soak(tmp_path, options(), engine=Simulated(on(2, "activation")))
    journal = run.path / "cycles/0002/journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if "03-activation" not in line))
    assert read_soak(run) != result


@pytest.mark.parametrize(
    ("more", "failing", "stop", "cycles", "code"),
    [
        ({"stop_on_failure": True}, on(2, "activation"), Stop.STOP_ON_FAILURE, 2, 1),
        ({"cycles": 9, "max_failures": 2}, lambda cycle, step: int(cycle > 1), Stop.MAX_FAILURES, 3, 1),
        ({"run_hours": 1e-9}, None, Stop.TIME, 0, 3),
        ({}, lambda cycle, step: int(step == "begin"), Stop.SET_UP, 0, 1),
    ],
)
def test_it_stops(
    tmp_path: Path,
    more: dict[str, Any],
    failing: Callable[[int, str], int] | None,
    stop: Stop,
    cycles: int,
    code: int,
) -> None:
    """The rule is in the result; without a cycle nothing was shown, which is no pass."""
    engine = Simulated(failing or (lambda cycle, step: 0), keeps=True)
    result, run = soak(tmp_path, options(**more), engine=engine)
    assert result.soak is not None
    assert (result.soak.stopped, result.soak.cycles, result.exit_code) == (stop, cycles, code)
    assert ((cycles + 1, "finish") in engine.done) is (stop is not Stop.SET_UP)
    assert read_soak(run) == result


def test_nodes_are_removed_at_the_very_end(tmp_path: Path) -> None:
    """They are those of all parts; with the policy they are kept, and the result says so."""
    there: dict[str, bool] = {}

    def check(nodes: NoNodes) -> Callable[[Notice], None]:
        def listen(notice: Notice) -> None:
            if isinstance(notice, CycleStarted):
                (path,) = tmp_path.glob("*/run.json")
                (name,) = {test["deployment"] for test in json.loads(path.read_text())["tests"]}
                nodes.there.add(name)
                there[name] = True

        return listen

    nodes = NoNodes()
    soak(tmp_path, options(), nodes=nodes, listeners=[check(nodes)])
    assert nodes.destroyed == list(there)
    kept = NoNodes()
    result, _ = soak(tmp_path / "kept", options(cycles=1), nodes=kept, keep="always")
    assert kept.destroyed == []
    assert result.soak is not None


def test_every_cycle_can_have_nodes_of_its_own(tmp_path: Path) -> None:
    """Without steps before the phases; each deployment is in the manifest before it is made."""
    alone = [step for step in AGAIN if "phase" in step]
    named: list[str] = []

    def listen(notice: Notice) -> None:
        if isinstance(notice, StepStarted) and notice.step == "01-preflight":
            (path,) = tmp_path.glob("*/run.json")
            named.append(json.loads(path.read_text())["tests"][-1]["deployment"])

    result, _ = soak(tmp_path, options(), made=course(options(), alone, sites=False), listeners=[listen])
    assert [name.rpartition("-")[2] for name in named] == ["c0001", "c0002", "c0003"]
    assert result.exit_code == 0


# ---- a rehearsal


def test_a_rehearsal_goes_through_everything_and_tests_nothing(tmp_path: Path) -> None:
    """Both orders of the contexts, every phase, every file; and nothing in them reads as tested."""
    result, run = soak(tmp_path, options(cycles=2), engine=None, dry_run=True)
    assert kinds(run)["phase_result", 2, "finalization"] == 1
    ends = [record for record in records(run) if isinstance(record, CycleEnd)]
    assert [(end.success, end.verdict, end.primary_context) for end in ends] == [
        (None, None, "site_a"),
        (None, None, "site_b"),
    ]
    assert result.soak is not None
    assert (result.soak.dry_run, result.passed, result.verdict) == (True, 0, Verdict.UNKNOWN)
    for path in run.path.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".jsonl", ".csv") and "plans" not in path.parts:
            text = path.read_text()
            assert '"success": true' not in text, path
            assert '"success":true' not in text, path
            assert '"pass"' not in text, path
    for name in ("soak.json", "summary.json", "metrics/metrics_cycle_001.json", "environment.json"):
        assert json.loads((run.path / name).read_text())["dry_run"] is True, name
    assert "nothing was tested" in (run.path / "cycle_results.csv").read_text()
    assert read_soak(run) == result


def test_a_rehearsal_goes_through_what_is_injected(tmp_path: Path) -> None:
    """It is in the plan and in the records of its cycle, and neither took nor did not."""
    bad = PlannedInjection(cycle=2, scenario="crash", phase="activation", target="n11")
    made = options(cycles=2, schedule=(bad,))
    _, run = soak(tmp_path, made, dry_run=True)
    (record,) = (each for each in records(run) if isinstance(each, FailureInjection))
    assert (record.cycle_num, record.scenario, record.target) == (2, "crash", "n11")
    assert (record.success, record.undone) == (None, None)
    assert len(list((run.path / "plans").iterdir())) == 7


# ---- what people see of it


def test_plain_lines_tell_a_cycle_in_one(tmp_path: Path) -> None:
    """Steps that pass are told only when they are asked for; what does not pass always."""
    brief, full = StringIO(), StringIO()
    views = [PlainView(brief), PlainView(full, verbose=True)]
    soak(tmp_path, options(cycles=3), engine=Simulated(on(2, "activation")), listeners=views)
    lines = [line.partition(" ")[2] for line in brief.getvalue().splitlines()]
    assert [line.partition(": ")[0] for line in lines if line.startswith("cycle")] == [
        "cycle 1 of 3 (site_a to site_b)",
        "cycle 2 of 3 (site_b to site_a)",
        "cycle 3 of 3 (site_b to site_a)",
    ]
    assert any("PASS after" in line and "1 passed, 0 failed, 0 unknown" in line for line in lines)
    assert any(re.match(r"step 3/5 custom_command \S+: FAIL", line) for line in lines)
    assert not any("preflight" in line or "step 1/5" in line for line in lines)
    assert "step 1/5 custom_command" in full.getvalue()


def test_the_live_view_tells_cycle_and_phase(tmp_path: Path) -> None:
    """Of the step that runs."""
    progress, seen = RunProgress(), list[str]()

    def look(notice: Notice) -> None:
        progress.take(notice)
        if isinstance(notice, StepStarted) and notice.step == "03-activation":
            pen = Pen.for_console(Console(width=100, no_color=True))
            seen.append("\n".join(line.plain for line in Screen(pen, 100, 30, notice.at).lines(progress)))

    soak(tmp_path, options(cycles=2), listeners=[look])
    assert "step 3 of 5, activation" in seen[1]
    assert "cycle 2 of 2, site_b is primary" in seen[1]


# ---- a kill at any moment


class Killed(BaseException):
    """What no code catches."""


@contextmanager
def killed_at(sync: int) -> Iterator[list[int]]:
    """The process dies when it is about to sync for the nth time."""
    count = [0]

    def dying(real: Callable[[int], None]) -> Callable[[int], None]:
        def act(descriptor: int) -> None:
            count[0] += 1
            if count[0] == sync:
                raise Killed
            real(descriptor)

        return act

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", dying(os.fsync))
        patch.setattr(os, "fdatasync", dying(os.fdatasync))
        yield count


def resumed(run: RunFolder, made: SoakOptions, engine: Simulated | None = None, **more: Any) -> RunResult:
    """Go on with it."""
    return resume_soak(
        run,
        course(made, AGAIN),
        engine=engine or Simulated(),
        hearers=Hearers(provider=provider_of(NoNodes(there=_deployments(run)))),
        **more,
    )


def _deployments(run: RunFolder) -> set[str]:
    return {test.deployment for test in run.manifest().tests}


def run_of(place: Path) -> RunFolder:
    """The only run in a folder."""
    (path,) = place.glob("*/run.json")
    return RunFolder.open(path.parent)


def whole(run: RunFolder) -> tuple[object, ...]:
    """What may not depend on where a kill was: counts, contexts, records and lines, each once."""
    state = SoakFolder(run).read_state()
    rows = [
        (row["cycle"], row["phase"], row["status"])
        for row in csv.DictReader((run.path / "cycle_results.csv").open())
    ]
    return state.tally, state.contexts, state.swaps, state.stopped, kinds(run), rows


def syncs(place: Path) -> tuple[int, tuple[object, ...]]:
    """How often a soak of two cycles syncs, and what it comes to."""
    with killed_at(0) as count:
        _, run = soak(place, options(cycles=2), made=course(options(cycles=2), AGAIN))
    return count[0], whole(run)


@pytest.mark.parametrize("part", range(4))
def test_a_kill_at_any_moment_loses_and_doubles_nothing(tmp_path: Path, part: int) -> None:
    """In the set-up, in a cycle, between two files, in the end: the same counts, every record once, the first clock."""
    number, expected = syncs(tmp_path / "whole")
    assert number > 60
    tried = 0
    for sync in range(3 * part + 10, number - 1, 13):  # before the manifest is there, there is no run
        place = tmp_path / f"{sync}"
        with killed_at(sync), pytest.raises(Killed):
            soak(place, options(cycles=2), made=course(options(cycles=2), AGAIN))
        if not list(place.glob("*/run.json")):
            continue
        run = run_of(place)
        began = SoakFolder(run).read_state().started
        if SoakFolder(run).read_state().over:
            continue
        result = resumed(run, options(cycles=2))
        tried += 1
        assert whole(run) == expected, sync
        assert SoakFolder(run).read_state().started == began
        assert result.exit_code == 0, (sync, result.tests[0].error)
        assert read_soak(run) == result
    assert tried


def test_a_kill_in_the_cooldown_leaves_the_rest_of_it(tmp_path: Path) -> None:
    """The stop rules are asked again before the next cycle begins, and no cycle is done twice."""
    made = options(cycles=3, max_failures=1)

    def dies(notice: Notice) -> None:
        if isinstance(notice, CycleStarted) and notice.cycle == 2:
            raise AssertionError("no second cycle")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("e2e_ansible.soak.orchestrate.why_stop", _die)
        with pytest.raises(Killed):
            soak(tmp_path, made, made=course(made, AGAIN), engine=Simulated(on(1, "activation")))
    run = run_of(tmp_path)
    assert SoakFolder(run).read_state().last_completed_cycle == 1
    result = resumed(run, made)
    assert result.soak is not None
    assert (result.soak.stopped, result.soak.cycles, result.soak.failed) == ("max_failures", 1, 1)
    assert read_soak(run) == result


def _die(*words: object, **more: object) -> None:
    raise Killed


def test_a_soak_that_is_over_is_not_resumed(tmp_path: Path) -> None:
    """Nor one whose nodes are gone, nor with another suite; each is told, and nothing is done."""
    made = options(cycles=1)
    _, run = soak(tmp_path, made, made=course(made, AGAIN))
    with pytest.raises(UsageError, match=r"has ended \(cycles\)"):
        resumed(run, made)


def killed_in_cycle(place: Path, made: SoakOptions, workflow: Sequence[dict[str, Any]] = AGAIN) -> RunFolder:
    """A soak that died in its second cycle."""

    def act(cycle: int, step: str) -> int:
        if (cycle, step) == (2, "activation"):
            raise Killed
        return 0

    with pytest.raises(Killed):
        soak(place, made, made=course(made, workflow), engine=Simulated(act))
    return run_of(place)


def test_another_suite_is_refused_with_the_difference(tmp_path: Path) -> None:
    """The plans of all parts in both orders are compared."""
    made = options()
    run = killed_in_cycle(tmp_path, made)
    other = [*AGAIN[:-1], {**AGAIN[-1], "custom_command": ["y"]}]
    with pytest.raises(UsageError, match="says something else than what was run") as caught:
        resume_soak(
            run, course(made, other), engine=Simulated(), hearers=Hearers(provider=provider_of(NoNodes()))
        )
    assert "end site_a site_b" in str(caught.value)
    with pytest.raises(UsageError, match="were removed"):
        resume_soak(
            run, course(made, AGAIN), engine=Simulated(), hearers=Hearers(provider=provider_of(NoNodes()))
        )
    assert resumed(run, made).exit_code == 0


def test_bounds_may_be_others_after_a_kill(tmp_path: Path) -> None:
    """What was counted stays."""
    run = killed_in_cycle(tmp_path, options())
    result = resumed(run, options(), changes={"cycles": 2})
    assert result.soak is not None
    assert (result.soak.cycles, result.soak.asked, result.soak.stopped) == (2, 2, "cycles")


# ---- interrupts


def interrupting(cycle: int, times: int) -> Simulated:
    """An engine that gets the signal in a cycle."""

    def act(number: int, step: str) -> int:
        if (number, step) == (cycle, "activation"):
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return 0

    return Simulated(act)


def test_an_interrupt_ends_it_in_order(tmp_path: Path) -> None:
    """The cycle is cut off and no failure, the nodes are removed, and it can go on only if they are there."""
    made, nodes = options(max_failures=1), NoNodes()
    result, run = soak(tmp_path, made, made=course(made, AGAIN), engine=interrupting(2, 1), nodes=nodes)
    assert result.soak is not None
    assert (result.soak.stopped, result.exit_code) == ("interrupted", 130)
    assert (result.soak.passed, result.soak.unknown) == (1, 1)
    assert SoakFolder(run).read_state().failures == 0
    assert read_soak(run) == result
    with pytest.raises(UsageError, match="were removed"):
        resume_soak(
            run, course(made, AGAIN), engine=Simulated(), hearers=Hearers(provider=provider_of(NoNodes()))
        )
    again = resumed(run, made)
    assert again.soak is not None
    assert (again.soak.cycles, again.soak.passed, again.soak.stopped) == (3, 2, "cycles")


def test_a_second_interrupt_leaves_everything(tmp_path: Path) -> None:
    """It is not over; the cycle under way is taken up, and counts once."""
    made, nodes = options(), NoNodes()
    result, run = soak(tmp_path, made, made=course(made, AGAIN), engine=interrupting(2, 2), nodes=nodes)
    assert (result.finished, result.exit_code, nodes.destroyed) == (False, 130, [])
    assert read_soak(run) == result
    again = resumed(run, made)
    assert again.soak is not None
    assert (again.soak.cycles, again.soak.passed) == (3, 3)
    assert again.exit_code == 0


# ---- its size


def test_memory_does_not_grow_with_the_cycles(tmp_path: Path) -> None:
    """What is kept after a hundred cycles more is what was kept before, also of those that failed."""
    sizes: dict[int, int] = {}

    def measure(notice: Notice) -> None:
        if isinstance(notice, CycleStarted) and notice.cycle in (50, 150):
            gc.collect()
            sizes[notice.cycle] = len(gc.get_objects())

    made = options(cycles=150)
    result, _ = soak(
        tmp_path,
        made,
        made=course(made, steps(("activation",)), sites=False),
        engine=Simulated(lambda cycle, step: int(cycle % 2 == 0 and step == "activation")),
        listeners=[measure],
    )
    assert result.soak is not None
    assert (result.soak.failed, result.soak.left_out, len(result.tests)) == (75, 55, 22)
    assert sizes[150] - sizes[50] < 1000
