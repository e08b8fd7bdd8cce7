"""What the probe sees of PostgreSQL, over the local socket as its own superuser."""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import time

from e2e_ansible.nodes.probe_machine import read

TYPE_CHECKING = False  # typing would cost a tenth of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["WRITE_SECONDS", "account", "marked", "postgres", "psql", "server_folder", "server_socket", "told"]

WRITE_SECONDS = 5.0
CONNECT_SECONDS = 3

_SOCKET_FOLDERS = ("/var/run/postgresql", "/run/postgresql", "/tmp")  # where libpq looks by default
_SERVER_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/usr/local/bin")

_STATE_SQL = """
select 'state ' || json_build_object(
  'version', current_setting('server_version'),
  'in_recovery', pg_is_in_recovery(),
  'timeline', case when pg_is_in_recovery() then greatest(
      (select received_tli from pg_stat_wal_receiver),
      (select min_recovery_end_timeline from pg_control_recovery()),
      (select timeline_id from pg_control_checkpoint()))
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end,
  'lsn', case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
  'receiver', coalesce((select status from pg_stat_wal_receiver), ''),
  'replicas', (select coalesce(json_agg(json_build_object(
      'name', application_name, 'state', coalesce(state, ''), 'sync_state', coalesce(sync_state, ''),
      'lag_bytes', pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
                                        else pg_current_wal_lsn() end, replay_lsn)::bigint)
      order by application_name), '[]'::json) from pg_stat_replication)
)::text;
"""

_WRITE_SQL = r"""
select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as takes_writes \gset
\if :takes_writes
select 'written ' || pg_logical_emit_message(true, 'e2e', 'probe')::text;
\endif
"""

_INTEGRITY_SQL = """
select 'integrity ' || coalesce(json_agg(json_build_array(first, last) order by first), '[]'::json)::text
from (
  select min(id) as first, max(id) as last
  from (select id, id - row_number() over (order by id) as island from e2e.integrity) as numbered
  group by island) as ranges;
"""


def server_folder() -> str:
    """The folder with the newest server and its psql; '' when PostgreSQL is not installed."""
    for pattern in _SERVER_FOLDERS:
        for folder in sorted(glob.glob(pattern), key=_version_key, reverse=True):  # noqa: PTH207
            if os.path.exists(folder + "/postgres") and os.path.exists(folder + "/psql"):  # noqa: PTH110
                return folder
    return ""


def _version_key(path: str) -> tuple[int, ...]:
    return tuple(int(part) for part in "".join(c if c.isdigit() else " " for c in path).split())


def _unit_enabled() -> bool:
    """Whether PostgreSQL is meant to start with the machine (its own unit, or Patroni's)."""
    wants = "/etc/systemd/system/*.wants/"
    if glob.glob(wants + "patroni*.service"):  # noqa: PTH207
        return True
    if not glob.glob(wants + "postgresql*.service"):  # noqa: PTH207
        return False
    starts = glob.glob("/etc/postgresql/*/*/start.conf")  # noqa: PTH207
    if os.path.isdir("/etc/postgresql-common"):  # noqa: PTH112  # Debian: the unit is enabled even without a cluster
        return any("auto" in _uncommented(read(path)) for path in starts)
    return True


def _uncommented(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#")]


def server_socket() -> tuple[str, str] | None:
    """Folder and port of the server's socket; the standard port first, then the lowest."""
    for folder in _SOCKET_FOLDERS:
        found = glob.glob(folder + "/.s.PGSQL.*[0-9]")  # noqa: PTH207
        ports = sorted(
            (int(path.rpartition(".")[2]) for path in found), key=lambda port: (port != 5432, port)
        )
        if ports:
            return folder, str(ports[0])
    return None


def account() -> dict[str, Any]:
    """Arguments that make a child run as `postgres`; empty when this process already does.

    Raises:
        LookupError: there is no such account, or no right to become it.
    """
    import pwd

    entry = pwd.getpwnam("postgres")
    if os.geteuid() == entry.pw_uid:
        return {}
    if os.geteuid() != 0:
        raise LookupError("the probe needs root or the account postgres to look at PostgreSQL")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [entry.pw_gid]}


def psql(
    sql: str,
    folder: str,
    place: tuple[str, str],
    seconds: float,
    *,
    database: str = "postgres",
    settings: str = "",
    stop: bool = True,
) -> tuple[str, str, bool]:
    """Output, errors and whether it ended in time; `stop`: the first error is the end of it.

    A commit that waits for a synchronous standby is not ended by statement_timeout, so the client is
    interrupted: psql then cancels the wait, and no blocked session is left behind.
    """
    socket_folder, port = place
    options = f"-c lc_messages=C -c statement_timeout={int(max(0.2, seconds) * 1000)} {settings}"
    environment = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
        "PGOPTIONS": options,
        "PGAPPNAME": "e2e-probe",
    }
    command = [folder + "/psql", "-XAtq", "-v", f"ON_ERROR_STOP={int(stop)}"]
    command += ["-h", socket_folder, "-p", port, "-d", database]
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment, cwd="/", **account()
    )
    try:
        output, errors = child.communicate(sql, timeout=max(0.2, seconds))
    except subprocess.TimeoutExpired:
        return (*_interrupt(child), False)
    return output, errors, True


def _interrupt(child: subprocess.Popen[str]) -> tuple[str, str]:
    child.send_signal(signal.SIGINT)
    try:
        return child.communicate(timeout=0.5)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.communicate()


def marked(output: str, mark: str) -> str | None:
    return next((line[len(mark) :] for line in output.splitlines() if line.startswith(mark)), None)


def told(errors: str, in_time: bool, seconds: float) -> str:
    said = " ".join(errors.split())
    return said if in_time else f"no answer within {seconds:.1f} s" + (f": {said}" if said else "")


def _state(folder: str, place: tuple[str, str], seconds: float, *, writes: bool = True) -> dict[str, Any]:
    bound = min(WRITE_SECONDS, seconds)
    sql = _STATE_SQL + _WRITE_SQL if writes else _STATE_SQL
    output, errors, in_time = psql(sql, folder, place, bound)
    state = marked(output, "state ")
    if state is None:
        return {"accepting": False, "error": told(errors, in_time, bound) or "psql printed nothing"}
    facts: dict[str, Any] = json.loads(state)
    facts["lsn"] = facts["lsn"] or ""
    if not writes:
        return {"accepting": True, "writable": None, **facts}
    # A cancelled wait for a standby ends as a warning and prints the row: only silence on stderr is a commit.
    facts["writable"] = in_time and not errors.strip() and marked(output, "written ") is not None
    return {"accepting": True, "error": "" if facts["writable"] else told(errors, in_time, bound), **facts}


def _integrity(folder: str, place: tuple[str, str], seconds: float) -> dict[str, Any]:
    output, errors, in_time = psql(_INTEGRITY_SQL, folder, place, seconds)
    ranges = marked(output, "integrity ")
    if ranges is None:
        return {
            "integrity": None,
            "integrity_error": told(errors, in_time, seconds) or "psql printed nothing",
        }
    return {"integrity": json.loads(ranges), "integrity_error": ""}


def postgres(ends: float, integrity: bool, *, writes: bool = True) -> dict[str, Any]:
    """The fields of `observation.Postgres`, and `enabled`; `ends` is a monotonic time. Never raises.

    Without `writes` nothing is committed, and whether it could be is not known.
    """
    folder = server_folder()
    if not folder:
        return {"installed": False, "enabled": False}
    facts: dict[str, Any] = {"installed": True, "enabled": _unit_enabled(), "accepting": False}
    place = server_socket()
    if place is None:
        return {**facts, "error": "no socket: the server is not running"}
    try:
        facts.update(_state(folder, place, ends - time.monotonic(), writes=writes))
        if integrity and facts["accepting"]:
            facts.update(_integrity(folder, place, ends - time.monotonic()))
    except (OSError, LookupError, ValueError, subprocess.SubprocessError) as error:
        facts["error"] = str(error)
    return facts
