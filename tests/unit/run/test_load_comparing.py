"""Loads against those of earlier runs: which way each metric is better, and what the data does not decide."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console

from e2e_ansible.analysis.rule import Method, Rule
from e2e_ansible.analysis.sheet import Answer, Sheet, sheet_csv
from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.result import RunResult
from e2e_ansible.load.result import Latency, LoadResult
from e2e_ansible.report.history import history_csv, print_history
from e2e_ansible.report.sheet_page import sheet_page
from e2e_ansible.report.sheet_screen import print_sheet
from e2e_ansible.run.comparing import compare_measured
from e2e_ansible.run.folder import Manifest, RunFolder
from e2e_ansible.run.measured import Measured, measured
from e2e_ansible.run.past import past_runs
from e2e_ansible.verdict import Verdict
from tests.unit.load_results import STARTED, a_load, a_run, a_test, failed

STEP = "tpcb: 02-run_pgbench"


def numbers(*loads: LoadResult, name: str = "today", **test: Any) -> Measured:
    return measured(name, "nightly.yaml", a_run(a_test(*loads, **test), name=name))


def compared(new: LoadResult, *old: LoadResult, rule: Rule | None = None) -> Sheet:
    before = [numbers(one, name=f"day {number}") for number, one in enumerate(old)]
    return compare_measured(numbers(new), before, rule or Rule())


def answers(found: Sheet) -> dict[str, Answer]:
    return {row.metric.removeprefix(f"{STEP} "): row.answer for row in found.rows}


def reasons(found: Sheet) -> dict[str, str]:
    return {row.metric.removeprefix(f"{STEP} "): row.reason for row in found.rows}


def ten_days(
    rate: float = 800, milliseconds: float = 5, outage: tuple[int, int] = (9, 10), **more: Any
) -> list[LoadResult]:
    """Ten runs that differ by some two per cent, and by a few retries, errors and seconds without an answer."""
    random = Random(5)
    return [
        a_load(
            day,
            rate=rate * random.gauss(1, 0.02),
            milliseconds=milliseconds * random.gauss(1, 0.02),
            outage=(outage[0], outage[1] + day % 2),
            **{"retried": 20 + day, "failed": 5 + day % 3, **more},
        )
        for day in range(10)
    ]


WORSE: dict[str, tuple[dict[str, Any], set[str]]] = {
    "less throughput": ({"rate": 500}, {"throughput", "throughput per interval"}),
    "more latency": (
        {"milliseconds": 9},
        {
            "average latency",
            "P50 latency",
            "P90 latency",
            "P95 latency",
            "P99 latency",
            "average latency per interval",
        },
    ),
    "an outage": ({"outage": (20, 32)}, {"outage", "throughput"}),
    "more errors": ({"failed": 3000}, {"errors"}),
    "more retries": ({"retried": 4000}, {"retries"}),
}


USUAL: dict[str, Any] = {"retried": 24, "failed": 6, "outage": (9, 10)}


@pytest.mark.parametrize("what", WORSE)
def test_what_got_worse_is_told_as_worse_and_back_again_as_better(what: str) -> None:
    planted, expected = WORSE[what]
    worse = compared(a_load(99, **{**USUAL, **planted}), *ten_days())
    found = answers(worse)
    assert {name for name, answer in found.items() if answer is Answer.WORSE} == expected
    assert Answer.BETTER not in found.values()
    assert worse.exit_code == 1
    better = answers(compared(a_load(99, **USUAL), *ten_days(**planted)))
    assert expected <= {name for name, answer in better.items() if answer is Answer.BETTER}


def test_what_never_happened_before_is_rare_and_not_proved_to_be_a_regression() -> None:
    """Of eleven equal chances one is the odd one: that is no chance of one in a hundred. A limit decides, not this."""
    old = [a_load(day) for day in range(10)]
    found = compared(a_load(99, outage=(20, 32)), *old)
    assert answers(found)["outage"] is Answer.INCONCLUSIVE
    assert reasons(found)["outage"] == "too few values to show anything"
    assert answers(found)["throughput"] is Answer.WORSE, "but the throughput is another matter"


def test_loads_that_did_not_change_do_not_alarm() -> None:
    random = Random(9)
    alarms = 0
    for seed in range(8):
        new = a_load(
            200 + seed,
            rate=800 * random.gauss(1, 0.02),
            milliseconds=5 * random.gauss(1, 0.02),
            **USUAL,
        )
        alarms += Answer.WORSE in answers(compared(new, *ten_days())).values()
    assert alarms <= 1


def test_yesterday_alone_decides_by_the_intervals_and_leaves_the_rest_open() -> None:
    found = compared(a_load(2, rate=400), a_load(1))
    said = answers(found)
    assert said["throughput per interval"] is Answer.WORSE
    assert said["throughput"] is Answer.INCONCLUSIVE
    assert reasons(found)["throughput"] == "too few values to show anything"
    small = answers(compared(a_load(2, rate=760), a_load(1)))
    assert small["throughput per interval"] is Answer.INCONCLUSIVE, "runs differ by so much"


def test_the_ratio_rule_knows_the_direction_too() -> None:
    rule = Rule(method=Method.RATIO)
    slow = answers(compared(a_load(2, rate=400), a_load(1), rule=rule))
    assert slow["throughput"] is slow["throughput per interval"] is Answer.WORSE
    fast = compared(a_load(2, rate=1600), a_load(1), rule=rule)
    assert Answer.WORSE not in answers(fast).values()
    assert answers(fast)["throughput per interval"] is Answer.BETTER
    assert reasons(fast)["throughput per interval"].startswith("P5 ")


def test_a_percentile_of_few_transactions_is_none() -> None:
    few = a_load(1, transactions=300)
    found = compared(few, a_load(2))
    assert answers(found)["P99 latency"] is Answer.GONE
    assert "it takes 368" in reasons(found)["P99 latency"]


def test_what_a_tool_does_not_tell_is_said_and_not_guessed() -> None:
    bare = a_load(1, failed=None, retried=None, latency=Latency(average=5.0), intervals=())
    found = compared(bare, a_load(2))
    gone = {name for name, answer in answers(found).items() if answer is Answer.GONE}
    assert {"errors", "retries", "outage", "P99 latency", "throughput per interval"} <= gone
    assert reasons(found)["errors"] == "the tool did not tell it"
    assert reasons(found)["outage"] == "the tool told no intervals"


def test_a_bound_of_a_bucket_is_not_compared_with_a_measured_percentile() -> None:
    bucketed = a_load(1, latency=Latency(average=5.0, p99=25.0, bucketed=True))
    said = answers(compared(bucketed, a_load(2)))
    assert said["P99 latency"] is Answer.GONE
    assert said["P99 latency, of buckets"] is Answer.NEW


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"complete": False, "meaning": "it was killed"}, "the load did not come to its end: it was killed"),
        ({"complete": False, "meaning": ""}, "the load did not come to its end: nothing tells why"),
        ({"refused": "the population is not whole"}, "the load does not count: the population is not whole"),
    ],
)
def test_a_load_that_does_not_count_is_not_compared(broken: dict[str, Any], why: str) -> None:
    found = compared(a_load(1, **broken), a_load(2))
    ours = [row for row in found.rows if row.metric.startswith(f"{STEP} ")]
    assert ours and {row.answer for row in ours} == {Answer.GONE}
    assert {row.reason for row in ours} == {why}


def test_another_tool_or_workload_is_not_compared() -> None:
    found = compared(a_load(1, tool="stroppy", dialect="go", workload="tpcc"), a_load(2))
    ours = [row for row in found.rows if row.metric.startswith(f"{STEP} ")]
    assert {row.answer for row in ours} == {Answer.NEW}
    assert {row.reason for row in ours} == {"day 0 had pgbench, tpcb-like, today stroppy go, tpcc"}


def test_nights_are_matched_by_the_names_of_their_tests() -> None:
    """As a matrix makes them; one that is gone is said, and touches none of the others."""

    def night(name: str, tests: dict[str, float]) -> Measured:
        made = [a_test(a_load(3, rate=rate), name=test) for test, rate in tests.items()]
        return measured(name, "nightly.yaml", a_run(*made, name=name))

    old = night("yesterday", {"tpcb-16-small": 800, "tpcb-16-large": 900, "tpcb-17-small": 850})
    new = night("today", {"tpcb-16-small": 800, "tpcb-16-large": 450})
    found = compare_measured(new, [old], Rule())
    said = {row.metric: row for row in found.rows}
    metric = "02-run_pgbench throughput per interval"
    assert said[f"tpcb-16-large: {metric}"].answer is Answer.WORSE
    assert said[f"tpcb-16-small: {metric}"].answer is not Answer.WORSE
    gone = said[f"tpcb-17-small: {metric}"]
    assert (gone.answer, gone.reason) == (Answer.GONE, "there was no test tpcb-17-small")


def test_the_outage_of_clients_is_compared() -> None:
    def one(number: int, seconds: float) -> Measured:
        client = ClientResult(name="integrity", workload="append", operations=100, outage_writes=seconds)
        return numbers(a_load(number), name=f"day {number}", clients=(client,))

    random = Random(3)
    old = [one(number, 2 + random.random() / 5) for number in range(10)]
    said = {row.metric: row.answer for row in compare_measured(one(11, 9.0), old, Rule()).rows}
    assert said["tpcb: integrity outage of writes"] is Answer.WORSE
    assert "tpcb: integrity outage of reads" not in said, "it never asked for any"
    said = {row.metric: row.answer for row in compare_measured(one(11, 0.5), old, Rule()).rows}
    assert said["tpcb: integrity outage of writes"] is Answer.BETTER


def test_repetitions_are_values_and_rates_of_one_test() -> None:
    def night(name: str, bad: int) -> Measured:
        tests = [a_test(a_load(seed), name=f"tpcb#{seed}", repetition=seed) for seed in range(1, 21)]
        tests = [failed(test) if test.repetition <= bad else test for test in tests]
        return measured(name, "nightly.yaml", a_run(*tests, name=name))

    old, new = night("yesterday", 0), night("today", 14)
    assert new.tests == ("tpcb",)
    assert len(new.numbers.series[f"{STEP} throughput"].values) == 20
    found = compare_measured(new, [old], Rule())
    said = {row.metric: row.answer for row in found.rows}
    assert said["success of tpcb"] is Answer.WORSE
    assert not found.verdicts, "a rate tells more than a verdict"


def test_screen_page_and_files_tell_units_and_reasons() -> None:
    found = compared(a_load(99, rate=500, retried=None), *ten_days())
    out = io.StringIO()
    print_sheet(Console(file=out, width=160), found)
    text = out.getvalue()
    assert f"{STEP} throughput is worse" in text
    assert "/s" in text and " ms" in text
    assert f"Not compared, as the tool did not tell it: {STEP} retries" in text
    rows = {(row["metric"], row["statistic"]): row for row in csv.DictReader(io.StringIO(sheet_csv(found)))}
    row = rows[f"{STEP} throughput", "mean"]
    assert (row["unit"], row["better"], row["verdict"]) == ("/s", "higher", "worse")
    assert rows[f"{STEP} errors", "mean"]["unit"] == "%"
    data = json.loads(found.model_dump_json())
    change = next(one for one in data["rows"] if one["metric"] == f"{STEP} throughput")["change"]
    assert change["better"] == "higher" and change["change"] < 0
    page = sheet_page(found)
    assert "/s" in page and "the tool did not tell it" in page


# ---- history


def _written(runs: Path, number: int, result: RunResult) -> None:
    name = f"202611{number:02}-120000-abcdef"
    run = RunFolder(runs / name)
    run.path.mkdir(parents=True)
    run.write_manifest(Manifest(run_id=name, suite="nightly.yaml", started=STARTED, ended=STARTED + 9))
    (run.path / "result.json").write_text(result.model_dump_json())


def test_history_tells_each_load_and_its_trend(tmp_path: Path) -> None:
    for number, load in enumerate(ten_days(), start=1):
        _written(tmp_path, number, a_run(a_test(load)))
    _written(tmp_path, 11, a_run(a_test(a_load(77, rate=400))))
    _written(tmp_path, 12, a_run(a_test(a_load(78, complete=False, meaning="it was killed"))))
    found = list(past_runs(tmp_path))
    trends = [load.trend for run in found for load in run.loads]
    assert trends[0] == "first" and trends[-2:] == ["worse", ""]
    assert "worse" not in trends[:-2]
    worse = found[-2].loads[0]
    assert f"{STEP} throughput" in worse.trend_of and worse.per_second == pytest.approx(400, rel=0.05)
    assert found[-1].loads[0].error == "the load did not come to its end: it was killed"
    out = io.StringIO()
    print_history(Console(file=out, width=200), found)
    assert "worse: throughput" in out.getvalue()
    assert "does not count: the load did not come to its end" in out.getvalue()
    rows = list(csv.DictReader(io.StringIO(history_csv(found))))
    assert rows[-2]["loads"].startswith(f"{STEP} ") and rows[-2]["loads"].endswith("/s worse")
    assert found[0].verdict is Verdict.PASS
