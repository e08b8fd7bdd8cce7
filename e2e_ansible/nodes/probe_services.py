"""What the probe sees of the services beside the cluster: backups, exporter, proxy."""

from __future__ import annotations

import json
import os
import subprocess
import time

from e2e_ansible.nodes.probe_machine import read, run
from e2e_ansible.nodes.probe_postgres import (
    WRITE_SECONDS,
    account,
    marked,
    psql,
    server_folder,
    server_socket,
    told,
)

TYPE_CHECKING = False  # typing would cost a tenth of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PARTS_OF_SERVICES", "services"]

PARTS_OF_SERVICES = frozenset({"backup", "exporter", "proxy"})

_BACKREST_CONF = "/etc/pgbackrest.conf"
_EXPORTER_CONF = "/etc/default/prometheus-postgres-exporter"
_PROXY_CONF = "/etc/haproxy/haproxy.cfg"
_PROXY_SOCKET = "/run/haproxy/admin.sock"
_OURS = "Written by the role"
_BACKUP_TIMER, _BACKUP_UNIT = "e2e-backup.timer", "e2e-backup.service"
_ARCHIVER_SQL = """
select 'archiver ' || json_build_object(
  'archiving', current_setting('archive_mode') <> 'off' and current_setting('archive_command') like '%pgbackrest%',
  'failing', coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false),
  'failed_wal', coalesce(last_failed_wal, ''),
  'waiting', (select count(*) from pg_ls_archive_statusdir() where name like '%.ready'))::text
from pg_stat_archiver;
"""


def _stanza(configuration: str) -> str:
    """The section of the configuration that is not for all, '' when there is none."""
    heads = [line.strip()[1:-1] for line in configuration.splitlines() if line.startswith("[")]
    return next((head for head in heads if head.partition(":")[0] != "global"), "")


def _repository(stanza: str, seconds: float) -> dict[str, Any]:
    """What pgBackRest says about the backups, as seen from this node."""
    command = ["pgbackrest", f"--stanza={stanza}", "--output=json", "--log-level-console=off", "info"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=max(0.1, seconds),
            check=False,
            cwd="/",
            **account(),
        )
        said = json.loads(done.stdout)[0] if done.stdout.strip() else None
    except subprocess.TimeoutExpired:
        return {"error": f"pgbackrest info does not answer within {seconds:.1f} s"}
    except (OSError, LookupError, ValueError) as error:
        return {"error": f"pgbackrest info: {error}"}
    if said is None:
        return {"error": f"pgbackrest info: {' '.join(done.stderr.split()) or f'exit {done.returncode}'}"}
    return _backups(said)


def _backups(said: dict[str, Any]) -> dict[str, Any]:
    code, words = said["status"]["code"], said["status"]["message"]
    for repository in said.get("repo", ()):
        if repository["status"]["code"] == code:
            words = repository["status"]["message"]
    backups = said.get("backup") or []
    facts: dict[str, Any] = {"backups": len(backups), "said": words}
    # 99: something else went wrong, and then nothing is known of the backups.
    facts.update({"error": words} if code == 99 else {"status": code})
    if backups:
        newest = backups[-1]
        facts.update(newest=newest["label"], newest_failed=bool(newest.get("error")))
        facts["size_bytes"] = newest.get("info", {}).get("size")
        facts["age_seconds"] = max(0.0, time.time() - newest["timestamp"]["stop"])
    return facts


def _backup(ends: float) -> dict[str, Any] | None:
    """The fields of `services.Backup`; None on a node where the role pgbackrest was not."""
    configuration = read(_BACKREST_CONF)
    stanza = _stanza(configuration) if _OURS in configuration else ""
    if not stanza:
        return None
    facts: dict[str, Any] = {"repository": "repo1-path=" in configuration}
    if os.path.exists(f"/etc/systemd/system/{_BACKUP_TIMER}"):  # noqa: PTH110
        facts["timer"] = run(["systemctl", "show", "-P", "ActiveState", _BACKUP_TIMER], 2).strip()
        facts["last_run"] = run(["systemctl", "show", "-P", "Result", _BACKUP_UNIT], 2).strip()
    folder, place = server_folder(), server_socket()
    if folder and place:
        output, errors, in_time = psql(_ARCHIVER_SQL, folder, place, ends - time.monotonic())
        archiver = marked(output, "archiver ")
        facts.update(json.loads(archiver) if archiver else {"error": told(errors, in_time, WRITE_SECONDS)})
    return {**facts, **_repository(stanza, ends - time.monotonic())}


def _exporter(seconds: float) -> dict[str, Any] | None:
    """The fields of `services.Exporter`; None on a node where the role postgres_exporter was not."""
    settings = read(_EXPORTER_CONF)
    if _OURS not in settings:
        return None
    place = settings.partition("--web.listen-address=")[2].split("'")[0].split()[0]
    host, _, port = place.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    facts = _metrics(host, int(port), seconds / 2)
    if facts.get("up") is False:
        # Its connection of before a restart of the server is noticed to be broken by the first question, and made anew.
        facts = _metrics(host, int(port), seconds / 2)
    return facts


def _metrics(host: str, port: int, seconds: float) -> dict[str, Any]:
    import http.client

    connection = http.client.HTTPConnection(host, port, timeout=max(0.1, seconds))
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        lines = answer.read().decode(errors="replace").splitlines()
    except (OSError, http.client.HTTPException) as error:
        return {"port": port, "error": str(error) or type(error).__name__}
    ups = [line.split()[-1] == "1" for line in lines if line.startswith(("pg_up ", "pg_up{"))]
    return {"port": port, "status": answer.status, "up": all(ups) if ups else None}


def _proxy(seconds: float) -> dict[str, Any] | None:
    """The fields of `services.Proxy` that are known here; None on a node where the role haproxy was not."""
    configuration = read(_PROXY_CONF)
    if _OURS not in configuration:
        return None
    import socket

    bind = configuration.partition("listen writes")[2].split("bind ", 1)[1].split()[0]
    facts: dict[str, Any] = {"port": int(bind.rpartition(":")[2]), "writes": [], "reads": []}
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(max(0.1, seconds))
            asked.connect(_PROXY_SOCKET)
            asked.sendall(b"show stat\n")
            with asked.makefile(encoding="utf-8") as answer:
                rows = [line.split(",") for line in answer]
    except OSError as error:
        return {**facts, "error": f"haproxy does not answer: {error}"}
    for row in rows:
        # The rows of servers alone say UP; those of the whole say OPEN, and BACKEND stands for all servers.
        up = len(row) > 17 and row[17].startswith("UP") and row[1] != "BACKEND"
        if up and row[0] in ("writes", "reads"):
            facts[row[0]].append(row[1])
    return facts


def services(ends: float, parts: frozenset[str] = PARTS_OF_SERVICES) -> dict[str, Any]:
    """The fields of `services.Services`; `ends` is a monotonic time. Never raises."""
    try:
        exporter = _exporter(min(2.0, ends - time.monotonic())) if "exporter" in parts else None
        proxy = _proxy(1.0) if "proxy" in parts else None
        return {"exporter": exporter, "proxy": proxy, "backup": _backup(ends) if "backup" in parts else None}
    except (OSError, LookupError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
