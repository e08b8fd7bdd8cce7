"""The monitor itself: it looks, writes down, survives looks that hang or fail, and ends when it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from monitor_sights import LABELS, SITES, away, down, observed

from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.monitor import monitor as module
from e2e_ansible.monitor.monitor import Look, Monitor
from e2e_ansible.monitor.thresholds import Thresholds
from e2e_ansible.nodes.observation import Observation
from e2e_ansible.soak.records import Alert, AlertRecord, Record, ResourceSnapshot

AT_ONCE = Thresholds(cluster_unavailable_seconds=0, monitor_blind_seconds=0, node_down_seconds=0)
DOWN = {"n11": down("n11"), "n12": down("n12")}


class Sights:
    """Looks that are planned; the last one is repeated. Each waits until it is asked for."""

    def __init__(self, *sights: Observation | Exception) -> None:
        self._sights = list(sights)

    def __call__(self, deadline_seconds: float, cancel: Cancel) -> Observation:
        sight = self._sights.pop(0) if len(self._sights) > 1 else self._sights[0]
        if isinstance(sight, Exception):
            raise sight
        return sight


class Hanging:
    """A look that neither ends in time nor listens, until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked = 0

    def __call__(self, deadline_seconds: float, cancel: Cancel) -> Observation:
        self.asked += 1
        assert self.go.wait(20)
        return observed()


class Desk:
    """A monitor with what it has written."""

    def __init__(self, folder: Path, look: Look, past: Sequence[Record] = (), **more: Any) -> None:
        self.records: list[Record] = []
        self.warnings: list[str] = []
        self.alerts = folder / "alerts"
        given = {"record": self.records.append, "deadline_seconds": 5.0, **more}
        self.monitor = Monitor(
            LABELS,
            SITES,
            look,
            given.pop("record"),
            run_id="r",
            alerts=self.alerts,
            limits=AT_ONCE,
            interval=0.01,
            past=past,
            warn=self.warnings.append,
            **given,
        )

    @property
    def snapshots(self) -> list[ResourceSnapshot]:
        return [record for record in list(self.records) if isinstance(record, ResourceSnapshot)]

    @property
    def told(self) -> list[Alert]:
        return [record.alert for record in list(self.records) if isinstance(record, AlertRecord)]

    def wait(self, number: int) -> None:
        assert Deadline(20).wait_for(lambda: len(self.snapshots) >= number, 0.005)

    def files(self) -> dict[str, Any]:
        return {path.name: json.loads(path.read_text()) for path in sorted(self.alerts.glob("*"))}


@pytest.fixture
def started() -> Iterator[list[Monitor]]:
    """Monitors that are stopped at the end."""
    monitors: list[Monitor] = []
    yield monitors
    for monitor in monitors:
        monitor.stop()


def start(desk: Desk, started: list[Monitor], looks: int) -> Desk:
    started.append(desk.monitor)
    desk.monitor.start()
    desk.wait(looks)
    return desk


def test_what_is_seen_is_written_down_with_cycle_phase_and_contexts(
    tmp_path: Path, started: list[Monitor]
) -> None:
    desk = Desk(tmp_path, Sights(observed()))
    desk.monitor.cycle(3, SITES[::-1])
    desk.monitor.phase(3, "activation")
    first = start(desk, started, 2).snapshots[0]
    assert (first.run_id, first.cycle_num, first.phase, first.error) == ("r", 3, "activation", "")
    assert first.primary is not None
    assert first.secondary is not None
    assert (first.primary.context, first.secondary.context) == ("site_b", "site_a")
    assert first.nodes.keys() == LABELS.keys()


def test_one_alert_and_one_file_for_an_episode(tmp_path: Path, started: list[Monitor]) -> None:
    desk = Desk(
        tmp_path, Sights(observed(), observed(**DOWN), observed(**DOWN), observed(**DOWN), observed())
    )
    start(desk, started, 6)
    desk.monitor.stop()
    begun, ended = desk.told
    assert (begun.alert_id, begun.ended) == ("CLUSTER_UNAVAILABLE_site_a_cluster_1", None)
    assert (begun.started, ended.ended) == (desk.snapshots[1].timestamp, desk.snapshots[4].timestamp)
    assert desk.files() == {f"{begun.alert_id}.json": json.loads(ended.model_dump_json())}
    assert desk.monitor.active == ()


def test_a_look_that_fails_is_a_record_and_an_alert(tmp_path: Path, started: list[Monitor]) -> None:
    desk = start(Desk(tmp_path, Sights(RuntimeError("no\nfork"), observed())), started, 2)
    assert desk.snapshots[0].error == "no fork"
    assert desk.snapshots[0].primary is None
    assert [(alert.alert_type, alert.ended is None) for alert in desk.told] == [
        ("MONITOR_BLIND", True),
        ("MONITOR_BLIND", False),
    ]


def test_a_look_that_hangs_is_told_and_no_second_one_is_begun(
    tmp_path: Path, started: list[Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LATE_SECONDS", 0.0)
    look = Hanging()
    desk = start(Desk(tmp_path, look, deadline_seconds=0.02), started, 3)
    assert desk.snapshots[0].error == "no answer within 0.02 s"
    assert desk.snapshots[1].error == "the look before has not come back"
    assert look.asked == 1
    look.go.set()
    assert Deadline(20).wait_for(lambda: desk.snapshots[-1].error == "", 0.005)
    assert [alert.alert_type for alert in desk.told] == ["MONITOR_BLIND"] * 2


def test_stop_does_not_wait_for_the_deadline(tmp_path: Path) -> None:
    under_way = threading.Event()

    def look(deadline_seconds: float, cancel: Cancel) -> Observation:
        under_way.set()
        assert cancel.wait(60)
        return observed()

    desk = Desk(tmp_path, look, deadline_seconds=60)
    desk.monitor.start()
    assert under_way.wait(20)
    begin = time.monotonic()
    desk.monitor.stop()
    desk.monitor.stop()
    assert time.monotonic() - begin < 10
    assert desk.records == [], "what was cut off is no sight"
    assert [thread for thread in threading.enumerate() if thread.name.startswith("monitor")] == []


def test_a_monitor_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    Desk(tmp_path, Sights(observed())).monitor.stop()


def test_what_cannot_be_written_down_is_told_once_and_ends_nothing(
    tmp_path: Path, started: list[Monitor]
) -> None:
    kept: list[Record] = []

    def record(line: Record) -> None:
        kept.append(line)
        raise OSError(28, "No space left on device")

    desk = Desk(tmp_path, Sights(observed(**DOWN)), record=record)
    started.append(desk.monitor)
    desk.monitor.start()
    assert Deadline(20).wait_for(lambda: len(kept) > 4, 0.005)
    assert "No space left" in desk.monitor.trouble
    assert len(desk.warnings) == 1
    assert len(desk.monitor.active) == 1


def test_after_a_kill_an_alert_is_not_raised_again_and_has_its_file(
    tmp_path: Path, started: list[Monitor]
) -> None:
    before = start(Desk(tmp_path, Sights(observed(**DOWN))), started, 2)
    before.monitor.stop()
    (alert,) = before.told
    path = before.alerts / f"{alert.alert_id}.json"
    path.unlink()

    desk = start(Desk(tmp_path, Sights(observed(**DOWN)), past=before.records), started, 2)
    assert desk.told == []
    assert json.loads(path.read_text())["started"] == alert.started
    assert [each.alert_id for each in desk.monitor.active] == [alert.alert_id]


def test_a_node_that_boots_is_a_state_and_no_error(tmp_path: Path, started: list[Monitor]) -> None:
    desk = start(Desk(tmp_path, Sights(observed(n12=away("n12")), observed())), started, 2)
    assert desk.snapshots[0].error == ""
    assert desk.snapshots[0].nodes["n12"].state == "unreachable"
    assert [alert.alert_type for alert in desk.told] == ["NODE_DOWN", "NODE_DOWN"]
