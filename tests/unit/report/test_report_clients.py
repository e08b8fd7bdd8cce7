"""Clients and faults in the reports: the same numbers everywhere, one time axis, and pages that stay small."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from report_script import sample

from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.latency import Bin, Latency
from e2e_ansible.judge.outage import FaultImpact, OutageWindow
from e2e_ansible.judge.result import FaultResult, Resumption, RunResult, TestResult
from e2e_ansible.report.axis import Axis
from e2e_ansible.report.chart import chart
from e2e_ansible.report.client import lost_words, overhead_words, precise, range_words, told_words
from e2e_ansible.report.html import html
from e2e_ansible.report.junit import junit_xml
from e2e_ansible.report.lanes import dead_lane, edges, fault_lanes, step_lanes
from e2e_ansible.report.numbers import numbers_of_step, numbers_of_test
from e2e_ansible.report.strip import strip

BEGIN = 1_763_733_600.0
HOSTILE = "</title></svg><script>alert(1)</script>\"'& \x00\x1b[31m {{ 7*7 }}"


def failover() -> TestResult:
    return sample("failover").tests[0]


def window(start: float, seconds: float, **more: object) -> OutageWindow:
    fields = {"kind": "writes", "start": start, "end": start + seconds, "seconds": seconds, "low": seconds}
    return OutageWindow.model_validate({**fields, "high": seconds, **more})


class Data(HTMLParser):
    """The numbers of a page: the `data` elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.numbers: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pairs = dict(attrs)
        if tag == "data":
            self.numbers[pairs["data-name"] or ""] = pairs["value"] or ""


def properties(element: ElementTree.Element | None) -> dict[str, str]:
    found = [] if element is None else element.findall("properties/property")
    return {one.get("name") or "": one.get("value") or "" for one in found}


def numbers_in_json(text: str) -> Iterator[tuple[str, float]]:
    """The same numbers as they stand in result.json, whose fields have their own names."""
    fields = {
        "outages": "outage_count",
        "outage_writes_seconds": "outage_writes",
        "outage_reads_seconds": "outage_reads",
        "lost": "lost_count",
        "resurrected": "resurrected_count",
        "findings": "finding_count",
    }
    names = ("operations", "ok", "fail", "unknown", "acknowledged", *fields)
    for client in json.loads(text)["tests"][0]["clients"]:
        for name in names:
            if (client["examined"] or name not in ("lost", "resurrected")) and (
                client["reads"] or name != "outage_reads_seconds"
            ):
                yield f"client.{client['name']}.{name}", client[fields.get(name, name)]


def test_page_junit_and_json_have_the_same_numbers() -> None:
    result = sample("failover")
    wanted = dict(numbers_in_json(result.model_dump_json()))
    page = Data(html(result)).numbers
    suite = ElementTree.fromstring(junit_xml(result).encode()).find("testsuite")
    junit = {name: text for name, text in properties(suite).items() if name.startswith("client.")}
    assert wanted["client.integrity.lost"] == 20
    assert wanted["client.integrity.outage_writes_seconds"] > 40
    assert page == junit
    assert {name: float(number) for name, number in page.items()} == {
        name: round(float(number), 3) for name, number in wanted.items()
    }


def test_a_test_case_has_what_its_fault_did_and_what_it_judged() -> None:
    test = failover()
    cases = ElementTree.fromstring(junit_xml(sample("failover")).encode()).findall("testsuite/testcase")
    of = {(case.get("name") or "")[:2]: properties(case) for case in cases}
    impact = test.clients[0].faults[0]
    assert of["06"]["client.integrity.fault.06-fault/n11.outage_writes_seconds"] == f"{impact.writes:.3f}"
    assert not any("07-fault" in name for name in of["06"])
    assert of["13"]["client.integrity.lost"] == str(test.clients[0].lost_count)
    assert of["02"] == {}
    steps = {step.id: step for step in test.workflow_steps}
    assert dict(numbers_of_step(steps["06-fault"], test)) == of["06"]


def test_rows_that_nobody_looked_at_are_not_told_as_kept() -> None:
    test = failover()
    blind = test.clients[0].model_copy(update={"examined": 0, "lost": (), "lost_count": 0})
    assert lost_words(blind) == "unknown: nobody looked at its rows"
    numbers = dict(numbers_of_test(test.model_copy(update={"clients": (blind,)})))
    assert "client.integrity.lost" not in numbers
    assert "lost rows: none" not in " ".join(told_words(blind, {}))


def test_what_a_client_never_asked_for_is_not_told_as_served() -> None:
    test = failover()
    writer = test.clients[0].model_copy(update={"reads": 0, "outages": (), "outage_reads": 0})
    test = test.model_copy(update={"clients": (writer,)})
    numbers = dict(numbers_of_test(test))
    assert "client.integrity.outage_writes_seconds" in numbers
    assert "client.integrity.outage_reads_seconds" not in numbers
    page = html(sample("failover").model_copy(update={"tests": (test,)}))
    assert "reads were not asked for" in page
    assert "not asked</span>" in page


def test_dead_time_of_the_run_is_on_the_axis() -> None:
    test = failover()
    step = test.workflow_steps[1]
    ended = (step.started or 0) + 300
    step = step.model_copy(
        update={"ended": ended, "duration": 50, "dead": 250, "resumed": "looked before it acted"}
    )
    test = test.model_copy(
        update={
            "workflow_steps": (step,),
            "resumptions": (Resumption(at=ended - 20, dead=250),),
            "faults": (),
        }
    )
    axis = Axis(step.started or 0, 300)
    (lane,) = step_lanes(test, axis, "t")
    assert (lane.bars[0].place.right, lane.words) == (100, "50s")
    (dead,) = dead_lane(test, axis)
    assert (dead.bars[0].place.left, dead.bars[0].place.right, dead.words) == (10, 93.33, "4m10s in 1")
    page = html(sample("failover").model_copy(update={"tests": (test,)}))
    assert "run was dead" in page
    assert "looked before it acted (dead for 4m10s)" in page


def test_everything_is_on_one_axis() -> None:
    axis = Axis(BEGIN, 100)
    fault = FaultResult(
        id="f", fault="partition", node="n11", intended=BEGIN, injected=BEGIN + 20, healed=BEGIN + 60
    )
    (lane,) = fault_lanes([fault], axis)
    client = ClientResult(name="c", workload="append", outages=(window(BEGIN + 20, 40),))
    (shade,) = chart(client, axis).writes
    assert (lane.bars[0].place.left, lane.bars[0].place.right) == (20, 60)
    assert shade.place == lane.bars[0].place
    assert [(one.left, one.healed) for one in edges([fault], axis)] == [(20, False), (60, True)]


def test_what_never_ended_reaches_the_end_of_the_axis() -> None:
    axis = Axis(BEGIN, 100)
    fault = FaultResult(id="f", fault="partition", node="n11", intended=BEGIN, injected=BEGIN + 50, open=True)
    (lane,) = fault_lanes([fault], axis)
    assert (lane.bars[0].place.right, lane.words) == (100, "50s open")
    client = ClientResult(name="c", workload="append", outages=(window(BEGIN + 50, 50, end=None, high=None),))
    assert chart(client, axis).writes[0].place.right == 100
    assert told_words(client, {})[0] == (
        "no writes for 50.0 s (50.0 s .. not over) from 14:00:50.000, no fault was there"
    )


def test_a_line_has_a_gap_where_nothing_was_done() -> None:
    bins = [(0, 0.001), (1, 0.001), (2, None), (3, 0.01)]
    series = tuple(
        Bin(at=BEGIN + 10 * at, width=10, ok=int(p50 is not None), errors=int(p50 is None), p50=p50, p99=p50)
        for at, p50 in bins
    )
    drawn = chart(ClientResult(name="c", workload="append", series=series), Axis(BEGIN, 40))
    assert drawn.p50 == "M0 100H250V100H500M750 0H1000"
    assert [one.words for one in drawn.grid] == ["1 ms", "10 ms"]
    assert [(one.place.left, one.top) for one in drawn.errors] == [(50, 0)]


def test_groups_and_parallel_steps_have_lanes() -> None:
    test = failover()
    lanes = list(step_lanes(test, Axis(test.started or 0, test.duration), "t"))
    names = [(lane.depth, lane.name, lane.note) for lane in lanes]
    assert (0, "cut and slow", "in parallel") in names
    assert (1, "faults", "in order") in names
    assert (2, "6 fault", "") in names
    assert (1, "9 heal", "finally") in names
    assert len(lanes) == 2 + sum(step.started is not None for step in test.workflow_steps)


def test_the_strip_draws_faults_and_outages_below_each_other() -> None:
    fault = FaultResult(
        id="f", fault="partition", node="n11", intended=BEGIN, injected=BEGIN + 20, healed=BEGIN + 60
    )
    client = ClientResult(
        name="c",
        workload="append",
        operations=9,
        started=BEGIN,
        ended=BEGIN + 100,
        blind=((BEGIN + 80, BEGIN + 90),),
        outages=(window(BEGIN + 20, 30),),
    )
    test = failover().model_copy(update={"workflow_steps": (), "faults": (fault,), "clients": (client,)})
    rows = {name.strip(): characters for name, characters in strip(test, 34)}
    assert rows["n11 partition"] == "    [=======]"
    assert rows["c writes"] == "....xxxxxxx.....///."
    assert all(len(f"{name} {characters}") <= 34 for name, characters in strip(test, 34))
    assert strip(test, 20) == []
    assert strip(test.model_copy(update={"faults": (), "clients": ()}), 80) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (4e-8, "40 ns"),
        (5.8e-5, "58.0 µs"),
        (0.00316, "3.16 ms"),
        (0.2314, "231 ms"),
        (0.9999, "1.00 s"),
        (4.213, "4.21 s"),
        (17.97, "18.0 s"),
        (59.99, "1m"),
        (123, "2m03s"),
    ],
)
def test_lengths_have_three_digits(seconds: float, words: str) -> None:
    assert precise(seconds) == words


def test_ranges_and_overhead_are_cut() -> None:
    assert range_words([(3, 3), (7, 9)]) == "3, 7-9"
    assert range_words([(2 * n, 2 * n) for n in range(100)], most=2) == "0, 2 and 98 more ranges"
    assert overhead_words({"record_ns_median": 57_930, "x": "y" * 200}).startswith(
        "a note, median 57.9 µs, x yyy"
    )


def large() -> RunResult:
    """A day of faults every minute, with all that a result may hold of it."""
    faults = tuple(
        FaultResult(
            id=f"{n:03}-f/n1{n % 3}",
            fault="delay",
            node=f"n1{n % 3}",
            intended=at,
            injected=at,
            healed=at + 9,
        )
        for n in range(300)
        for at in [BEGIN + 60 * n]
    )
    client = ClientResult(
        name="c",
        workload="append",
        operations=4_000_000,
        reads=400_000,
        examined=9,
        series=tuple(
            Bin(at=BEGIN + 75 * n, width=75, ok=3000, errors=n % 7, p50=0.001 + n / 1e5, p99=0.1)
            for n in range(240)
        ),
        blind=tuple((BEGIN + 2 * n, BEGIN + 2 * n + 0.7) for n in range(9000)),
        outages=tuple(
            window(BEGIN + 180 * n, 3.0, error="x" * 400, faults=(faults[n].id,)) for n in range(100)
        ),
        outage_count=300,
        lost=tuple((3 * n, 3 * n + 1) for n in range(50_000)),
        lost_count=100_000,
        faults=tuple(
            FaultImpact(fault=one.id, kind="delay", node=one.node, injected=one.intended) for one in faults
        ),
        latency=Latency(count=4_000_000, p50=0.001, p99=0.1),
    )
    clients = tuple(client.model_copy(update={"name": f"c{n}"}) for n in range(4))
    noisy = (
        failover()
        .workflow_steps[12]
        .model_copy(update={"error": "e" * 1_000_000, "registered": {"stdout": "r" * 1_000_000}})
    )
    steps = tuple(noisy.model_copy(update={"index": n, "id": f"{n}-noisy"}) for n in range(1, 21))
    test = failover().model_copy(update={"workflow_steps": steps, "faults": faults, "clients": clients})
    return sample("failover").model_copy(update={"tests": (test,)})


def test_the_page_of_a_large_history_is_small() -> None:
    page = html(large())
    assert len(page.encode()) < 1_000_000
    assert "The longest 30 of 300." in page
    assert '<i class="edge' not in page, "hundreds of lines would hide everything"
    assert "and 49988 more ranges" in page


def test_hostile_names_and_errors_stay_text() -> None:
    test = failover()
    client = test.clients[0]
    finding = client.findings[0].model_copy(update={"message": HOSTILE})
    client = client.model_copy(
        update={
            "name": HOSTILE,
            "workload": "append" + HOSTILE,
            "errors": {HOSTILE: 3},
            "findings": (finding,),
            "outages": tuple(
                one.model_copy(update={"error": HOSTILE, "ended_by": HOSTILE}) for one in client.outages
            ),
            "overhead": {HOSTILE: HOSTILE},
            "lacking": {HOSTILE: ((1, 2),)},
        }
    )
    test = test.model_copy(
        update={
            "clients": (client,),
            "faults": tuple(
                one.model_copy(update={"fault": HOSTILE, "node": HOSTILE}) for one in test.faults
            ),
            "groups": tuple(one.model_copy(update={"name": HOSTILE}) for one in test.groups),
        }
    )
    result = sample("failover").model_copy(update={"tests": (test,)})
    page = html(result, excerpts={(test.folder, "13-validate"): HOSTILE})
    assert "<script" not in page
    assert "{{ 7*7 }}" in page
    assert not re.search(r"[\x00\x1b]", page)
    root = ElementTree.fromstring(junit_xml(result).encode())
    assert not list(root.iter("script"))


def test_a_page_without_clients_has_no_empty_parts() -> None:
    page = html(sample("all_pass"))
    assert "What clients saw" not in page
    assert "<h3>Clients" not in page
