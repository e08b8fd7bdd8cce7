"""Truth tables of the checks about backups, exporter and proxy: a healthy cluster, then one thing is broken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from e2e_ansible.checks.base import Situation
from e2e_ansible.checks.registry import evaluate
from e2e_ansible.nodes.observation import NodeObservation, Observation, Postgres, PowerState, Unreachable
from e2e_ansible.nodes.services import Backup, Exporter, Proxy, Services

NAMES = ("n11", "n12", "n13")
PASS, FAIL, UNKNOWN = True, False, None
NEWEST: dict[str, Any] = {"status": 0, "said": "ok", "backups": 2, "newest": "B2", "age_seconds": 30.0}
ARCHIVER: dict[str, Any] = {"archiving": True, "failing": False, "waiting": 0}
OFF: dict[str, Any] = {"power": PowerState.OFF, "reachable": False, "services": None, "postgres": None}
WRONG_KEY: dict[str, Any] = {"reachable": False, "unreachable": Unreachable.AUTH, "services": None}


def beside(**changes: Any) -> Services:
    """The services of a healthy node; changes by service: a mapping of its fields, or None."""
    whole: dict[str, Any] = {
        "backup": {**NEWEST, **ARCHIVER},
        "exporter": {"port": 9187, "status": 200, "up": True},
        "proxy": {"port": 5000, "writes": ("n11",), "written": True, "by": "10.0.0.11"},
    }
    made = {
        key: item if changes.get(key, item) is not None else None
        for key, item in ((key, {**item, **(changes.get(key) or {})}) for key, item in whole.items())
    }
    return Services.model_validate({**made, "error": changes.get("error", "")})


def change(**changes: Any) -> dict[str, Any]:
    return {"services": beside(**changes)}


def node(name: str, changes: Mapping[str, Any]) -> NodeObservation:
    backup: dict[str, Any] = {"repository": True, "timer": "active", "last_run": "success"}
    facts: dict[str, Any] = {
        "node": name,
        "power": PowerState.ON,
        "reachable": True,
        "postgres": Postgres(installed=True, accepting=True, in_recovery=name != "n11"),
        "services": beside(backup=backup if name == "n13" else {}),
    }
    return NodeObservation(**{**facts, **changes})


def situation(
    changes: Mapping[str, Mapping[str, Any] | None], labels: Mapping[str, tuple[str, ...]] | None = None
) -> Situation:
    expected = {**dict.fromkeys(NAMES, ("database",)), **(labels or {})}
    found = (node(name, changes.get(name) or {}) for name in expected if changes.get(name, {}) is not None)
    return Situation(Observation(at=0, nodes=tuple(found)), expected, "patroni", "n11")


CASES = [
    ("backup_recent:60", PASS, {}, "2 backups, the newest B2 is 30 s old"),
    ("backup_recent:30", PASS, {}, ""),
    ("backup_recent:29.5", FAIL, {}, "n11: the newest backup B2 is 30 s old, more than 29.5 s"),
    ("backup_recent:60", FAIL, {"n12": change(backup=None)}, "n12 has no backup set up"),
    (
        "backup_recent:60",
        FAIL,
        {"n11": change(backup={"status": 2, "said": "no valid backups", "age_seconds": None})},
        "n11 finds no backup: no valid backups",
    ),
    (
        "backup_recent:60",
        FAIL,
        {"n11": change(backup={"status": None, "age_seconds": None, "error": "refused"})},
        "n11 cannot read the repository: refused",
    ),
    ("backup_recent:60", PASS, {"n12": OFF}, ""),
    ("backup_recent:60", FAIL, dict.fromkeys(NAMES, OFF), "none of n11, n12, n13 runs"),
    ("backup_recent:60", UNKNOWN, {"n12": None}, "not observed: n12"),
    ("backup_recent:60", UNKNOWN, {"n12": WRONG_KEY}, "n12"),
    ("backup_recent:60", UNKNOWN, {"n12": {"services": None}}, "was not looked at"),
    ("backup_recent:60", UNKNOWN, {"n12": {"services": Services(error="KeyError")}}, "KeyError"),
    ("backup_recent:soon", UNKNOWN, {}, "soon"),
    ("backup_healthy", PASS, {}, "2 backups"),
    ("backup_healthy", FAIL, {"n11": change(backup={"failing": True, "failed_wal": "W7"})}, "not archive W7"),
    ("backup_healthy", PASS, {"n12": change(backup={"failing": True, "failed_wal": "W7"})}, ""),
    ("backup_healthy", FAIL, {"n11": change(backup={"archiving": False})}, "does not archive its WAL"),
    ("backup_healthy", UNKNOWN, {"n11": change(backup={"archiving": None})}, "archiver of n11 was not read"),
    ("backup_healthy", FAIL, {"n12": change(backup={"status": 3, "said": "bad"})}, "pgbackrest says 'bad'"),
    ("backup_healthy", FAIL, {"n12": change(backup={"newest_failed": True})}, "B2 holds pages"),
    (
        "backup_healthy",
        FAIL,
        {"n13": change(backup={"timer": "inactive"})},
        "timer of backups on n13 is inac",
    ),
    (
        "backup_healthy",
        FAIL,
        {"n13": change(backup={"timer": "active", "last_run": "exit-code"})},
        "ended with exit-code",
    ),
    ("backup_healthy", PASS, {"n11": OFF}, ""),
    ("exporter_up", PASS, {}, "n11, n12, n13"),
    ("exporter_up", FAIL, {"n12": change(exporter={"status": 0, "error": "refused"})}, "no answer from"),
    ("exporter_up", FAIL, {"n12": change(exporter={"status": 500})}, "status 500"),
    ("exporter_up", FAIL, {"n12": change(exporter={"up": False})}, "does not reach PostgreSQL"),
    ("exporter_up", FAIL, {"n12": change(exporter={"up": None})}, "do not say whether"),
    ("exporter_up", FAIL, {"n12": change(exporter=None)}, "n12 has no exporter"),
    ("exporter_up", PASS, {"n12": OFF}, "n11, n13"),
    ("exporter_up", UNKNOWN, {"n12": WRONG_KEY}, "n12"),
    ("exporter_up", UNKNOWN, {"n12": {"services": None}}, "was not looked at"),
    ("proxy_writes", PASS, {}, "10.0.0.11 committed through n11, n12, n13"),
    (
        "proxy_writes",
        FAIL,
        {"n12": change(proxy={"written": False, "write_error": "refused", "writes": ()})},
        "n12, port 5000: no write: refused; it leads writes to no server",
    ),
    ("proxy_writes", UNKNOWN, {"n12": change(proxy={"written": None})}, "no write through n12 was tried"),
    ("proxy_writes", FAIL, {"n12": change(proxy=None)}, "n12 has no proxy"),
    ("proxy_writes", PASS, {"n12": OFF}, "n11, n13"),
    ("proxy_writes", UNKNOWN, {"n12": {"services": None}}, "was not looked at"),
]


@pytest.mark.parametrize(("check", "passed", "changes", "words"), CASES)
def test_truth(
    check: str, passed: bool | None, changes: Mapping[str, Mapping[str, Any] | None], words: str
) -> None:
    outcome = evaluate(check, situation(changes))
    assert (outcome.passed, words in outcome.message) == (passed, True), outcome


def test_with_nodes_that_drive_load_only_their_proxies_count() -> None:
    labels = {"c11": ("client",)}
    assert evaluate("proxy_writes", situation({"n12": change(proxy=None)}, labels)).passed
    broken = situation({"c11": change(proxy={"written": False})}, labels)
    assert evaluate("proxy_writes", broken).passed is False
    keeper = situation({"c11": change(backup={"timer": "failed"})}, labels)
    assert evaluate("backup_healthy", keeper).passed is False


def test_models_of_nothing_are_not_well() -> None:
    assert Backup().status is None
    assert Exporter(port=1).up is None
    assert Proxy(port=1).written is None
