"""Failovers of Patroni on local nodes, as a client saw them and as Patroni's own history has them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import table
from e2e_ansible import api
from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.outage import OutageWindow

__all__ = ["failover"]

_SETTINGS = {"ttl": 10, "loop_wait": 2, "retry_timeout": 4}
_HEALTHY = ["cluster_status", "patroni_healthy", "patroni_leader"]
_HEAD = [
    "commits",
    "failovers",
    "outage of writes, s: median",
    "worst",
    "promoted after, s: median",
    "worst",
    "served after promotion, s: worst",
    "acknowledged rows",
    "lost",
    "new timelines by patronictl",
]


def failover(folder: Path, rounds: int) -> str:
    """So many leaders in a row lose their power, with asynchronous and with synchronous replication."""
    rows = [_row(name, folder / name, rounds) for name in ("asynchronous", "synchronous")]
    said = ", ".join(f"{name} {value} s" for name, value in _SETTINGS.items())
    return f"{table(_HEAD, rows)}\n\nThree nodes; {said}. 50 operations a second, three of ten are reads.\n"


def _row(name: str, folder: Path, rounds: int) -> list[object]:
    folder.mkdir(parents=True)
    suite = folder / "failover.yaml"
    suite.write_text(yaml.safe_dump({"test_suites": {"failover": _test(name == "synchronous", rounds)}}))
    result = api.run(api.plan(api.load(suite)), runs=folder / "runs")
    (test,) = result.tests
    if test.verdict is not api.Verdict.PASS:
        raise RuntimeError(str(test.error))
    (app,) = (client for client in test.clients if client.name == "app")
    history = next(step.registered for step in test.workflow_steps if step.registered)
    promotions = list(_promotions(str(history["stdout"])))
    windows = [_window(app, fault.fault) for fault in app.faults if fault.kind == "power_off"]
    return [
        name,
        len(windows),
        *_times(app, windows, promotions),
        app.acknowledged,
        app.lost_count,
        len(promotions),
    ]


def _times(app: ClientResult, windows: Sequence[OutageWindow], promotions: Sequence[float]) -> list[str]:
    """Seconds of outage, from its begin to the promotion, and from there to its end."""
    if len(windows) != len(promotions):
        text = f"{len(windows)} outages of {app.name}, but {len(promotions)} promotions by patronictl"
        raise RuntimeError(text)
    pairs = list(zip(windows, promotions, strict=True))
    outages = [window.seconds for window in windows]
    before = [promoted - window.start for window, promoted in pairs]
    after = [(window.end or promoted) - promoted for window, promoted in pairs]
    numbers = (statistics.median(outages), max(outages), statistics.median(before), max(before), max(after))
    return [f"{number:.1f}" for number in numbers]


def _window(app: ClientResult, fault: str) -> OutageWindow:
    """The longest outage of writes that a fault made."""
    own = [each for each in app.outages if each.kind == "writes" and fault in each.faults and each.end]
    return max(own, key=lambda each: each.seconds)


def _promotions(said: str) -> Iterator[float]:
    """Epoch seconds of each new timeline, from `patronictl history`."""
    for entry in json.loads(said):
        yield datetime.fromisoformat(str(entry["Timestamp"])).timestamp()


def _test(synchronous: bool, rounds: int) -> dict[str, Any]:
    parameters = {
        "cluster_size": 3,
        "database": "patroni",
        "synchronous": synchronous,
        "patroni_settings": _SETTINGS,
        "admin_ui": False,
        "postgres_settings": {"shared_buffers": "64MB"},
    }
    client = {"client": "app", "rate": 50, "reads": 0.3, "statement_timeout_seconds": 1}
    crashes = {
        "step": "group",
        "name": "failover",
        "foreach": {"round": list(range(1, rounds + 1))},
        "steps": [
            {"step": "fault", "name": "lost-${foreach.round}", "fault": "power_off", "target": "primary"},
            _look("outage_writes:120:app", "patroni_leader"),
            {"step": "heal"},
            _look(*_HEALTHY),
        ],
    }
    asked = ["patronictl", "-c", "/etc/patroni/config.yml", "history", "e2e", "--format", "json"]
    steps = [
        {"step": "init"},
        {"step": "deploy"},
        _look(*_HEALTHY),
        {"step": "start_client", **client},
        crashes,
        {"step": "stop_client", "client": "app"},
        {"step": "custom_command", "target_node": "n11", "custom_command": asked, "register": "history"},
        {"step": "destroy"},
    ]
    return {"parameters": parameters, "workflow": steps}


def _look(*checks: str) -> dict[str, Any]:
    return {"step": "validate", "checks": list(checks), "retry": {"max_attempts": 120, "delay_seconds": 0.5}}
