"""The verdict on a load: each limit broken, kept to and not measured; a bad end; tools from elsewhere."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_events import DONE, attempt, ok, plan, stats, step, unreachable

from e2e_ansible.judge.attempt import Judged, judge_attempt
from e2e_ansible.judge.entry import AttemptEnded
from e2e_ansible.judge.load import judge_load, longest_outage
from e2e_ansible.judge.record import StepRecord
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import judge_step
from e2e_ansible.load.limits import LoadLimits
from e2e_ansible.load.result import Interval, Latency, LoadResult
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.verdict import Cause, Verdict

GOOD = LoadResult(
    tool="x",
    workload="w",
    transactions=990,
    failed=10,
    per_second=500.0,
    latency=Latency(p95=4.0, p99=9.5),
    intervals=(
        Interval(start=0, seconds=1, count=5),
        Interval(start=1, seconds=1, count=0),
        Interval(start=2, seconds=1.5, count=0),
        Interval(start=3.5, seconds=1, count=5),
    ),
    exit_code=0,
    meaning="well",
    complete=True,
)
EMPTY = LoadResult(tool="x", workload="w", exit_code=0, complete=True)
SUMMARY = """pgbench (PostgreSQL) 15.20
number of transactions actually processed: 100
tps = 50.000000 (without initial connection time)
"""
PASS = (Verdict.PASS, None, None)


def limits(**given: float) -> LoadLimits:
    return LoadLimits.model_validate(given)


@pytest.mark.parametrize(
    ("name", "kept", "broken", "words"),
    [
        ("error_rate", 0.01, 0.0099, "0.01 of all transactions failed"),
        ("outage_seconds", 2.5, 2.49, "no transaction succeeded for 2.5 s"),
        ("p95_ms", 4.0, 3.9, "the 95th percentile is 4 ms"),
        ("p99_ms", 9.5, 9.4, "the 99th percentile is 9.5 ms"),
        ("per_second", 500.0, 500.1, "500 transactions per second"),
    ],
)
def test_each_limit_is_kept_to_or_broken_or_not_known(
    name: str, kept: float, broken: float, words: str
) -> None:
    assert judge_load(GOOD, limits(**{name: kept})) == PASS
    text = f"{name}: {words}, the limit is {broken:g}"
    assert judge_load(GOOD, limits(**{name: broken})) == (Verdict.FAIL, Cause.PRODUCT, text)
    verdict, _, error = judge_load(EMPTY, limits(**{name: kept}))
    assert verdict is Verdict.UNKNOWN
    assert name in str(error)


def test_all_that_is_broken_is_told_and_weighs_more_than_what_is_not_known() -> None:
    load = GOOD.model_copy(update={"intervals": ()})
    verdict, cause, error = judge_load(load, limits(error_rate=0, p95_ms=1, outage_seconds=1))
    assert (verdict, cause) == (Verdict.FAIL, Cause.PRODUCT)
    assert [line.partition(":")[0] for line in str(error).splitlines()] == ["error_rate", "p95_ms"]


@pytest.mark.parametrize(
    ("changes", "cause", "words"),
    [
        ({"complete": False}, Cause.PRODUCT, "x: it did not come to its end; well"),
        ({"refused": "rows are missing"}, Cause.PRODUCT, "x: rows are missing; well"),
        ({"complete": False, "exit_code": 127}, Cause.INFRASTRUCTURE, "x: it did not come to its end; well"),
    ],
)
def test_what_did_not_end_well_has_failed_without_any_limit(
    changes: dict[str, Any], cause: Cause, words: str
) -> None:
    assert judge_load(GOOD, limits()) == PASS
    assert judge_load(GOOD.model_copy(update=changes), limits()) == (Verdict.FAIL, cause, words)


def test_a_load_of_which_nothing_is_known_is_unknown() -> None:
    assert judge_load(None, limits())[0] is Verdict.UNKNOWN


def intervals(*counts: int) -> list[Interval]:
    return [Interval(start=float(index), seconds=1.0, count=count) for index, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "seconds"),
    [((), None), ((1,), 0), ((0, 0, 1), 2), ((1, 0, 0, 0), 3), ((1, 0, 1, 0, 0, 1), 2), ((0, 0), 2)],
)
def test_an_outage_is_the_longest_row_of_intervals_without_a_commit(
    counts: tuple[int, ...], seconds: float | None
) -> None:
    assert longest_outage(intervals(*counts)) == seconds


def test_what_nothing_is_told_of_is_an_outage_as_well() -> None:
    assert longest_outage([*intervals(1, 1), Interval(start=7, seconds=1, count=1)]) == 5


def test_an_outage_at_the_very_begin_or_end_is_one_also_where_no_interval_tells_of_it() -> None:
    late = [Interval(start=20.0 + index, seconds=1, count=3) for index in range(5)]
    assert longest_outage(late, 25.0) == 20
    tenths = [Interval(start=0.1 * place, seconds=0.1, count=1) for place in range(9)]
    assert longest_outage(tenths) == 0, "what is left over of a sum is no outage"
    assert longest_outage(intervals(3, 3, 3), 30.0) == 27
    assert longest_outage(intervals(3, 0, 0), 30.0) == 29
    assert longest_outage(intervals(3, 3, 3), 3.8) == 0, "the last interval was not whole, and is not told"
    load = GOOD.model_copy(update={"intervals": tuple(intervals(3, 3, 3)), "seconds": 30.0})
    assert judge_load(load, limits(outage_seconds=20))[0] is Verdict.FAIL


def test_intervals_over_each_other_make_no_outage() -> None:
    several = [Interval(start=0, seconds=10, count=3), Interval(start=1, seconds=1, count=3)]
    assert longest_outage([*several, Interval(start=10, seconds=10, count=3)]) == 0


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.integers(1, 7))
def test_longer_intervals_of_the_same_load_never_make_an_outage_longer(counts: list[int], wide: int) -> None:
    fine = intervals(*counts)
    pieces = [fine[at : at + wide] for at in range(0, len(fine), wide)]
    coarse = [
        Interval(start=piece[0].start, seconds=len(piece), count=sum(one.count for one in piece))
        for piece in pieces
    ]
    true, seen = longest_outage(fine), longest_outage(coarse)
    assert true is not None and seen is not None
    assert seen <= true
    kept = judge_load(
        GOOD.model_copy(update={"intervals": tuple(coarse)}), limits(outage_seconds=max(true - 1, 0))
    )
    assert true == 0 or true - 1 >= wide or kept != PASS, "what hides in an interval is not known"


@pytest.mark.parametrize("name", ["error_rate", "outage_seconds", "p95_ms", "p99_ms", "per_second"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_keeps_to_no_limit(name: str, value: float) -> None:
    broken = GOOD.model_copy(
        update={
            "latency": Latency(p95=value, p99=value),
            "per_second": value,
            "failed": None,
            "intervals": (Interval.model_construct(start=0.0, seconds=value, count=1, latency=Latency()),),
        }
    )
    limit = 0.5 if name == "error_rate" else 1000.0
    verdict, _, error = judge_load(broken, limits(**{name: limit}))
    assert verdict is Verdict.UNKNOWN
    assert name in str(error)


def test_an_outage_that_an_interval_may_hide_is_not_kept_to() -> None:
    wide = GOOD.model_copy(update={"intervals": (Interval(start=0, seconds=60, count=9),)})
    verdict, _, error = judge_load(wide, limits(outage_seconds=5))
    assert verdict is Verdict.UNKNOWN
    assert "outage_seconds (an interval of 60 s shows none of 5 s)" in str(error)
    assert judge_load(wide, limits(outage_seconds=60)) == PASS


@pytest.mark.parametrize("failed", [None, 0, 7])
def test_a_load_that_loaded_nothing_has_failed_whatever_it_says(failed: int | None) -> None:
    idle = GOOD.model_copy(update={"transactions": 0, "failed": failed})
    words = (Verdict.FAIL, Cause.PRODUCT, "x: not one transaction succeeded")
    assert judge_load(idle, limits()) == words
    silent = GOOD.model_copy(update={"transactions": None, "intervals": tuple(intervals(0, 0))})
    assert judge_load(silent, limits()) == words
    assert judge_load(EMPTY, limits()) == PASS, "a tool may count no transactions at all"


# ---- from events


def said(tool: str = "pgbench", code: int = 0) -> dict[str, Any]:
    return {
        "tool": tool,
        "argv": ["pgbench"],
        "exit_code": code,
        "stdout": SUMMARY,
        "started": 1.0,
        "ended": 3.0,
        "workload": "w",
    }


def judged(*events: Any, recorded: LoadResult | None = None, **given: float) -> Judged:
    one = step(judgement=Judgement(load=limits(**given)))
    made = attempt(DONE)
    assert made.ended is not None
    made.ended = made.ended.model_copy(update={"load": recorded})
    return judge_attempt(plan(one), one, made, [*events, stats()])


def test_a_built_in_tool_is_read_from_the_event() -> None:
    found = judged(ok(e2e_load=said()), per_second=50)
    assert found.verdict is Verdict.PASS
    assert found.load is not None
    assert found.load.per_second == 50.0
    assert judged(ok(e2e_load=said()), per_second=51).verdict is Verdict.FAIL
    assert judged(ok(e2e_load=said(code=1))).verdict is Verdict.FAIL


def test_a_tool_from_elsewhere_is_what_was_made_of_it_then() -> None:
    found = judged(ok(e2e_load=said("of-somebody")), recorded=GOOD, p95_ms=4)
    assert (found.verdict, found.load) == (Verdict.PASS, GOOD)
    assert judged(ok(e2e_load=said("of-somebody")), recorded=GOOD, p95_ms=3.9).verdict is Verdict.FAIL
    assert judged(ok(e2e_load=said("of-somebody"))).verdict is Verdict.UNKNOWN


def test_a_play_that_tells_no_load_is_unknown_and_one_that_failed_has_failed() -> None:
    assert judged(ok()).verdict is Verdict.UNKNOWN
    assert judged(ok(e2e_load={"tool": 1})).verdict is Verdict.UNKNOWN
    assert judged(ok(e2e_load=said()), ok(e2e_load={"tool": 1})).verdict is Verdict.UNKNOWN, (
        "not the one before"
    )
    gone = judged(ok(e2e_load=said()), unreachable())
    assert gone.verdict is Verdict.FAIL
    assert gone.load is not None, "what was measured is told all the same"


def test_a_step_without_a_load_is_written_as_ever() -> None:
    without = judge_step(plan(), step(), StepRecord(step="01-step", started=1), {})
    assert "load" not in json.loads(without.model_dump_json())
    assert "load" not in json.loads(Judgement().model_dump_json())
    ended = AttemptEnded(at=1, step="s", attempt=1, outcome=DONE)
    assert "load" not in json.loads(ended.model_dump_json())
    with_load = without.model_copy(update={"load": GOOD})
    again = StepResult.model_validate_json(with_load.model_dump_json())
    assert again.load == GOOD
