"""What the probe sees of Patroni: its REST API on this node, and the member of etcd beside it."""

from __future__ import annotations

import json
import os
import time

from e2e_ansible.nodes.probe_machine import read

TYPE_CHECKING = False  # typing would cost a tenth of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["patroni"]

REST_SECONDS = 2.0


def _get(port: int, path: str, seconds: float) -> Any:
    """What a service of this node answers as JSON, whatever its status.

    Raises:
        OSError: nothing answers, or not in time.
        ValueError: the answer is no JSON.
    """
    import socket

    ends = time.monotonic() + max(0.1, seconds)
    answer = b""
    with socket.create_connection(("127.0.0.1", port), max(0.1, seconds)) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        while True:
            connection.settimeout(max(0.01, ends - time.monotonic()))
            part = connection.recv(65536)
            if not part:
                return json.loads(answer.partition(b"\r\n\r\n")[2])
            answer += part


def _port(path: str, key: str, default: int) -> int:
    """The port at the end of the first value of a key in a settings file."""
    for line in read(path).splitlines():
        name, _, value = line.strip().partition(":")
        if name == key:
            digits = value.partition(",")[0].rstrip("\"' ").rpartition(":")[2]
            return int(digits) if digits.isdigit() else default
    return default


def _role(facts: dict[str, Any]) -> str:
    """Versions of Patroni name the leader differently."""
    role = str(facts.get("role") or "")
    if role in ("master", "primary"):
        return "leader"
    return "sync_standby" if facts.get("sync_standby") else role


def _members(port: int, seconds: float) -> dict[str, Any]:
    """What the member reads in etcd."""
    facts = _get(port, "/cluster", seconds)
    members = [
        {
            "name": member.get("name", ""),
            "role": _role(member),
            "state": member.get("state", ""),
            "timeline": member.get("timeline"),
            "lag_bytes": member["lag"] if isinstance(member.get("lag"), int) else None,
            "pending_restart": bool(member.get("pending_restart")),
        }
        for member in facts["members"]
    ]
    leaders = [member["name"] for member in members if member["role"] in ("leader", "standby_leader")]
    return {"members": members, "leader": ", ".join(leaders), "paused": bool(facts.get("pause"))}


def _etcd(seconds: float) -> dict[str, Any]:
    settings = "/etc/etcd/etcd.yml"
    if not os.path.exists(settings):  # noqa: PTH110
        return {}
    try:
        facts = _get(_port(settings, "listen-client-urls", 2379), "/health", seconds)
        healthy = str(facts["health"]).lower() == "true"
        return {"etcd": healthy, "etcd_error": "" if healthy else str(facts.get("reason") or "no quorum")}
    except (OSError, LookupError, TypeError, ValueError) as error:
        return {"etcd": False, "etcd_error": f"no answer: {error}"}


def patroni(ends: float, own: str) -> dict[str, Any]:
    """The fields of `observation.Patroni`; `own` is the name of this node, `ends` a monotonic time. Never raises."""
    port = _port("/etc/patroni/config.yml", "listen", 8008)
    facts: dict[str, Any] = {"answers": False, **_etcd(min(REST_SECONDS, ends - time.monotonic()))}
    try:
        said = _get(port, "/patroni", min(REST_SECONDS, ends - time.monotonic()))
        facts.update(
            answers=True, role=_role(said), state=said.get("state", ""), paused=bool(said.get("pause"))
        )
        facts.update(timeline=said.get("timeline"), pending_restart=bool(said.get("pending_restart")))
        own = str(said.get("patroni", {}).get("name") or own)
    except (OSError, AttributeError, TypeError, ValueError) as error:
        return {**facts, "error": f"its REST API does not answer: {error}"}
    try:
        facts.update(_members(port, min(REST_SECONDS, ends - time.monotonic())))
    except (OSError, LookupError, AttributeError, TypeError, ValueError) as error:
        return {**facts, "error": f"it cannot read the cluster in etcd: {error}"}
    facts["lag_bytes"] = next((m["lag_bytes"] for m in facts["members"] if m["name"] == own), None)
    return facts
