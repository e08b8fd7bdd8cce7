"""Loads over time on the page of a run: curves on one axis with faults and outages, and their numbers as a table."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.outage import OutageWindow
from e2e_ansible.judge.result import FaultResult, TestResult
from e2e_ansible.load.result import Interval, Latency
from e2e_ansible.report.html import html
from e2e_ansible.report.load_chart import LoadFigure, load_figures
from tests.unit.load_results import STARTED, a_load, a_run, a_test

CUT = FaultResult(
    id="04-cut/n11",
    fault="partition",
    node="n11",
    intended=STARTED + 18,
    injected=STARTED + 18,
    effect_proved=True,
    healed=STARTED + 40,
)
WINDOW = OutageWindow(
    kind="writes", start=STARTED + 18.5, end=STARTED + 31, seconds=12.5, low=12.0, high=13.0, operations=40
)
CLIENT = ClientResult(
    name="integrity",
    workload="append",
    operations=500,
    started=STARTED - 20,
    ended=STARTED + 66,
    outages=(WINDOW,),
    outage_count=1,
    outage_writes=12.5,
)


def figures(test: TestResult) -> tuple[LoadFigure, ...]:
    return load_figures(test, "test-1")


def only(*loads: Any, **more: Any) -> LoadFigure:
    (found,) = figures(a_test(*loads, **more))
    return found


def test_faults_and_outages_are_on_the_axis_of_the_load() -> None:
    found = only(a_load(outage=(19, 31)), faults=(CUT,), clients=(CLIENT,))
    assert found.axis.begin == pytest.approx(STARTED - 1.2)
    assert found.axis.seconds == pytest.approx(62.4)
    (fault,), (outage,), (curve,) = found.faults, found.outages, found.loads
    assert fault.bars[0].place.left == found.axis.at(STARTED + 18)
    assert outage.bars[0].place.left == found.axis.at(STARTED + 18.5)
    assert outage.words == "12.5 s in 1"
    assert [one.place.left for one in curve.chart.writes] == [outage.bars[0].place.left]
    assert [(one.left, one.healed) for one in found.edges] == [(30.8, False), (66.0, True)]
    assert curve.out is not None and curve.out.words == "12.0 s in 1"
    assert curve.out.bars[0].place.left == found.axis.at(STARTED + 19)


def test_what_was_before_or_after_the_load_is_not_drawn_at_its_ends() -> None:
    early = CUT.model_copy(update={"injected": STARTED - 500, "healed": STARTED - 400})
    late = WINDOW.model_copy(update={"start": STARTED + 900, "end": STARTED + 950})
    client = CLIENT.model_copy(update={"outages": (late,)})
    found = only(a_load(), faults=(early,), clients=(client,))
    assert (found.faults, found.outages, found.edges) == ((), (), ())
    assert found.loads[0].chart.writes == ()


def test_a_fault_from_before_that_is_healed_meanwhile_has_only_that_line() -> None:
    early = CUT.model_copy(update={"injected": STARTED - 500})
    found = only(a_load(), faults=(early,))
    assert len(found.faults) == 1
    assert [one.healed for one in found.edges] == [True]


def test_loads_that_overlap_share_an_axis_and_others_do_not() -> None:
    beside = a_load(2, started=STARTED + 30)
    later = a_load(3, started=STARTED + 500)
    first, second = figures(a_test(later, a_load(1), beside))
    assert [one.name for one in first.loads] == ["03-run_pgbench", "04-run_pgbench"]
    assert [one.name for one in second.loads] == ["02-run_pgbench"]
    assert first.axis.seconds == pytest.approx(90 * 1.04)


def test_the_height_of_the_curve_is_its_throughput() -> None:
    intervals = tuple(
        Interval(start=float(second), seconds=1.0, count=count)
        for second, count in enumerate((50, 100, 0, 25))
    )
    found = only(a_load(intervals=intervals, latency=Latency()))
    (curve,) = found.loads
    tops = [float(top) for top in re.findall(r"V([\d.]+)H", curve.chart.answers)]
    assert tops == [50.0, 0.0, 75.0]
    assert curve.chart.fastest == "100"
    assert (curve.usual, curve.slow, curve.latency) == ("", "", "")
    assert [row[2] for row in curve.rows] == ["50/s", "100/s", "0/s", "25/s"]
    assert [row[3] for row in curve.rows] == ["–"] * 4, "nothing tells what failed"
    assert "at least 0/s at" in curve.words


def test_what_is_left_of_an_interval_at_an_end_is_no_peak() -> None:
    lengths = ((0.0, 0.05, 25), (0.05, 1.0, 100), (1.05, 1.0, 90), (2.05, 0.1, 30))
    intervals = tuple(Interval(start=at, seconds=seconds, count=count) for at, seconds, count in lengths)
    (curve,) = only(a_load(intervals=intervals, latency=Latency())).loads
    assert [row[2] for row in curve.rows] == ["119/s", "109/s"]
    silent = (*intervals[:2], intervals[2].model_copy(update={"count": 0}), intervals[3])
    (curve,) = only(a_load(intervals=silent, latency=Latency())).loads
    assert [row[2] for row in curve.rows] == ["119/s", "0/s", "300/s"], "an outage is not made shorter"


def test_a_long_load_is_put_together_and_keeps_its_sum_and_its_worst() -> None:
    load = a_load(4, seconds=1000)
    worst = max(one.latency.p95 or 0 for one in load.intervals)
    (curve,) = only(load).loads
    assert curve.chart.answers.count("M") <= 240
    assert len(curve.rows) <= 60
    seconds = [float(row[1].removesuffix(" s")) for row in curve.rows]
    rates = [float(row[2].removesuffix("/s")) for row in curve.rows]
    whole = sum(rate * length for rate, length in zip(rates, seconds, strict=True))
    assert whole == pytest.approx(load.transactions, rel=0.01)
    assert max(float(row[5].removesuffix(" ms")) for row in curve.rows) == pytest.approx(worst, rel=0.01)


def test_lines_are_named_by_what_the_tool_tells() -> None:
    def named(**latency: Any) -> tuple[str, str]:
        intervals = tuple(
            Interval(start=float(second), seconds=1.0, count=5, latency=Latency(**latency))
            for second in range(3)
        )
        (curve,) = only(a_load(intervals=intervals)).loads
        return curve.usual, curve.slow

    assert named(average=1.0, p50=1.0, p95=2.0, p99=3.0) == ("median", "P99")
    assert named(average=1.0, p95=2.0) == ("average", "P95")
    assert named(average=1.0, maximum=2.0) == ("average", "slowest")
    assert named(average=1.0, p99=2.0, bucketed=True) == ("average", "P99 (bucket)")
    assert named() == ("", "")


def test_a_beginning_that_nobody_knows_is_said() -> None:
    (curve,) = only(a_load(started=None)).loads
    assert "does not tell when it began" in curve.note
    assert figures(a_test(a_load(intervals=()))) == ()


class _Page(HTMLParser):
    """What a reader without eyes for graphs gets."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.labels += [value for name, value in attrs if name == "aria-label" and value]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_the_plot_its_words_and_its_numbers() -> None:
    test = a_test(a_load(outage=(19, 31)), faults=(CUT,), clients=(CLIENT,))
    text = html(a_run(test))
    page = _Page()
    page.feed(text)
    assert "script" not in page.tags
    said = next(one for one in page.labels if one.startswith("Throughput of 02-run_pgbench over time"))
    assert "at least 0/s at" in said
    assert "Latency of 02-run_pgbench over time, average and P95: average 5 ms; P95 12.5 ms" in page.labels
    assert "02-run_pgbench over time, as numbers" in page.text
    assert page.text.count("22:13:") > 40
    assert "a client got no answer" in page.text and "integrity: no writes" in page.text


def test_a_run_without_loads_has_no_plot() -> None:
    assert "Load over time" not in html(a_run(a_test()))


def test_words_of_a_tool_are_no_markup() -> None:
    text = html(a_run(a_test(a_load(tool="<script>x</script>", workload='"><b>'))))
    assert "<script" not in text and '"><b>' not in text
