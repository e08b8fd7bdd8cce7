"""The probe on this machine, its line, and what is made of a broken one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.nodes import probe, probe_machine, probe_postgres
from e2e_ansible.nodes.guard import Identity
from e2e_ansible.nodes.link import classify, parse
from e2e_ansible.nodes.observation import Postgres, Unreachable

FOLDER = "/usr/lib/postgresql/15/bin"
PLACE = ("/run/postgresql", "5432")


def test_identity_is_complete_here() -> None:
    identity = Identity.model_validate(probe_machine.identity())
    assert identity.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert identity.boot_time > 0
    assert identity.pid1_start > 0
    assert identity.pid_namespace.startswith("pid:[")


@pytest.mark.parametrize(
    "output", ["", "bash: python3: command not found", probe.MARKER + "{broken", probe.MARKER + "[]"]
)
def test_no_marked_line_is_no_answer(output: str) -> None:
    assert parse(output) is None


def test_names_of_processes_do_not_shift_the_fields_of_stat(monkeypatch: pytest.MonkeyPatch) -> None:
    tail = " ".join(str(number) for number in range(3, 50))
    monkeypatch.setattr(probe_machine, "read", lambda _: f"1 (a ) b (c) {tail}")
    assert probe_machine._pid1_start() == 22


@pytest.mark.parametrize(
    ("files", "detected", "kind"),
    [
        ({"/run/systemd/container": "systemd-nspawn\n"}, "none", "systemd-nspawn"),
        ({"/proc/1/environ": "A=1\0container=lxc\0"}, "none", "lxc"),
        ({"/proc/1/environ": "container=\0"}, "none", "container"),
        ({}, "docker\n", "docker"),
        ({}, "none\n", ""),
    ],
)
def test_container(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], detected: str, kind: str) -> None:
    monkeypatch.setattr(probe_machine, "read", lambda path: files.get(path, ""))
    monkeypatch.setattr(probe_machine, "run", lambda command, seconds: detected)
    monkeypatch.setattr(probe_machine.os.path, "exists", lambda path: False)
    assert probe_machine._container() == kind


def _state(
    monkeypatch: pytest.MonkeyPatch, output: str, errors: str = "", in_time: bool = True
) -> dict[str, Any]:
    monkeypatch.setattr(probe_postgres, "psql", lambda *_: (output, errors, in_time))
    return probe_postgres._state(FOLDER, PLACE, 6.0)


STATE = 'state {"in_recovery": false, "lsn": "0/30", "timeline": 2, "receiver": "", "replicas": []}\n'


@pytest.mark.parametrize(
    ("output", "errors", "in_time", "writable"),
    [
        (STATE + "written 0/40\n", "", True, True),
        (STATE, "", True, False),
        (STATE + "written 0/40\n", "WARNING: canceling wait for synchronous replication", False, False),
        (STATE, 'ERROR: could not extend file "base/1": No space left on device', True, False),
    ],
    ids=["committed", "standby or read-only", "not replicated", "disk full"],
)
def test_only_a_silent_commit_is_writable(
    monkeypatch: pytest.MonkeyPatch, output: str, errors: str, in_time: bool, writable: bool
) -> None:
    facts = _state(monkeypatch, output, errors, in_time)
    assert facts["accepting"] is True
    assert facts["writable"] is writable
    assert errors in facts["error"]
    Postgres.model_validate({"installed": True, **facts})


def test_a_hung_server_accepts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = _state(monkeypatch, "", "", in_time=False)
    assert facts == {"accepting": False, "error": "no answer within 5.0 s"}


def test_a_hung_client_is_interrupted_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    psql = tmp_path / "psql"
    psql.write_text("#!/bin/sh\ntrap '' INT\nexec sleep 30\n")
    psql.chmod(0o755)
    monkeypatch.setattr(probe_postgres, "account", dict)
    begin = time.monotonic()
    assert probe_postgres.psql("select 1", str(tmp_path), PLACE, 0.3)[2] is False
    assert time.monotonic() - begin < 3


def test_a_missing_table_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        probe_postgres, "psql", lambda *_: ("", 'ERROR:  relation "e2e.integrity" does not exist', True)
    )
    facts = probe_postgres._integrity(FOLDER, PLACE, 3.0)
    assert facts["integrity"] is None
    assert "does not exist" in facts["integrity_error"]


def test_without_a_socket_no_client_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_postgres, "server_folder", lambda: FOLDER)
    monkeypatch.setattr(probe_postgres, "server_socket", lambda: None)
    facts = probe_postgres.postgres(time.monotonic() + 5, integrity=True)
    assert facts["installed"]
    assert not facts["accepting"]


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_postgres, "server_folder", lambda: "")
    assert Postgres.model_validate(probe_postgres.postgres(0.0, integrity=False)) == Postgres(installed=False)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("root@10.0.0.1: Permission denied (publickey).", Unreachable.AUTH),
        ("Host key verification failed.", Unreachable.AUTH),
        ("WARNING: UNPROTECTED PRIVATE KEY FILE! ... Permission denied (publickey).", Unreachable.LOCAL),
        ("Load key: No space left on device", Unreachable.LOCAL),
        ("[Errno 2] No such file or directory: b'ssh'", Unreachable.LOCAL),
        ("ssh: connect to host 10.0.0.1 port 22: Connection timed out", Unreachable.TIMEOUT),
        ("Connection timed out during banner exchange", Unreachable.TIMEOUT),
        ("ssh: connect to host 10.0.0.1 port 22: No route to host", Unreachable.TIMEOUT),
        ("ssh: connect to host 10.0.0.1 port 22: Connection refused", Unreachable.REFUSED),
        ("kex_exchange_identification: Connection closed by remote host", Unreachable.OTHER),
        ("", Unreachable.OTHER),
    ],
)
def test_classify(said: str, kind: Unreachable) -> None:
    assert classify(said) is kind
