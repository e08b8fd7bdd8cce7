"""The numbers of a load: which way each is better, what the data does not tell, and which loads do not count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from e2e_ansible.analysis.load_series import (
    FEWEST,
    Metric,
    Missing,
    load_metrics,
    trials_for,
    why_not_counted,
)
from e2e_ansible.analysis.series import Direction, Series
from e2e_ansible.load.result import Interval, Latency, LoadResult
from tests.unit.load_results import a_load


def series(load: LoadResult) -> dict[str, Series]:
    return {one.name: one.series for one in load_metrics(load) if isinstance(one, Metric)}


def missing(load: LoadResult) -> dict[str, str]:
    return {one.name: one.why for one in load_metrics(load) if isinstance(one, Missing)}


def intervals(*latencies: Latency, seconds: float = 1.0) -> tuple[Interval, ...]:
    """One after the other, ten commits in each."""
    return tuple(
        Interval(start=place * seconds, seconds=seconds, count=10, latency=latency)
        for place, latency in enumerate(latencies)
    )


def per_interval(latencies: Sequence[Latency], **more: Any) -> dict[str, Series]:
    found = series(a_load(intervals=intervals(*latencies), **more))
    return {name: one for name, one in found.items() if name.endswith(" per interval")}


def test_each_metric_has_its_direction() -> None:
    found = {name: one.better for name, one in series(a_load()).items()}
    higher = {name for name, better in found.items() if better is Direction.HIGHER}
    assert higher == {"throughput", "throughput per interval"}
    assert set(found) - higher == {
        "average latency",
        "P50 latency",
        "P90 latency",
        "P95 latency",
        "P99 latency",
        "errors",
        "retries",
        "outage",
        "average latency per interval",
    }


def test_the_whole_is_told_in_its_unit() -> None:
    load = a_load(transactions=900, failed=100, retried=45, per_second=15.0, outage=(9, 12))
    found = {name: (one.values, one.unit, one.floor) for name, one in series(load).items() if one.whole}
    assert found["throughput"] == ((15.0,), "/s", 0)
    assert found["errors"] == ((10.0,), "%", 0.1), "of all that were tried"
    assert found["retries"] == ((5.0,), "%", 0.1)
    assert found["outage"] == ((3.0,), "s", 1.0), "no finer than an interval"
    longer = load.model_copy(update={"seconds": 90.0})
    assert series(longer)["outage"].values == (30.0,), "nothing is told of its end"


def test_a_percentile_of_few_transactions_is_none() -> None:
    assert [trials_for(share) for share in (0.5, 0.9, 0.95, 0.99)] == [6, 36, 72, 368]
    assert "P99 latency" in series(a_load(transactions=368))
    assert missing(a_load(transactions=367)) == {"P99 latency": "367 transactions tell no P99: it takes 368"}


@pytest.mark.parametrize(
    ("untold", "names"),
    [
        ({"per_second": None}, {"throughput"}),
        ({"per_second": math.nan}, {"throughput"}),
        ({"per_second": math.inf}, {"throughput"}),
        ({"failed": None}, {"errors"}),
        ({"retried": None}, {"retries"}),
        (
            {"transactions": 0},
            {"errors", "retries", "P50 latency", "P90 latency", "P95 latency", "P99 latency"},
        ),
        ({"intervals": ()}, {"outage", "throughput per interval"}),
        (
            {"latency": Latency(p50=1.0)},
            {"average latency", "P90 latency", "P95 latency", "P99 latency"},
        ),
    ],
)
def test_what_a_tool_does_not_tell_is_said_and_not_guessed(untold: dict[str, Any], names: set[str]) -> None:
    load = a_load(**{"failed": 0, **untold})
    assert set(missing(load)) == names
    assert not names & set(series(load))


def test_a_bound_of_a_bucket_has_another_name_than_a_percentile() -> None:
    bucketed = [Latency(p95=25.0, bucketed=True)] * FEWEST
    found = per_interval(bucketed, latency=Latency(p99=25.0, bucketed=True))
    assert "P95 latency, of buckets per interval" in found
    assert "P99 latency, of buckets" in series(a_load(latency=Latency(p99=25.0, bucketed=True)))


@pytest.mark.parametrize(
    ("latencies", "name"),
    [
        ([Latency(average=1, p50=2)] * FEWEST, "average latency per interval"),
        ([Latency(p50=2, p99=3)] * FEWEST, "P50 latency per interval"),
        ([Latency(average=1, p99=3)] * (FEWEST - 1) + [Latency(p99=3)], "P99 latency per interval"),
        ([Latency(average=math.nan, p90=3)] * FEWEST, "P90 latency per interval"),
        ([Latency()] * FEWEST, None),
    ],
)
def test_of_intervals_the_first_latency_that_enough_of_them_tell(
    latencies: Sequence[Latency], name: str | None
) -> None:
    found = per_interval(latencies)
    assert list(found) == ["throughput per interval", *([name] if name else [])]
    assert found["throughput per interval"].values == (10.0,) * FEWEST


def test_few_intervals_tell_nothing_of_how_much_a_load_varies() -> None:
    few = a_load(intervals=intervals(*[Latency(average=1)] * (FEWEST - 1)))
    assert missing(few)["throughput per interval"] == f"{FEWEST - 1} intervals are fewer than {FEWEST}"
    assert not [name for name in series(few) if name.endswith(" per interval")]


def test_an_interval_that_was_cut_short_tells_noise() -> None:
    whole = intervals(*[Latency(average=1)] * FEWEST)
    cut = Interval(start=FEWEST, seconds=0.5, count=1, latency=Latency(average=99))
    found = series(a_load(intervals=(*whole, cut)))
    assert found["throughput per interval"].values == (10.0,) * FEWEST
    assert 99 not in found["average latency per interval"].values
    longer = cut.model_copy(update={"seconds": 0.8})
    assert len(series(a_load(intervals=(*whole, longer)))["throughput per interval"].values) == FEWEST + 1


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({}, ""),
        ({"complete": False, "meaning": "it was killed"}, "the load did not come to its end: it was killed"),
        ({"complete": False, "meaning": ""}, "the load did not come to its end: nothing tells why"),
        ({"refused": "the population is not whole"}, "the load does not count: the population is not whole"),
        ({"refused": "rows are missing", "complete": False}, "the load does not count: rows are missing"),
        ({"refused": "\nfirst line\nsecond"}, "the load does not count: first line"),
        ({"refused": "x" * 160}, f"the load does not count: {'x' * 160}"),
        ({"refused": "x" * 161}, f"the load does not count: {'x' * 160} …"),
    ],
)
def test_a_load_that_does_not_count_says_why_in_one_line(broken: dict[str, Any], why: str) -> None:
    assert why_not_counted(a_load(**broken)) == why
