"""What is made of the output of pgbench: of each version, of a run that was cut, and of clients that were aborted."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from outputs import OLD, SUMMARY, output, row

from e2e_ansible.judge.load import longest_outage
from e2e_ansible.load.pgbench import TOOL
from e2e_ansible.load.pgbench_reduce import MOST_INTERVALS, reduce
from e2e_ansible.load.result import LoadResult

REDUCED = {
    "start": 100.02,
    "end": 102.0,
    "all": row(1000, 5),
    "scripts": {"0": row(1000, 5)},
    "intervals": [[0.0, 0.98, *row(490, 2)], [0.98, 1.0, *row(510, 3)]],
    "unread": 0,
    "skipped": 0,
}
PROGRESS = """\
progress: 1.0 s, 500.0 tps, lat 2.0 ms stddev 0.5, 3 failed, 1 retried, 2 retries
progress: 2.0 s, 300.0 tps, lat 3.0 ms stddev 0.5, 0 failed
"""
LOST = """\
pgbench: error: client 0 script 0 aborted in command 4 query 0: server closed the connection unexpectedly
pgbench: error: client 1 aborted in command 5 (SQL) of script 0; perhaps the backend died while processing
pgbench: error: Run was aborted; the above results are incomplete.
"""


def test_counts_and_percentiles_are_those_of_its_logs() -> None:
    load = TOOL.read(output(reduced=REDUCED))
    assert (load.transactions, load.failed, load.retried, load.per_second) == (1000, 5, 7, 512.25)
    assert (load.latency.p50, load.latency.p99, load.latency.maximum) == (0.9, 2.0, 4.0)
    assert (load.version, load.workload, load.host) == ("15.20", "tpcb-like", "c11")
    assert (load.started, load.seconds) == (100.02, pytest.approx(1.98))
    assert [(each.start, each.count, each.failed) for each in load.intervals] == [(0, 490, 2), (0.98, 510, 3)]
    assert (load.complete, load.refused, load.meaning) == (True, "", "it came to its end")
    assert load.error_rate == pytest.approx(5 / 1005)


def test_each_script_has_its_name_and_share() -> None:
    scripts = {"0": row(750), "1": row(250, 4)}
    load = TOOL.read(output(reduced={**REDUCED, "scripts": scripts}, workload="a.sql, b.sql"))
    assert [(each.name, each.count, each.percent, each.failed) for each in load.by_name] == [
        ("a.sql", 750, 75.0, 0),
        ("b.sql", 250, 25.0, 4),
    ]


def test_without_its_logs_the_summary_and_the_progress_are_told_and_percentiles_are_not() -> None:
    load = TOOL.read(output(stderr=PROGRESS))
    assert (load.transactions, load.failed, load.per_second) == (1000, 5, 512.25)
    assert (load.latency.average, load.latency.p99) == (3.905, None)
    assert [(each.start, each.seconds, each.count, each.failed) for each in load.intervals] == [
        (0.0, 1.0, 500, 3),
        (1.0, 1.0, 300, 0),
    ]


def test_version_13_has_another_summary() -> None:
    load = TOOL.read(output(OLD))
    assert (load.version, load.transactions, load.per_second) == ("13.18", 200, 100.5)
    assert (load.complete, load.failed) == (True, 0), "there any error ends a client, and none was ended"


# ---- each version: recorded, or of 13 and 14 written by their source


VERSIONS = Path(__file__).parents[2] / "data/pgbench"


def _runs() -> Iterator[Any]:
    for path in sorted(VERSIONS.glob("*.json")):
        for name in json.loads(path.read_text())["runs"]:
            yield pytest.param(path.stem, name, id=f"{path.stem}-{name}")


def load_of(version: str, name: str, *, logs: bool) -> LoadResult:
    """What is read of a run; its logs are reduced as on the node."""
    run = json.loads((VERSIONS / f"{version}.json").read_text())["runs"][name]
    reduced = reduce(run["log"].splitlines(keepends=True), 1)
    ended = {"ended": reduced["end"]} if reduced["end"] else {}
    said = {key: run[key] for key in ("stdout", "stderr", "exit_code")}
    return TOOL.read(output(reduced=reduced if logs else None, workload="a, b", **said, **ended))


@pytest.mark.parametrize(("version", "name"), list(_runs()))
def test_what_each_version_counted_is_what_its_logs_have(version: str, name: str) -> None:
    logged, told = load_of(version, name, logs=True), load_of(version, name, logs=False)
    assert logged.version.partition(".")[0] == version
    assert (logged.transactions, logged.failed, logged.retried) == (
        told.transactions,
        told.failed,
        told.retried,
    )
    assert logged.per_second == told.per_second
    if name == "refused":
        assert (logged.complete, logged.transactions, logged.failed) == (False, None, None)
        return
    assert logged.complete
    assert sum(each.count for each in logged.intervals) == logged.transactions
    if name == "none":
        assert (logged.transactions, logged.failed) == (0, 0)
        return
    assert logged.latency.average == pytest.approx(told.latency.average, abs=0.001)
    if name == "timed":
        assert {each.seconds for each in told.intervals} == {1.0}, "of two one is printed, or both"
        assert told.seconds == pytest.approx(2, abs=0.2)


def test_failures_retries_and_scripts_are_those_of_each_version() -> None:
    for version in ("15", "16", "17", "18"):
        failed, retried = (load_of(version, name, logs=True) for name in ("failed", "retried"))
        assert (failed.transactions or 0) + (failed.failed or 0) == 80
        assert failed.retried is None, "with one try nothing is tried again"
        assert (retried.transactions or 0) + (retried.failed or 0) == 80
        assert retried.retried
        two = load_of(version, "two", logs=True)
        assert [each.name for each in two.by_name] == ["a", "b"]
        assert sum(each.count for each in two.by_name) == two.transactions


@pytest.mark.parametrize("version", ["13", "14", "15", "16", "17", "18"])
def test_an_error_of_a_script_is_not_told_as_a_lost_database(version: str) -> None:
    load = load_of(version, "aborted", logs=True)
    assert load.refused.startswith("2 of its clients were ended by an error before the end: ERROR: ")
    assert "division by zero" in load.refused
    assert (load.exit_code, load.failed) == (2, 2)


def test_without_its_logs_the_intervals_of_a_second_start_follow_those_of_the_first() -> None:
    load = TOOL.read(output(SUMMARY + SUMMARY, stderr=PROGRESS + PROGRESS))
    assert [each.start for each in load.intervals] == [0.0, 1.0, 2.0, 3.0]
    assert {each.seconds for each in load.intervals} == {1.0}


def test_an_interval_whose_deviation_is_no_number_is_told_all_the_same() -> None:
    """The root of less than nothing, by rounding, when one transaction was in it."""
    told = PROGRESS.replace("lat 2.0 ms stddev 0.5", "lat 2.0 ms stddev -nan")
    assert len(TOOL.read(output(stderr=told)).intervals) == 2


def test_clients_that_lost_the_database_make_it_not_count_but_what_they_did_is_told() -> None:
    load = TOOL.read(output(reduced=REDUCED, exit_code=2, stderr=LOST))
    assert load.refused.startswith("2 of its clients lost the database")
    assert (load.transactions, load.failed, load.complete) == (1000, 7, True)
    assert "aborted" in load.meaning


def test_nothing_that_succeeds_until_the_end_is_an_interval_as_well() -> None:
    load = TOOL.read(output("", reduced=REDUCED, exit_code=1, ended=107.0, stderr=LOST))
    last = load.intervals[-1]
    assert (last.count, last.start, last.seconds) == (0, pytest.approx(1.98), pytest.approx(5.0))
    assert load.per_second == pytest.approx(1000 / 6.98)
    assert not load.complete


def test_several_starts_are_one_load() -> None:
    load = TOOL.read(output(SUMMARY + SUMMARY, stderr=LOST + "e2e: started 2 times\n", reduced=REDUCED))
    assert (load.complete, load.refused) == (True, "")
    assert "started 2 times" in load.meaning
    assert load.per_second == pytest.approx(1000 / 1.98)


def test_a_database_that_was_away_when_it_began_is_an_outage() -> None:
    late = {**REDUCED, "start": 120.02, "end": 122.0}
    said = "pgbench: error: connection to server failed\ne2e: started 9 times\n"
    load = TOOL.read(output(reduced=late, stderr=said, ended=122.1))
    assert (load.started, load.seconds) == (100.0, pytest.approx(22.0))
    assert longest_outage(load.intervals, load.seconds) == pytest.approx(20.02)
    assert load.per_second == pytest.approx(1000 / 22.0), "not what its last start alone says"
    once = TOOL.read(output(reduced=late, ended=122.1))
    assert (once.started, longest_outage(once.intervals)) == (120.02, 0), "to connect takes what it takes"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "could not begin"),
        (124, "its time was over"),
        (127, "not installed"),
        (137, "killed"),
        (None, "not seen"),
    ],
)
def test_every_other_end_is_not_complete_and_says_why(code: int | None, words: str) -> None:
    load = TOOL.read(output("", exit_code=code))
    assert (load.complete, load.transactions, load.per_second) == (False, None, None)
    assert words in load.meaning


@pytest.mark.parametrize("text", ["", "{", "[]", '{"start": 1}', '{"start": 1, "end": 2, "all": [1]}', "\0"])
def test_a_broken_file_is_as_none(text: str) -> None:
    broken = output().model_copy(update={"files": {"reduced.json": text}})
    assert TOOL.read(broken) == TOOL.read(output())


# ---- the program on the node


def line(end: float, micros: int | str, script: int = 0) -> str:
    second, micro = divmod(round(end * 1e6), 1_000_000)
    return f"0 1 {micros} {script} {second} {micro}\n"


def test_percentiles_are_measured_values_of_all_logs() -> None:
    micros = [((number * 7919) % 1000) + 1 for number in range(1000)]
    found = reduce((line(100 + number / 500, each) for number, each in enumerate(micros)), 1)
    count, failed, average, p50, p90, p95, p99, maximum = found["all"]
    assert (count, failed, maximum) == (1000, 0, 1.0)
    assert average == pytest.approx(statistics.fmean(micros) / 1000, abs=1e-4)
    assert [p50, p90, p95, p99] == [0.5, 0.9, 0.95, 0.99]


@pytest.mark.parametrize("seed", range(20))
def test_percentiles_of_any_logs_are_the_nearest_ranks(seed: int) -> None:
    draw = random.Random(seed)
    micros = [round(draw.lognormvariate(7, 2)) for _ in range(draw.randint(1, 300))]
    found = reduce((line(100 + draw.random() * 5, each, draw.randint(0, 2)) for each in micros), 2)
    ordered = sorted(micros)
    for percent, value in zip((50, 90, 95, 99), found["all"][3:7], strict=True):
        below = sum(each / 1000 <= value for each in ordered)
        less = sum(each / 1000 < value for each in ordered)
        assert less * 100 < percent * len(ordered) <= below * 100
    assert found["all"][7] == ordered[-1] / 1000
    assert sum(row[2] for row in found["intervals"]) == len(micros)


def test_a_line_that_was_cut_anywhere_is_not_counted() -> None:
    whole = line(100.123456, 2000)
    for length in range(len(whole)):
        found = reduce([line(100, 1000), whole[:length]], 1)
        assert (found["all"][0], found["end"], found["unread"]) == (1, 100.0, 1)


def test_a_clock_that_jumps_costs_nothing_but_its_intervals() -> None:
    """Of 13 each line has the time of the clock."""
    found = reduce([line(100, 1000), line(3e9, 1000), line(100.5, 3000)], 1)
    assert len(found["intervals"]) <= MOST_INTERVALS
    assert sum(row[2] for row in found["intervals"]) == 3
    assert found["all"][3] == 1.0


def test_transactions_belong_to_the_interval_that_they_ended_in() -> None:
    lines = [line(100.5, 1000), line(100.9, 2000), line(101.1, 3000, 1), line(103.5, "failed"), "0 1 2 0 10"]
    found = reduce(lines, 1)
    assert [row[2:4] for row in found["intervals"]] == [[2, 0], [1, 0], [0, 0], [0, 1]]
    assert [row[0] for row in found["intervals"]] == pytest.approx([0, 0.501, 1.501, 2.501])
    assert sum(row[1] for row in found["intervals"]) == pytest.approx(found["end"] - found["start"])
    assert {name: row[:2] for name, row in found["scripts"].items()} == {"0": [2, 1], "1": [1, 0]}
    assert found["unread"] == 1


def test_a_long_load_has_longer_intervals_and_loses_nothing() -> None:
    found = reduce((line(1000 + second, 500) for second in range(3 * MOST_INTERVALS)), 1)
    assert len(found["intervals"]) <= MOST_INTERVALS
    assert sum(row[2] for row in found["intervals"]) == 3 * MOST_INTERVALS


def test_no_transaction_at_all_has_no_times() -> None:
    found = reduce(["0 0 skipped 0 100 0\n"], 1)
    assert (found["start"], found["intervals"], found["skipped"]) == (None, [], 1)
