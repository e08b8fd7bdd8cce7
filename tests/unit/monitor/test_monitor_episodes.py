"""When alerts begin and end, from planted series; and that a run which was killed raises none of them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from monitor_sights import BEGIN, blind, seen

from e2e_ansible.monitor.episodes import Episodes
from e2e_ansible.monitor.thresholds import ALERT_TYPES, Thresholds, samples
from e2e_ansible.report.words import stamp
from e2e_ansible.soak.records import (
    Alert,
    AlertRecord,
    BackupState,
    ExporterState,
    NodeLoad,
    Record,
    ResourceSnapshot,
    RestoreState,
)

LIMITS = Thresholds(cluster_unavailable_seconds=30, monitor_blind_seconds=20)
#: What a letter of a series is: well, down, not known, a look that saw nothing. Ten seconds lie between two.
LOOKS: dict[str, Callable[[float], ResourceSnapshot]] = {
    "w": seen,
    "d": lambda at: seen(at, healthy=False),
    "?": lambda at: seen(at, healthy=None),
    "x": blind,
}


def series(text: str) -> list[ResourceSnapshot]:
    return [LOOKS[letter](10.0 * number) for number, letter in enumerate(text)]


def told(episodes: Episodes, looks: Iterable[ResourceSnapshot]) -> list[Record]:
    """The records of a run: each look, and what was raised by it."""
    records: list[Record] = []
    for look in looks:
        records.append(look)
        records += [AlertRecord(timestamp=look.timestamp, run_id="r", alert=a) for a in episodes.take(look)]
    return records


def words(records: Iterable[Record]) -> list[str]:
    """Alerts in short: type, number, and the seconds at which the episode began, was told, and ended."""
    return [_short(record) for record in records if isinstance(record, AlertRecord)]


def _short(record: AlertRecord) -> str:
    alert = record.alert
    kind = {"CLUSTER_UNAVAILABLE": "down", "MONITOR_BLIND": "blind"}[alert.alert_type]
    number, began = alert.alert_id.rpartition("_")[2], seconds(alert.started)
    return f"{kind}{number} {began} {'over' if alert.ended else 'told'} {seconds(record.timestamp)}"


def seconds(text: str) -> int:
    return next(n for n in range(0, 2_000, 10) if stamp(BEGIN + n) == text)


SERIES = [
    ("always well", "wwwwww", []),
    ("shorter than the threshold", "wdddwww", []),
    ("exactly at the threshold", "wdddd", ["down1 10 told 40"]),
    ("once per episode", "dddddddddd", ["down1 0 told 30"]),
    ("it ends at the first good look", "dddddww", ["down1 0 told 30", "down1 0 over 50"]),
    ("flapping never lasts", "ddwddwddwddwddw", []),
    (
        "two episodes",
        "ddddwddddw",
        ["down1 0 told 30", "down1 0 over 40", "down2 50 told 80", "down2 50 over 90"],
    ),
    ("what is not known does not end an alert", "ddddxwd", ["down1 0 told 30", "down1 0 over 50"]),
    (
        "blindness in mid-episode is an alert of its own, and the time goes on",
        "ddxxxddw",
        ["blind1 20 told 40", "blind1 20 over 50", "down1 0 told 50", "down1 0 over 70"],
    ),
    ("what is not known does not begin an episode", "w?w", []),
    ("a context that cannot be seen is blindness", "w???ww", ["blind1 10 told 30", "blind1 10 over 40"]),
    ("looks that see nothing from the first on", "xxxx", ["blind1 0 told 20"]),
]


@pytest.mark.parametrize(
    ("text", "expected"), [case[1:] for case in SERIES], ids=[case[0] for case in SERIES]
)
def test_series(text: str, expected: list[str]) -> None:
    assert words(told(Episodes(LIMITS), series(text))) == expected


@pytest.mark.parametrize("text", [case[1] for case in SERIES], ids=[case[0] for case in SERIES])
def test_a_run_that_was_killed_anywhere_goes_on_as_if_it_had_not_been(text: str) -> None:
    looks = series(text)
    whole = told(Episodes(LIMITS), looks)
    for cut in range(len(whole) + 1):
        before = whole[:cut]
        left = [look for look in looks if look not in before]
        after = told(Episodes.resumed(LIMITS, before), left)
        found = words([*before, *after])
        assert len(found) == len(set(found)), "nothing is told twice"
        begun, over = ({word.split()[0] for word in found if kind in word} for kind in ("told", "over"))
        lost = {word.split()[0] for word in words(whole) if "told" in word} - begun
        # A kill between a look and its alert tells it by the next bad look, if there is one.
        assert not lost or not isinstance(whole[cut], ResourceSnapshot)
        assert over <= begun


def test_an_alert_that_was_cut_off_from_its_look_is_told_by_the_next() -> None:
    whole = told(Episodes(LIMITS), series("ddddd"))
    kept = whole[:4]
    assert words(kept) == []
    assert words(told(Episodes.resumed(LIMITS, kept), series("ddddd")[4:])) == ["down1 0 told 40"]


def test_numbers_go_on_after_a_kill() -> None:
    before = told(Episodes(LIMITS), series("ddddw"))
    assert words(told(Episodes.resumed(LIMITS, before), series("wwwwwddddw")[5:])) == [
        "down2 50 told 80",
        "down2 50 over 90",
    ]


def test_what_may_not_be_in_a_file_is_what_goes_on_and_what_was_told_last() -> None:
    records = told(Episodes(LIMITS), series("ddddw"))
    (over,) = Episodes.resumed(LIMITS, records).told
    assert over.ended == stamp(BEGIN + 40)
    assert Episodes.resumed(LIMITS, records).active == ()
    (active,) = Episodes.resumed(LIMITS, records[:-1]).active
    assert active.ended is None


def test_an_alert_says_what_why_and_where() -> None:
    episodes = Episodes(Thresholds(node_disk_percent=80, node_disk_seconds=0))
    (alert,) = episodes.take(
        seen(0, nodes={"n11": NodeLoad(state="up", disk_percent=80.1)}, phase="activation")
    )
    assert alert == Alert(
        alert_id="NODE_DISK_site_a_n11_1",
        alert_type="NODE_DISK",
        context="site_a",
        resource="n11",
        message="the disk with the data of n11 is used to 80.1 %",
        started=stamp(BEGIN),
        phase="activation",
        value=80.1,
        threshold=80.0,
    )


def test_names_of_files_hold_no_paths() -> None:
    nodes = {"../n 1": NodeLoad(state="off")}
    (alert,) = Episodes(Thresholds(node_down_seconds=0)).take(seen(0, nodes=nodes))
    assert alert.alert_id == "NODE_DOWN_all_..-n-1_1"


KINDS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("CLUSTER_UNAVAILABLE", {"healthy": False}, {"healthy": True}, {"healthy": None}),
    ("REPLICATION_LAG", {"lag_bytes": 16_777_217}, {"lag_bytes": 16_777_216}, {"lag_bytes": None}),
    (
        "BACKUP_FAILURE",
        {"backup": BackupState(state="failed")},
        {"backup": BackupState(state="ok")},
        {"backup": BackupState(state="unknown")},
    ),
    ("BACKUP_FAILURE", {"backup": BackupState(state="missing")}, {"backup": BackupState(state="ok")}, {}),
    (
        "BACKUP_AGE",
        {"backup": BackupState(state="ok", age_seconds=26 * 3600 + 1)},
        {"backup": BackupState(state="ok", age_seconds=26 * 3600)},
        {"backup": BackupState(state="ok")},
    ),
    (
        "RESTORE_STALLED",
        {"restore": RestoreState(state="stalled")},
        {"restore": RestoreState(state="running")},
        {"restore": RestoreState(state="begun")},
    ),
    (
        "RESTORE_STALLED",
        {"restore": RestoreState(state="stalled")},
        {"restore": RestoreState(state="none")},
        {},
    ),
    (
        "OBSERVABILITY_NOT_READY",
        {"exporter": ExporterState(up=False)},
        {"exporter": ExporterState(up=True)},
        {"exporter": ExporterState(up=None)},
    ),
    *(
        (
            f"NODE_{kind.upper()}",
            {"nodes": {"n11": NodeLoad(**{f"{kind}_percent": limit + 0.1})}},
            {"nodes": {"n11": NodeLoad(**{f"{kind}_percent": limit})}},
            {"nodes": {"n11": NodeLoad()}},
        )
        for kind, limit in (("cpu", 95.0), ("memory", 95.0), ("disk", 90.0))
    ),
    *(
        (
            "NODE_DOWN",
            {"nodes": {"n11": NodeLoad(state=state)}},
            {"nodes": {"n11": NodeLoad(state="up")}},
            {"nodes": {"n11": NodeLoad(state="absent")}},
        )
        for state in ("off", "unreachable")
    ),
    ("MONITOR_BLIND", {"error": "no answer", "primary": None}, {}, {}),
    ("MONITOR_BLIND", {"healthy": None}, {"healthy": False}, {}),
]


@pytest.mark.parametrize(("kind", "bad", "good", "unknown"), KINDS)
def test_every_kind_begins_stays_where_it_is_not_known_and_ends(
    kind: str, bad: dict[str, Any], good: dict[str, Any], unknown: dict[str, Any]
) -> None:
    def of_kind(alerts: Sequence[Alert]) -> list[bool]:
        return [alert.ended is None for alert in alerts if alert.alert_type == kind]

    episodes = Episodes(Thresholds())
    assert of_kind(episodes.take(seen(0, **good))) == []
    episodes.take(seen(10, **bad))
    assert of_kind([*episodes.active, *episodes.take(seen(2_000, **bad))]) == [True]
    if unknown:
        assert of_kind(episodes.take(seen(2_010, **unknown))) == []
    assert of_kind(episodes.take(seen(2_020, **bad))) == []
    assert of_kind(episodes.take(seen(2_030, **good))) == [False]
    assert of_kind(episodes.active) == []


def test_every_kind_is_tried_and_nothing_else_is_said() -> None:
    assert {case[0] for case in KINDS} == set(ALERT_TYPES)
    everything = seen(
        0,
        lag_bytes=1,
        backup=BackupState(state="ok"),
        restore=RestoreState(state="none"),
        exporter=ExporterState(up=True),
    )
    assert {sample.key.alert_type for sample in samples(everything, Thresholds())} == set(ALERT_TYPES)
