"""What the probe makes of the services' answers, and what a write through a proxy says when it cannot be."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.nodes import probe_services
from e2e_ansible.nodes.services import Backup, Exporter, Services, services, write

# As pgBackRest 2.45 says it, shortened.
SAID: dict[str, Any] = {
    "backup": [
        {"label": "20261121-145052F", "error": False, "timestamp": {"start": 1, "stop": 2}},
        {"label": "20261121-150000F", "error": True, "timestamp": {"start": 3, "stop": 1_000}},
    ],
    "name": "main",
    "repo": [{"key": 1, "status": {"code": 0, "message": "ok"}}],
    "status": {"code": 0, "message": "ok"},
}
REFUSED: dict[str, Any] = {
    "backup": [],
    "repo": [{"key": 1, "status": {"code": 99, "message": "[HostConnectError] unable to connect"}}],
    "status": {"code": 99, "message": "other"},
}


def test_backups_and_their_age() -> None:
    before = time.time()
    found = Backup.model_validate(probe_services._backups(SAID))
    assert (found.status, found.said, found.backups) == (0, "ok", 2)
    assert (found.newest, found.newest_failed) == ("20261121-150000F", True)
    assert found.age_seconds is not None
    assert before <= found.age_seconds + 1_000 <= time.time()


def test_a_repository_that_does_not_answer_has_no_status() -> None:
    found = Backup.model_validate(probe_services._backups(REFUSED))
    assert (found.status, found.backups, found.age_seconds) == (None, 0, None)
    assert "unable to connect" in found.error


@pytest.mark.parametrize(
    ("text", "stanza"), [("[global]\na=b\n[global:backup]\n[main]\n", "main"), ("[global]\n", ""), ("", "")]
)
def test_the_stanza_is_in_the_configuration(text: str, stanza: str) -> None:
    assert probe_services._stanza(text) == stanza


def test_where_no_role_was_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_BACKREST_CONF", "_EXPORTER_CONF", "_PROXY_CONF"):
        file = tmp_path / name
        file.write_text("# as the package has it\n[main]\n")
        monkeypatch.setattr(probe_services, name, str(file))
    assert probe_services.services(time.monotonic() + 5) == {"exporter": None, "proxy": None, "backup": None}


def test_a_configuration_that_is_not_understood_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("# Written by the role haproxy\n")
    monkeypatch.setattr(probe_services, "_EXPORTER_CONF", str(tmp_path / "none"))
    monkeypatch.setattr(probe_services, "_PROXY_CONF", str(file))
    assert "IndexError" in probe_services.services(time.monotonic() + 5)["error"]


@contextmanager
def exporting(*pages: str) -> Iterator[int]:
    """A server that gives one page after the other, the last one again and again; its port."""
    left = list(pages)

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write((left.pop(0) if len(left) > 1 else left[0]).encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def metrics(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Exporter:
    file = folder / "settings"
    file.write_text(f"# Written by the role x\nARGS='--web.listen-address=127.0.0.1:{port}'\n")
    monkeypatch.setattr(probe_services, "_EXPORTER_CONF", str(file))
    return Exporter.model_validate(probe_services._exporter(2.0))


def test_what_the_metrics_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with exporting("pg_up 1\n") as port:
        assert metrics(port, tmp_path, monkeypatch) == Exporter(port=port, status=200, up=True)
    gone = metrics(port, tmp_path, monkeypatch)
    assert (gone.status, gone.up, "refused" in gone.error) == (0, None, True)
    with exporting("pg_up 0\n") as port:
        assert metrics(port, tmp_path, monkeypatch).up is False
    with exporting("# nothing\n") as port:
        assert metrics(port, tmp_path, monkeypatch).up is None


def test_a_connection_of_before_a_restart_is_given_a_second_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exporting("pg_up 0\n", "pg_up 1\n") as port:
        assert metrics(port, tmp_path, monkeypatch).up is True


def test_a_write_that_cannot_be_tried_is_not_known(tmp_path: Path) -> None:
    assert write("127.0.0.1", 1, {})["written"] is None
    assert write("127.0.0.1", 1, {"e2e_client_password_file": str(tmp_path / "none")})["written"] is None


def test_a_proxy_that_nobody_listens_at_does_not_write(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = services({"proxy": {"port": port}}, "127.0.0.1", {"e2e_client_password_file": str(password)})
    assert found is not None
    assert found.proxy is not None
    assert found.proxy.written is False
    assert "refused" in found.proxy.write_error
    assert "secret" not in found.proxy.write_error


def test_what_was_not_asked_is_none_and_nonsense_is_an_error() -> None:
    assert services(None, "", {}) is None
    assert services({}, "", {}) == Services()
    assert "not understood" in str(services({"exporter": 1}, "", {}))
