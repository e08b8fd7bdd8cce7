"""Builders of situations: a healthy cluster first, then the one thing that a case breaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2e_ansible.checks.base import Situation
from e2e_ansible.nodes.observation import (
    AdminUi,
    NodeObservation,
    Observation,
    Postgres,
    PowerState,
    Replica,
    Unreachable,
)

ROWS = ((1, 100),)
NAMES = ("n11", "n12", "n13")
REPLICAS = tuple(Replica(name=name, state="streaming", sync_state="async") for name in NAMES[1:])


def primary(**changes: Any) -> Postgres:
    """PostgreSQL as the healthy primary of three."""
    facts: dict[str, Any] = {
        "installed": True,
        "accepting": True,
        "in_recovery": False,
        "writable": True,
        "replicas": REPLICAS,
        "integrity": ROWS,
    }
    return Postgres(**{**facts, **changes})


def standby(**changes: Any) -> Postgres:
    """PostgreSQL as a healthy replica."""
    facts: dict[str, Any] = {
        "installed": True,
        "accepting": True,
        "in_recovery": True,
        "writable": False,
        "receiver": "streaming",
        "integrity": ROWS,
    }
    return Postgres(**{**facts, **changes})


def down(**changes: Any) -> Postgres:
    """PostgreSQL that is installed and accepts nothing."""
    return Postgres(**{"installed": True, "accepting": False, "error": "connection refused", **changes})


def healthy(name: str) -> dict[str, Any]:
    """All facts of a healthy node; n11 is the primary."""
    return {
        "node": name,
        "power": PowerState.ON,
        "reachable": True,
        "system_state": "running",
        "postgres": primary() if name == "n11" else standby(),
        "admin_ui": AdminUi(url=f"https://{name}/", status=200),
    }


def _lost(power: PowerState, unreachable: Unreachable | None, reason: str = "") -> dict[str, Any]:
    return {
        "power": power,
        "reachable": False,
        "unreachable": unreachable,
        "reason": reason,
        "system_state": "",
        "postgres": None,
        "admin_ui": None,
    }


OFF = _lost(PowerState.OFF, Unreachable.TIMEOUT)
ABSENT = _lost(PowerState.ABSENT, Unreachable.OTHER)
SILENT = _lost(PowerState.ON, Unreachable.TIMEOUT, "no answer within 10 s")
REFUSED = _lost(PowerState.ON, Unreachable.REFUSED)
AUTH = _lost(PowerState.ON, Unreachable.AUTH, "Permission denied (publickey)")
LOCAL = _lost(PowerState.UNKNOWN, Unreachable.LOCAL, "no such key file")
POWER_UNKNOWN = {"power": PowerState.UNKNOWN}
NO_WORD = _lost(PowerState.UNKNOWN, Unreachable.TIMEOUT)
NO_WORD_REFUSED = _lost(PowerState.UNKNOWN, Unreachable.REFUSED)
STANDALONE = primary(replicas=())


def situation(
    changes: Mapping[str, Mapping[str, Any] | None] | None = None,
    *,
    names: tuple[str, ...] = NAMES,
    labels: Mapping[str, tuple[str, ...]] | None = None,
    **rest: Any,
) -> Situation:
    """A healthy cluster with changes per node; None means that nobody looked at the node."""
    changed = changes or {}
    facts = {name: {**healthy(name), **(changed.get(name) or {})} for name in names}
    nodes = tuple(NodeObservation(**facts[name]) for name in names if changed.get(name, {}) is not None)
    expected = {name: (labels or {}).get(name, ("database",)) for name in names}
    settings: dict[str, Any] = {"database": "replication", "primary": "n11", "acknowledged": ROWS}
    return Situation(Observation(at=1.0, nodes=nodes), expected, **{**settings, **rest})


def everywhere(change: Mapping[str, Any], names: tuple[str, ...] = NAMES) -> dict[str, Mapping[str, Any]]:
    """The same change on all nodes."""
    return dict.fromkeys(names, change)


def pg(**per_node: Postgres | None) -> dict[str, dict[str, Any]]:
    """Changes of PostgreSQL only."""
    return {name: {"postgres": postgres} for name, postgres in per_node.items()}
