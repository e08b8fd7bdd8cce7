"""What every report tells of a load: the terminal, the lines of a pipe, the page, JUnit and JSON."""

from __future__ import annotations

import io
import json
from typing import Any
from xml.etree import ElementTree

from report_script import notices, sample
from rich.console import Console

from e2e_ansible.judge.result import RunResult
from e2e_ansible.load.result import Interval, Latency, LoadResult, TransactionLoad
from e2e_ansible.report.html import html
from e2e_ansible.report.junit import junit_xml
from e2e_ansible.report.load import load_numbers, load_words
from e2e_ansible.report.plain import PlainView
from e2e_ansible.report.summary import print_summary

LOAD = LoadResult(
    tool="pgbench",
    version="15.20",
    workload="a.sql, b.sql",
    transactions=9995,
    failed=5,
    per_second=4440.7,
    latency=Latency(p50=0.898, p95=1.362, p99=12.5),
    by_name=(
        TransactionLoad(
            name="a.sql", count=9000, per_second=4000, percent=90, failed=5, latency=Latency(p99=10)
        ),
        TransactionLoad(name="b.sql", count=995, per_second=440.7, percent=10, failed=0),
    ),
    intervals=(Interval(start=0, seconds=1, count=1), Interval(start=1, seconds=1.5, count=0)),
    exit_code=0,
    meaning="it came to its end",
    complete=True,
)
CUT = LOAD.model_copy(
    update={"latency": Latency(p95=5, bucketed=True), "by_name": (), "refused": "<b>clients</b> were lost"}
)


def run_with(load: LoadResult | None) -> RunResult:
    """A recorded run whose second step was a load."""
    result = sample("all_pass")
    first, *others = result.tests
    steps = list(first.workflow_steps)
    steps[1] = steps[1].model_copy(update={"load": load})
    test = first.model_copy(update={"workflow_steps": tuple(steps)})
    return result.model_copy(update={"tests": (test, *others)})


def screen(result: RunResult, width: int = 80, *, verbose: bool = True) -> str:
    stream = io.StringIO()
    print_summary(Console(file=stream, width=width), result, "runs/x", verbose=verbose)
    return stream.getvalue()


def test_the_terminal_has_a_table_in_which_no_number_is_cut() -> None:
    lines = [line for line in screen(run_with(LOAD)).splitlines() if "pgbench" in line or ".sql" in line]
    whole, a, b = lines
    for word in ("4441", "0.898", "1.36", "12.5", "5 (0.1 %)"):
        assert word in whole
    assert "90 %" in a
    assert "4000" in a
    assert b.split()[-1] == "0"
    assert all(len(line) <= 80 for line in lines)
    assert "≤ 5" in screen(run_with(CUT))
    assert "tx/s" not in screen(run_with(None))


def test_a_pipe_has_one_line() -> None:
    stream = io.StringIO()
    view = PlainView(stream)
    for notice in notices(run_with(LOAD)):
        view(notice)
    (line,) = [line for line in stream.getvalue().splitlines() if "pgbench" in line]
    assert "pgbench a.sql, b.sql: 4441 tx/s, p95 1.36 ms, p99 12.5 ms, errors 5 (0.1 %)" in line
    assert load_words(LoadResult(tool="x", workload="w", complete=True)) == "x w: measured nothing"
    assert load_words(CUT).endswith("<b>clients</b> were lost; it came to its end")


def test_the_page_has_the_table_and_takes_nothing_for_markup() -> None:
    page = html(run_with(LOAD))
    assert "<h3>Load</h3>" in page
    for word in ("pgbench 15.20", "4441", "12.5", "it came to its end", "1.5 s", "90 %"):
        assert word in page
    assert "<b>clients" not in html(run_with(CUT))
    assert "<h3>Load</h3>" not in html(run_with(None))


def test_junit_and_json_have_the_numbers() -> None:
    result = run_with(LOAD)
    properties = {
        each.get("name"): each.get("value")
        for each in ElementTree.fromstring(junit_xml(result)).iter("property")
    }
    assert properties["load.per_second"] == "4440.7"
    assert properties["load.p99_ms"] == "12.5"
    assert properties["load.outage_seconds"] == "1.5"
    assert properties["load.complete"] == "yes"
    assert dict(load_numbers(CUT))["complete"] == "no"
    assert "p50_ms" not in dict(load_numbers(CUT))
    told: dict[str, Any] = json.loads(result.model_dump_json())
    assert told["tests"][0]["workflow_steps"][1]["load"]["per_second"] == 4440.7
    assert "load" not in told["tests"][0]["workflow_steps"][0]


def test_of_several_tests_that_passed_each_load_has_a_line() -> None:
    run = run_with(LOAD)
    several = run.model_copy(update={"tests": run.tests * 2})
    lines = [line for line in screen(several, 120, verbose=False).splitlines() if line.startswith("  load ")]
    assert lines == [f"  load     {load_words(LOAD)}".ljust(len(line)) for line in lines]
    assert len(lines) == 2
