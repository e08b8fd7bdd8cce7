"""Alerts of the monitor while a run goes on: in the live view, and in plain lines."""

from __future__ import annotations

import pytest
from report_script import notices, sample
from rich.cells import cell_len

from e2e_ansible.report.narration import Narration, subject
from e2e_ansible.report.notice import Alerted, Notice, TestStarted
from e2e_ansible.report.pen import Pen
from e2e_ansible.report.progress import RunProgress
from e2e_ansible.report.screen import Screen
from e2e_ansible.soak.records import Alert


def alert(resource: str, *, over: bool = False) -> Alerted:
    told = Alert(
        alert_id=f"NODE_DISK_site_a_{resource}_1",
        alert_type="NODE_DISK",
        context="site_a",
        resource=resource,
        message="the disk is full",
        started="2026-01-01T00:00:00.000Z",
        ended="2026-01-01T00:01:00.000Z" if over else None,
    )
    return Alerted(at=1.0, alert=told)


def screen(*said: Notice, width: int = 80, height: int = 24) -> list[str]:
    run = RunProgress()
    for notice in [*list(notices(sample("all_pass")))[:3], *said]:
        run.take(notice)
    lines = Screen(Pen(ascii_only=True), width=width, height=height, now=2.0).lines(run)
    assert len(lines) <= height
    assert all(cell_len(line.plain) <= width for line in lines)
    return [line.plain for line in lines]


def test_alerts_that_go_on_are_one_line() -> None:
    (line,) = [line for line in screen(alert("n11"), alert("n12"), alert("n11")) if "NODE_DISK" in line]
    assert "NODE_DISK n11 in site_a, NODE_DISK n12 in site_a" in line
    assert line.endswith("2 alerts")


def test_an_alert_that_is_over_is_gone() -> None:
    assert not any("NODE_DISK" in line for line in screen(alert("n11"), alert("n11", over=True)))
    assert len(screen()) == len(screen(alert("n11"), alert("n11", over=True)))


@pytest.mark.parametrize(("width", "height"), [(20, 24), (80, 3), (200, 50)])
def test_a_small_screen_stays_small(width: int, height: int) -> None:
    assert screen(*(alert(f"n{number}") for number in range(40)), width=width, height=height)


def test_plain_lines_tell_begin_and_end_once() -> None:
    narration = Narration(tasks=False)
    assert narration.lines(alert("n11")) == [
        "ALERT NODE_DISK n11 in site_a since 2026-01-01T00:00:00.000Z: the disk is full"
    ]
    assert narration.lines(alert("n11", over=True)) == [
        "ALERT NODE_DISK n11 in site_a is over, it began at 2026-01-01T00:00:00.000Z"
    ]
    assert subject(alert("n11")) == ""


def test_the_script_has_a_test() -> None:
    assert any(isinstance(notice, TestStarted) for notice in list(notices(sample("all_pass")))[:3])
