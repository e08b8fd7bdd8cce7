"""What the probe makes of Patroni and etcd: real sockets, with answers as Patroni 3 and etcd 3.4 give them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from e2e_ansible.nodes import probe_patroni
from e2e_ansible.nodes.look import Wanted, _patroni
from e2e_ansible.nodes.observation import Patroni

OWN = {"state": "running", "role": "master", "timeline": 3, "patroni": {"version": "3.0.2", "scope": "e2e"}}
CLUSTER = {
    "members": [
        {"name": "n11", "role": "leader", "state": "running", "timeline": 3},
        {"name": "n12", "role": "sync_standby", "state": "streaming", "timeline": 3, "lag": 0},
        {"name": "n13", "role": "replica", "state": "stopped", "lag": "unknown", "pending_restart": True},
    ]
}
HEALTH = {"health": "true"}


@contextmanager
def service(answers: Mapping[str, Any]) -> Iterator[int]:
    """An HTTP server on the loopback address that gives these bodies by path; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers[self.path]
            if body is None:  # accepts and never answers, as Patroni without etcd
                time.sleep(3)
                return
            self.send_response(503)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.socket.close()
        thread.join()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def look(monkeypatch: pytest.MonkeyPatch, patroni: int, etcd: int | None, own: str) -> Patroni:
    """One look at services on these ports; without a port of etcd there is no etcd on the node."""
    files = {
        "/etc/patroni/config.yml": f"restapi:\n  listen: 0.0.0.0:{patroni}\npostgresql:\n  listen: '*:5432'\n",
        "/etc/etcd/etcd.yml": f"listen-client-urls: http://10.0.0.1:{etcd},http://127.0.0.1:{etcd}\n",
    }
    monkeypatch.setattr(probe_patroni, "read", lambda path: files.get(path, ""))
    monkeypatch.setattr(probe_patroni.os.path, "exists", lambda path: etcd is not None and "etcd" in path)
    monkeypatch.setattr(probe_patroni, "REST_SECONDS", 0.3)
    found = _patroni(probe_patroni.patroni(time.monotonic() + 2, own))
    assert found is not None
    return found


def test_a_healthy_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    with service({"/patroni": OWN, "/cluster": CLUSTER}) as rest, service({"/health": HEALTH}) as etcd:
        seen = look(monkeypatch, rest, etcd, "n11")
    assert (seen.answers, seen.role, seen.state, seen.timeline) == (True, "leader", "running", 3)
    assert (seen.leader, seen.paused, seen.etcd, seen.error) == ("n11", False, True, "")
    assert [(each.role, each.lag_bytes, each.pending_restart) for each in seen.members] == [
        ("leader", None, False),
        ("sync_standby", 0, False),
        ("replica", None, True),
    ]


def test_a_synchronous_standby_of_a_paused_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {**OWN, "role": "replica", "sync_standby": True, "pending_restart": True, "pause": True}
    with service({"/patroni": own, "/cluster": {**CLUSTER, "pause": True}}) as rest:
        seen = look(monkeypatch, rest, None, "n12")
    assert (seen.role, seen.paused, seen.pending_restart, seen.lag_bytes) == ("sync_standby", True, True, 0)
    assert seen.etcd is None


def test_without_etcd_patroni_answers_and_nobody_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {**OWN, "role": "replica"}
    with (
        service({"/patroni": own, "/cluster": None}) as rest,
        service({"/health": {"health": "false", "reason": "RAFT NO LEADER"}}) as etcd,
    ):
        begin = time.monotonic()
        seen = look(monkeypatch, rest, etcd, "n11")
        assert time.monotonic() - begin < 1.5
    assert (seen.answers, seen.role, seen.leader, seen.members) == (True, "replica", "", ())
    assert "cannot read the cluster in etcd" in seen.error
    assert (seen.etcd, seen.etcd_error) == (False, "RAFT NO LEADER")


def test_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = look(monkeypatch, closed_port(), closed_port(), "n11")
    assert (seen.answers, seen.etcd) == (False, False)
    assert "does not answer" in seen.error
    assert "no answer" in seen.etcd_error


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"members": 1}', b'{"members": [3]}'])
def test_an_answer_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    with service({"/patroni": OWN, "/cluster": body}) as rest:
        seen = look(monkeypatch, rest, None, "n11")
    assert seen.answers
    assert "cannot read the cluster" in seen.error
    with service({"/patroni": body if b"members" not in body else b"7"}) as rest:
        seen = look(monkeypatch, rest, None, "n11")
    assert not seen.answers
    assert seen.error


def test_an_answer_that_is_not_understood_is_an_error() -> None:
    seen = _patroni({"answers": True, "timeline": "third"})
    assert seen is not None
    assert (seen.answers, "not understood" in seen.error) == (False, True)
    assert _patroni(None) is None


def test_it_is_asked_only_when_wanted() -> None:
    assert Wanted(patroni=True).sections == ("system", "postgres", "patroni")
    assert "patroni" not in Wanted().sections
