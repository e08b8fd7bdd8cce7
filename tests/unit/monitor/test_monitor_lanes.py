"""What the monitor saw, drawn on an axis."""

from __future__ import annotations

from monitor_sights import BEGIN, blind, seen

from e2e_ansible.monitor.timeline import alert_lanes, alerts_of, health_lanes
from e2e_ansible.report.axis import Axis, Place
from e2e_ansible.report.words import stamp
from e2e_ansible.soak.records import Alert, AlertRecord

AXIS = Axis(BEGIN, 100.0)


def alert(number: int, begin: float, end: float | None, kind: str = "NODE_DISK") -> Alert:
    return Alert(
        alert_id=f"{kind}_site_a_n11_{number}",
        alert_type=kind,
        context="site_a",
        resource="n11",
        message="full",
        started=stamp(BEGIN + begin),
        ended=None if end is None else stamp(BEGIN + end),
    )


def test_an_alert_is_there_once_as_it_was_told_last() -> None:
    told = [alert(1, 10, None), alert(2, 5, None), alert(1, 10, 20)]
    records = [AlertRecord(timestamp=stamp(BEGIN), run_id="r", alert=one) for one in told]
    assert alerts_of([seen(0), *records]) == [alert(2, 5, None), alert(1, 10, 20)]


def test_a_lane_for_each_thing_with_a_bar_for_each_episode() -> None:
    lanes = list(alert_lanes([alert(1, 10, 20), alert(1, 30, 40, "NODE_CPU"), alert(2, 50, None)], AXIS))
    assert [(lane.name, lane.words) for lane in lanes] == [
        ("NODE_DISK site_a n11", "1m in 2, goes on"),
        ("NODE_CPU site_a n11", "10s in 1"),
    ]
    assert [(bar.place, bar.kind) for bar in lanes[0].bars] == [
        (Place(10.0, 10.0), "alert"),
        (Place(50.0, 50.0), "alert"),
    ]
    assert "goes on: full" in lanes[0].bars[1].words


def test_health_is_drawn_where_it_was_bad_or_not_known() -> None:
    looks = [
        seen(0),
        seen(20, healthy=False),
        seen(30, healthy=False),
        seen(40),
        blind(60),
        seen(70, healthy=None),
        seen(90),
    ]
    (lane,) = health_lanes(looks, AXIS)
    assert lane.name == "site_a"
    assert [(bar.place, bar.kind) for bar in lane.bars] == [
        (Place(20.0, 20.0), "down"),
        (Place(60.0, 30.0), "blind"),
    ]
    assert lane.words == "7 looks, down 20s, blind 30s"


def test_what_is_bad_at_the_last_look_lasts_until_the_end() -> None:
    (lane,) = health_lanes([seen(0), seen(50, healthy=False)], AXIS)
    assert [bar.place for bar in lane.bars] == [Place(50.0, 50.0)]


def test_nothing_was_seen() -> None:
    assert list(health_lanes([], AXIS)) == []
    assert list(alert_lanes([], AXIS)) == []
