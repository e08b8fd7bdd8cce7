"""What a look means: one healthy picture, and each thing that can be broken in it."""

from __future__ import annotations

from typing import Any

import pytest
from monitor_sights import (
    CONTEXTS,
    LABELS,
    SITES,
    away,
    backup,
    down,
    load,
    node,
    observed,
    off,
    patroni,
    postgres,
    services,
    well,
)

from e2e_ansible.monitor.snapshot import Seen, contexts_of, cpu_percent, snapshot
from e2e_ansible.nodes.load import Cpu, Load, Restoring
from e2e_ansible.nodes.observation import NodeObservation, PowerState, Unreachable
from e2e_ansible.nodes.services import Exporter, Services
from e2e_ansible.soak.records import ContextSnapshot


def look(before: dict[str, Load] | None = None, **changes: NodeObservation) -> Seen:
    return snapshot(observed(**changes), CONTEXTS, before or {})


def first(**changes: NodeObservation) -> ContextSnapshot:
    return look(**changes).contexts[0]


def test_contexts_are_the_sites_in_their_order_or_the_whole() -> None:
    assert contexts_of(LABELS, SITES) == CONTEXTS
    assert list(contexts_of(LABELS, SITES[::-1])) == ["site_b", "site_a"]
    assert contexts_of(LABELS, ()) == {"cluster": ("n11", "n12", "n13")}


def test_two_healthy_sites() -> None:
    one, other = look().contexts
    assert (one.role, one.healthy, one.leader, one.lag_bytes, one.error) == ("primary", True, "n11", 5, "")
    assert one.members == {"n11": "leader running", "n12": "replica streaming"}
    assert (other.role, other.healthy, other.leader, other.lag_bytes) == ("standby", True, "n13", 0x10)
    assert one.backup is not None
    assert (one.backup.state, one.backup.age_seconds) == ("ok", 60.0)
    assert one.exporter is not None
    assert one.exporter.up is True
    assert one.restore is not None
    assert one.restore.state == "none"


HEALTH: list[tuple[str, dict[str, Any], bool | None, str, str]] = [
    ("a replica is off", {"n12": off("n12")}, True, "primary", ""),
    ("a replica is deaf", {"n12": away("n12")}, True, "primary", ""),
    ("the leader is off", {"n11": off("n11")}, False, "none", "n11: off"),
    ("all are off", {"n11": off("n11"), "n12": off("n12")}, False, "none", "n11: off; n12: off"),
    ("the leader is deaf", {"n11": away("n11")}, None, "unknown", "n11: no answer"),
    ("the server is down", {"n11": down("n11", "leader")}, False, "unknown", "no socket"),
    (
        "Patroni is dead, and the server serves",
        {"n11": node("n11", postgres=postgres(), patroni=patroni("", answers=False))},
        True,
        "primary",
        "",
    ),
    (
        "two take writes",
        {"n12": node("n12", postgres=postgres(), patroni=patroni("leader"))},
        False,
        "primary",
        "n11 and n12 take writes",
    ),
    (
        "the probe did not run",
        {"n11": node("n11", reason="the probe did not run", services=None, load=None)},
        None,
        "unknown",
        "the probe did not run",
    ),
]


@pytest.mark.parametrize(
    ("changes", "healthy", "role", "error"), [case[1:] for case in HEALTH], ids=[case[0] for case in HEALTH]
)
def test_health(changes: dict[str, NodeObservation], healthy: bool | None, role: str, error: str) -> None:
    found = first(**changes)
    assert (found.healthy, found.role) == (healthy, role)
    assert error in found.error
    assert bool(error) == bool(found.error)


def test_nodes_that_are_not_there_are_no_trouble() -> None:
    gone = {name: node(name, power=PowerState.ABSENT, reachable=False, load=None) for name in LABELS}
    found = look(**gone)
    assert found.contexts[0].healthy is None
    assert {each.state for each in found.nodes.values()} == {"absent"}


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (node("n11"), "up"),
        (off("n11"), "off"),
        (away("n11"), "unreachable"),
        (away("n11").model_copy(update={"unreachable": Unreachable.LOCAL}), "unknown"),
    ],
)
def test_states_of_a_node(given: NodeObservation, state: str) -> None:
    assert look(n11=given).nodes["n11"].state == state


def test_the_standby_lags_behind_the_one_that_takes_writes() -> None:
    behind = node("n13", postgres=postgres(standby=True, lsn="0/F0000000"), patroni=patroni("standby_leader"))
    assert look(n13=behind).contexts[1].lag_bytes == 0x1_0000_0030 - 0xF000_0000
    ahead = node("n13", postgres=postgres(standby=True, lsn="1/40"), patroni=patroni("standby_leader"))
    assert look(n13=ahead).contexts[1].lag_bytes == 0, "it was looked at a moment later"
    assert look(n11=away("n11")).contexts[1].lag_bytes is None


BACKUPS: list[tuple[str, dict[str, Any], str, str]] = [
    ("no answer", {"status": None, "age_seconds": None, "error": "timed out"}, "unknown", "timed out"),
    ("none was made", {"status": 2, "said": "no valid backups", "age_seconds": None}, "missing", "no valid"),
    ("pgbackrest complains", {"status": 4, "said": "different"}, "failed", "different"),
    ("broken pages", {"newest_failed": True}, "failed", "pages"),
    ("the timer is held", {"timer": "inactive"}, "failed", "timer of backups is inactive"),
    ("the last run failed", {"last_run": "exit-code"}, "failed", "exit-code"),
    ("WAL stays", {"failing": True, "failed_wal": "0001"}, "failed", "0001 could not be archived"),
]


@pytest.mark.parametrize(
    ("changes", "state", "said"), [case[1:] for case in BACKUPS], ids=[case[0] for case in BACKUPS]
)
def test_backups(changes: dict[str, Any], state: str, said: str) -> None:
    broken = services(backup=backup(**changes))
    both = {name: well()[name].model_copy(update={"services": broken}) for name in ("n11", "n12")}
    found = first(**both).backup
    assert found is not None
    assert found.state == state
    assert said in found.message


@pytest.mark.parametrize(
    ("exporter", "up", "said"),
    [
        (Exporter(port=1, status=0, error="refused"), False, "n11: no answer at port 1: refused"),
        (Exporter(port=1, status=500), False, "status 500"),
        (Exporter(port=1, status=200, up=False), False, "does not reach PostgreSQL, which answers"),
        (Exporter(port=1, status=200, up=None), False, "does not reach"),
        (Exporter(port=1, status=200, up=True), True, ""),
    ],
)
def test_exporter(exporter: Exporter, up: bool, said: str) -> None:
    found = first(n11=well()["n11"].model_copy(update={"services": services(exporter=exporter)})).exporter
    assert found is not None
    assert found.up is up
    assert said in found.message


def test_an_exporter_that_says_that_postgres_is_down_is_well_when_it_is() -> None:
    true = services(exporter=Exporter(port=1, status=200, up=False))
    found = first(n11=down("n11").model_copy(update={"services": true})).exporter
    assert found is not None
    assert found.up is True


@pytest.mark.parametrize(("error", "up"), [("timed out", None), ("[Errno 111] Connection refused", False)])
def test_an_exporter_that_waits_for_a_server_that_is_down_is_not_known(error: str, up: bool | None) -> None:
    silent = services(exporter=Exporter(port=1, error=error))
    found = first(n11=down("n11").model_copy(update={"services": silent})).exporter
    assert found is not None
    assert found.up is up
    assert error in found.message
    served = first(n11=well()["n11"].model_copy(update={"services": silent})).exporter
    assert served is not None
    assert served.up is False, "nothing keeps it waiting"


def test_what_could_not_be_read_is_said() -> None:
    broken = well()["n11"].model_copy(
        update={"services": Services(error="KeyError: x"), "load": Load(error="y")}
    )
    found = first(n11=broken)
    assert found.healthy is True
    assert found.error == "n11: services: KeyError: x; n11: load: y"


RESTORES = [
    ("no look before", None, Restoring(seconds=5, written_bytes=1, folder_bytes=250), "begun", 25.0),
    ("it has begun since", load(), Restoring(seconds=5, written_bytes=1), "running", None),
    (
        "it writes",
        load(restore=Restoring(seconds=1, written_bytes=1, folder_bytes=9)),
        Restoring(seconds=5, written_bytes=2, folder_bytes=9),
        "running",
        0.9,
    ),
    (
        "it writes nothing",
        load(restore=Restoring(seconds=1, written_bytes=1, folder_bytes=900)),
        Restoring(seconds=5, written_bytes=1, folder_bytes=900),
        "stalled",
        90.0,
    ),
    (
        "it is another one",
        load(restore=Restoring(seconds=9, written_bytes=1)),
        Restoring(seconds=5, written_bytes=1),
        "running",
        None,
    ),
    ("nothing is known of it", load(restore=Restoring(seconds=1)), Restoring(seconds=5), "begun", None),
]


@pytest.mark.parametrize(
    ("before", "now", "state", "percent"), [case[1:] for case in RESTORES], ids=[case[0] for case in RESTORES]
)
def test_restores(before: Load | None, now: Restoring, state: str, percent: float | None) -> None:
    busy = well()["n11"].model_copy(update={"load": load(restore=now)})
    found = look({"n11": before} if before else {}, n11=busy).contexts[0].restore
    assert found is not None
    assert (found.state, found.percent, found.seconds) == (state, percent, 5.0)


@pytest.mark.parametrize(
    ("before", "now", "percent"),
    [
        ((10, 100), (15, 120), 25.0),
        ((10, 100), (40, 120), 100.0),
        ((10, 100), (1, 120), None),
        ((10, 100), (10, 100), None),
    ],
    ids=["a quarter", "rounding never gives more than all", "a boot", "no time"],
)
def test_processor_between_two_looks(
    before: tuple[float, float], now: tuple[float, float], percent: float | None
) -> None:
    seen = look({"n11": load(*before)}, n11=well()["n11"].model_copy(update={"load": load(*now)}))
    assert seen.nodes["n11"].cpu_percent == percent
    assert seen.nodes["n12"].cpu_percent is None, "there was no look before"


def test_two_ways_of_counting_are_not_compared() -> None:
    one = Cpu(busy_seconds=1, of_seconds=10, source="cgroup")
    other = Cpu(busy_seconds=2, of_seconds=20, source="processes")
    assert cpu_percent(one, other) is None


def test_what_is_remembered_of_a_node_outlives_a_look_that_did_not_reach_it() -> None:
    seen = look({"n11": load(10, 100)}, n11=away("n11"))
    assert seen.loads["n11"] == load(10, 100)
    assert seen.nodes["n11"].memory_percent is None
