"""`analyze` on the command line: a line per report, and 0 or 1."""

from __future__ import annotations

import json

from cli_desk import Desk

REPORTS = ["tests/survives/result.json", "result.json", "junit.xml", "report.html"]


def test_what_report_has_written_is_byte_equal(desk: Desk) -> None:
    run = desk.a_run("survives")
    assert desk.call("report", str(run)).code == 0
    state = desk.state()
    done = desk.call("analyze", str(run))
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()[:4]] == [["byte-equal", name] for name in REPORTS]
    assert done.out.splitlines()[-1].endswith(": PASS")
    assert desk.state() == state, "it writes nothing"


def test_a_red_run_with_right_reports_is_byte_equal_too(desk: Desk) -> None:
    run = desk.a_run("failing_check")
    assert desk.call("report", str(run)).code == 1
    done = desk.call("analyze", str(run))
    assert (done.code, "FAIL, product" in done.out) == (0, True)


def test_what_differs_is_shown_and_replaced_on_demand(desk: Desk) -> None:
    run = desk.a_run("survives")
    desk.call("report", str(run))
    right = (run / "junit.xml").read_text()
    (run / "junit.xml").write_text(right.replace('failures="0"', 'failures="7"', 1))
    (run / "report.html").unlink()
    done = desk.call("analyze", str(run))
    assert done.code == 1
    assert "differs     junit.xml" in done.out
    assert 'failures="7"' in done.out
    assert "missing     report.html" in done.out
    assert desk.call("analyze", str(run), "--write").code == 1
    assert (run / "junit.xml").read_text() == right
    assert desk.call("analyze", str(run)).code == 0


def test_json_has_a_line_per_file(desk: Desk) -> None:
    done = desk.call("analyze", str(desk.a_run("survives")), "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 1
    assert [(one["file"], one["agreement"]) for one in lines] == [(name, "missing") for name in REPORTS]


def test_a_run_that_is_not_there_is_bad_input(desk: Desk) -> None:
    assert desk.call("analyze", "nowhere").code == 2
