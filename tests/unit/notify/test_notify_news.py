"""What is worth a message, to whom, and what it says."""

from __future__ import annotations

import json

import pytest
from soak_script import RUN, alert, cycle, cycle_start, ended, injection, outages, phase, started

from e2e_ansible.notify.news import Broken, News, Reporter, Thing, wanted
from e2e_ansible.notify.when import NotifyOn
from e2e_ansible.report.notice import RunEnded
from e2e_ansible.verdict import Cause, Verdict
from tests.unit.report.report_script import SAMPLES, sample

FAILED = ended(Verdict.FAIL, Cause.PRODUCT)
UNDECIDED = ended(Verdict.UNKNOWN)


def news(thing: Thing) -> News:
    reporter = Reporter()
    assert reporter.news(started(), 1.0) is None
    made = reporter.news(thing, 170.0)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("thing", "told_on"),
    [
        (ended(), {"always"}),
        (FAILED, {"always", "failure"}),
        (UNDECIDED, {"always", "failure"}),
        (Broken(1.0, "disk full"), {"always", "failure", "alert"}),
        (cycle(), {"always"}),
        (cycle(1, None), {"always"}),
        (cycle(1, Verdict.FAIL), {"always", "failure"}),
        (cycle(1, Verdict.UNKNOWN), {"always", "failure"}),
        (alert(), {"always", "failure", "alert"}),
        (alert(over=True), {"always", "failure", "alert"}),
        (injection(), {"always"}),
        (injection(True, True), {"always"}),
        (injection(False), {"always", "failure"}),
        (injection(None), {"always", "failure"}),
        (injection(True, False), {"always", "failure"}),
    ],
)
def test_who_wants_to_know(thing: Thing, told_on: set[str]) -> None:
    assert {str(on) for on in NotifyOn if wanted(news(thing), on)} == told_on


@pytest.mark.parametrize("thing", [started(), cycle_start(), phase("activation", 2.0)])
def test_the_rest_is_no_news(thing: Thing) -> None:
    assert Reporter().news(thing, 1.0) is None


@pytest.mark.parametrize("name", SAMPLES)
def test_a_program_gets_the_result_as_it_is_written(name: str) -> None:
    result = sample(name)
    body = json.loads(json.dumps(news(RunEnded(at=1.0, result=result, folder="runs/x")).payload()))
    assert (body["kind"], body["run_id"], body["folder"]) == ("run_ended", RUN, "runs/x")
    assert (body["verdict"], body["cause"]) == (result.verdict, result.cause)
    written = json.loads(result.model_dump_json())
    for test in written["tests"]:
        for step in test["workflow_steps"]:
            del step["observation"], step["registered"], step["slowest"]
    assert body["result"] == written


def test_a_person_reads_what_failed_and_where() -> None:
    result = sample("failing_check")
    made = news(RunEnded(at=1.0, result=result, folder="runs/x"))
    assert made.title.startswith(f"{result.suite}: FAIL, product")
    (test,) = [test for test in result.tests if not test.success]
    assert test.error is not None
    assert f"{test.name}: FAIL" in made.text
    assert test.error.splitlines()[0] in made.text
    assert made.text.endswith("folder runs/x")


def test_a_run_that_broke_says_why() -> None:
    made = news(Broken(1.0, "OSError: no space left"))
    assert made.title == "soak.yaml: the run came to no result"
    assert made.payload()["error"] == made.text == "OSError: no space left"


def test_an_alert_has_its_place_its_value_and_its_record() -> None:
    began, over = news(alert()), news(alert(over=True))
    assert began.title == "soak.yaml: alert replication_lag of site_b/n21 in site_b"
    assert over.title == "soak.yaml: alert is over: replication_lag of site_b/n21 in site_b"
    assert "value 2e+07, threshold 1.6e+07" in began.text
    assert (began.kind, over.kind) == ("alert_began", "alert_ended")
    assert began.payload()["record"] == json.loads(alert().model_dump_json())


def test_a_cycle_tells_what_was_lost() -> None:
    record = cycle(7, Verdict.FAIL, error="two primaries", clients={"c": outages(1.0, lost=2)})
    made = news(record)
    assert made.title == "soak.yaml: cycle 7 FAIL, product: the cluster under test after 22s"
    assert made.text == "two primaries\n2 acknowledged rows lost"


def test_an_injection_that_is_not_undone_says_so() -> None:
    titles = [
        news(injection(took, undone)).title for took, undone in ((True, True), (True, False), (False, None))
    ]
    assert titles == [
        "soak.yaml: pause_backup was injected at phase activation and undone",
        "soak.yaml: pause_backup was injected at phase activation and is NOT undone",
        "soak.yaml: pause_backup could not be injected at phase activation",
    ]


def test_a_title_is_one_line_that_no_terminal_obeys() -> None:
    reporter = Reporter()
    reporter.news(started(suite="a\r\nBcc: x@y\x1b[31m"), 1.0)
    made = reporter.news(Broken(1.0, "x"), 1.0)
    assert made is not None
    assert made.title == "a Bcc: x@y: the run came to no result"
