"""`analyze` of a soak, `compare` and `history` on the command line: words, numbers, files and exit codes."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from cli_desk import REPOSITORY, Desk

from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.soak_numbers import METRICS
from tests.unit.soak_folders import BEGIN, SimulatedSoak, Trouble, alert, injection, make_soak


def soak(desk: Desk, day: int = 1, *, suite: str = "switchover.yaml", **settings: object) -> RunFolder:
    made = SimulatedSoak(**{"cycles": 12, "seed": day, "begin": BEGIN + timedelta(days=day), **settings})  # type: ignore[arg-type]
    return make_soak(desk.folder / "runs", made, suite=suite)


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


# ---- analyze


def test_a_soak_is_analyzed_and_its_files_are_written_once(desk: Desk) -> None:
    run = soak(desk)
    done = desk.call("analyze")
    assert done.code == 0
    assert done.out.startswith(
        f"PASS: soak of switchover.yaml, run {run.run_id}\n12 passed, 0 failed, 0 unknown, of 12\n"
    )
    assert "12 of 12 shows at least 77 %, not 95 %; 47 more in a row would" in done.out
    assert lines_of(done.out)[-1] == "Written: analysis.json, analysis.csv, analysis.html"
    again = desk.call("analyze", run.run_id)
    assert (again.code, lines_of(again.out)[-3:]) == (
        0,
        ["byte-equal  analysis.json", "byte-equal  analysis.csv", "byte-equal  analysis.html"],
    )


def test_a_planted_regression_inside_a_soak_is_told(desk: Desk) -> None:
    soak(desk, cycles=60, growing={"activation": 0.6}, troubles={7: Trouble()})
    done = desk.call("analyze")
    assert "phase activation got slower: " in done.out
    assert "Find out what grows during a soak: phase activation takes longer" in done.out
    assert "cycles/0007: failed, 030-promote-site: patroni_leader: 2 leaders: n11, n12" in done.out
    assert done.out.startswith("FAIL: soak")


def test_everything_that_happened_is_told(desk: Desk) -> None:
    run = soak(
        desk,
        cycles=40,
        troubles={number: Trouble() for number in range(1, 40, 3)},
        injected={2: injection("pause_backup", "activation")},
        alerts={3: alert("LAG", "activation", ended=False)},
    )
    file = run.path / METRICS
    file.write_bytes(file.read_bytes() + b'{"torn')
    out = desk.call("analyze").out
    for words in (
        "was torn and is left out",
        "Alert LAG: 1 episode, 1 never ended",
        "Injected pause_backup in activation: took 1 of 1 time, undone 1; 1 of 1 shows",
        "Step 030-promote-site: flaky, 13 of 39 failed",
        "And 3 more that did not pass: see the page.",
        "No writes in a cycle: median ",
        "Acknowledged rows lost: 0",
    ):
        assert words in out, words


def test_json_ends_with_the_analysis(desk: Desk) -> None:
    soak(desk)
    *files, found = [json.loads(line) for line in desk.call("analyze", "--json").out.splitlines()]
    assert [one["file"] for one in files] == ["analysis.json", "analysis.csv", "analysis.html"]
    assert found["success"]["found"]["tally"]["passed"] == 12


def test_a_changed_report_of_a_soak_is_red_and_replaced_on_demand(desk: Desk) -> None:
    run = soak(desk)
    desk.call("analyze")
    page = run.path / "analysis.html"
    right = page.read_text()
    page.write_text(right.replace("12 passed", "13 passed"))
    done = desk.call("analyze")
    assert (done.code, "differs     analysis.html" in done.out) == (1, True)
    assert "-" in done.out and "13 passed" in done.out
    replaced = desk.call("analyze", "--write")
    assert (replaced.code, lines_of(replaced.out)[-1]) == (1, "The reports were replaced.")
    assert (page.read_text(), desk.call("analyze").code) == (right, 0)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_of_an_analysis_is_wider_than_the_terminal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR")
    runs = [soak(desk, day, cycles=30, troubles={5: Trouble(error="x" * 400)}) for day in range(3)]
    for command in (["analyze"], ["history"], ["compare", *(run.run_id for run in runs[::-1])]):
        plain = [clean_of(line) for line in desk.call(*command).out.splitlines()]
        # The files that were written are told as words for a pipe.
        assert [line for line in plain if len(line.rstrip()) > max(width, 72)] == [], command


def clean_of(text: str) -> str:
    from e2e_ansible.report.words import clean

    return clean(text)


def test_metrics_that_cannot_be_read_are_an_error_with_their_line(desk: Desk) -> None:
    run = soak(desk)
    (run.path / METRICS).write_text('{"metric_type":"what"}\n')
    done = desk.call("analyze")
    assert (done.code, "metrics.jsonl:1: this is no record of a soak" in done.err) == (5, True)


def test_the_example_of_the_documentation_is_what_comes_out(desk: Desk) -> None:
    planted = SimulatedSoak(
        cycles=40, seed=7, growing={"activation": 0.6}, troubles={17: Trouble(), 30: Trouble()}
    )
    make_soak(desk.folder / "runs", planted, "20261121-120000-planted")
    page = (REPOSITORY / "docs/soak-report.md").read_text()
    shown = page.partition("```\nFAIL: ")[2].partition("```")[0].strip()
    assert desk.call("analyze").out.partition("\n\nWritten")[0] == f"FAIL: {shown}"


# ---- compare


def names(desk: Desk, count: int = 8, **settings: object) -> list[str]:
    return [soak(desk, day, **settings).run_id for day in range(count)]


def test_compare_tells_a_planted_regression_and_exits_with_1_on_demand(desk: Desk) -> None:
    old = names(desk)
    new = soak(desk, 20, slower={"activation": 1.6}).run_id
    done = desk.call("compare", new, *old)
    assert done.code == 0
    assert done.out.startswith(f"WORSE: {new} against 8 baselines, switchover.yaml\n")
    assert "phase activation is worse: +" in done.out
    assert desk.call("compare", new, *old, "--check-regressions").code == 1


def test_compare_of_a_run_that_did_not_change_is_not_worse(desk: Desk) -> None:
    old = names(desk)
    done = desk.call("compare", soak(desk, 21).run_id, *old, "--check-regressions")
    assert "worse" not in done.out
    assert done.code == 3, "12 cycles do not decide what the rate of success is"
    assert "Not decided, as " in done.out


def test_the_ratio_rule_and_its_numbers(desk: Desk) -> None:
    (old,) = names(desk, 1)
    new = soak(desk, 22, slower={"activation": 1.35}).run_id
    assert desk.call("compare", new, old, "--rule", "ratio", "--check-regressions").code == 1
    wide = desk.call("compare", new, old, "--rule", "ratio", "--threshold", "1.6", "--check-regressions")
    assert (wide.code, wide.out.startswith("SAME")) == (0, True)
    failed = soak(desk, 23, troubles={3: Trouble()}).run_id
    assert desk.call("compare", failed, old, "--rule", "ratio", "--check-regressions").code == 1
    assert (
        desk.call("compare", failed, old, "--rule", "ratio", "--points", "10", "--check-regressions").code
        == 0
    )


def test_the_band_takes_a_threshold_too(desk: Desk) -> None:
    old, new = names(desk), soak(desk, 20, slower={"activation": 1.6}).run_id
    done = desk.call("compare", new, *old, "--threshold", "3")
    assert "phase activation is worse" not in done.out
    assert "a change matters from 200 % on" in done.out


def test_compare_as_json_csv_and_page(desk: Desk) -> None:
    old, new = names(desk, 2), soak(desk, 20, slower={"activation": 2.0}).run_id
    found = json.loads(desk.call("compare", new, *old, "--json", "--html", "compare.html").out)
    assert (found["outcome"], found["baselines"]) == ("regression", old)
    assert Path("compare.html").read_text().startswith("<!doctype html>")
    rows = list(csv.DictReader(io.StringIO(desk.call("compare", new, *old, "--csv").out)))
    assert {row["statistic"] for row in rows} == {"mean", "P50", "P90", "P95", "P99", "rate"}
    worse = [row for row in rows if row["verdict"] == "worse"]
    assert {row["metric"] for row in worse} >= {"phase activation"}


def test_ordinary_runs_are_compared(desk: Desk) -> None:
    old = desk.a_run("survives", name="20261120-120000-abcdef")
    new = desk.a_run("survives", name="20261121-120000-abcdef")
    done = desk.call("compare", str(new), str(old))
    assert (done.code, "survives: 01-init" in done.out) == (0, True)


def test_what_cannot_be_compared_is_bad_input(desk: Desk) -> None:
    run, other = soak(desk, 1).run_id, soak(desk, 2, suite="other.yaml").run_id
    plain = desk.a_run("survives", name="20261125-120000-abcdef").name
    for words, told in (
        ((run, other), "is of switchover.yaml"),
        ((run, plain), "is a soak and"),
        ((run, run), "is its own baseline"),
        ((run, "nowhere"), "there is no run 'nowhere'"),
        ((run, other, "--threshold", "0.9"), "--threshold 0.9 is not more than 1"),
        ((run, other, "--threshold", "nan"), "is not more than 1"),
        ((run, other, "--json", "--csv"), "both go to standard output"),
        ((run, other, "--rule", "rank"), "rank"),
        ((run,), "Missing argument 'BASELINE'"),
    ):
        done = desk.call("compare", *words)
        assert (done.code, done.out) == (2, ""), words
        assert told in done.err


def test_a_page_that_cannot_be_written_is_told(desk: Desk) -> None:
    run, other = soak(desk, 1).run_id, soak(desk, 2).run_id
    done = desk.call("compare", run, other, "--html", "no/such/folder.html")
    assert (done.code, "no/such/folder.html" in done.err) == (4, True)


# ---- history


def test_history_lists_runs_with_their_trend(desk: Desk) -> None:
    soak(desk, 1)
    soak(desk, 2, slower={"activation": 3.0}, troubles={4: Trouble()})
    plain = desk.a_run("survives", name="20261120-120000-abcdef")
    (desk.folder / "runs/20261130-120000-broken").mkdir()
    (desk.folder / "runs/20261130-120000-broken/run.json").write_text("{")
    done = desk.call("history")
    assert done.code == 0
    rows = done.out.splitlines()
    assert rows[0].split() == ["when", "suite", "verdict", "passed", "P50", "P95", "outage", "trend"]
    assert "switchover, soak  pass" in rows[2] and rows[2].endswith("first")
    assert "fail" in rows[3] and "11/12" in rows[3] and rows[3].endswith("slower")
    assert "recorded" in rows[1]
    assert rows[-1].startswith("20261130-120000-broken cannot be read: ")
    (one,) = [
        json.loads(line)
        for line in desk.call("history", "--json", "--last", "1", "--suite", "switchover").out.splitlines()
    ]
    assert (one["failed"], one["trend"], one["soak"]) == (1, "slower", True)
    table = list(csv.DictReader(io.StringIO(desk.call("history", "runs", "--csv").out)))
    assert next(row["run_id"] for row in table) == plain.name
    assert table[1]["cause"] == ""


def test_history_of_nothing_is_bad_input(desk: Desk) -> None:
    assert "there is no folder 'runs'" in desk.call("history").err
    (desk.folder / "runs").mkdir()
    assert "there is no run in runs" in desk.call("history").err
    soak(desk)
    done = desk.call("history", "--suite", "switchovr.yaml")
    assert (done.code, "did you mean 'switchover.yaml'?" in done.err) == (2, True)
    assert desk.call("history", "--json", "--csv").code == 2
