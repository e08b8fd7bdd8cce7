"""Looks at the machine it runs on and prints one line of JSON; its arguments are SECTION... [deadline=S].

It uses the standard library alone, because the node has nothing else. Nothing here changes the node, except
that the section `postgres` commits one logical message to prove that writes are confirmed.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys
import time

TYPE_CHECKING = False  # typing would cost a tenth of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MARKER", "SECTIONS", "identity", "main", "postgres", "system"]

MARKER = "E2E-PROBE "
SECTIONS = ("identity", "system", "postgres", "integrity")
DEFAULT_DEADLINE_SECONDS = 6.5
WRITE_SECONDS = 5.0
CONNECT_SECONDS = 3

_SOCKET_FOLDERS = ("/var/run/postgresql", "/run/postgresql", "/tmp")  # where libpq looks by default
_SERVER_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/usr/local/bin")

_STATE_SQL = r"""
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


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123  # pathlib costs a quarter of the start
            return file.read()
    except OSError:
        return ""


def _run(command: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=max(0.1, seconds),
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


# ---- identity


def _boot_time() -> int:
    for line in _read("/proc/stat").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1])
    return 0


def _pid1_start() -> int:
    # The name of a process may hold blanks and brackets: fields count from behind its last bracket.
    fields = _read("/proc/1/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def _container() -> str:
    """The kind of container, '' on a machine. Several sources, because each is missing somewhere."""
    named = _read("/run/systemd/container").strip()
    if named:
        return named
    for entry in _read("/proc/1/environ").split("\0"):
        if entry.startswith("container="):
            return entry.partition("=")[2] or "container"
    detected = _run(["systemd-detect-virt", "--container"], 2).strip()
    if detected and detected != "none":
        return detected
    if os.path.exists("/run/.containerenv"):  # noqa: PTH110
        return "podman"
    return "docker" if os.path.exists("/.dockerenv") else ""  # noqa: PTH110


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return ""


def identity() -> dict[str, Any]:
    """The fields of `guard.Identity` for this machine. Never raises; what cannot be read is empty or 0."""
    return {
        "machine_id": (_read("/etc/machine-id") or _read("/var/lib/dbus/machine-id")).strip(),
        "boot_id": _read("/proc/sys/kernel/random/boot_id").strip(),
        "boot_time": _boot_time(),
        "kernel": os.uname().release,
        "pid1_start": _pid1_start(),
        "pid_namespace": _pid_namespace(),
        "container": _container(),
        "hostname": os.uname().nodename,
    }


# ---- system


def system(seconds: float) -> dict[str, Any]:
    """State of the service manager (`running`, `degraded`, `starting`, ...) and the names of failed units."""
    shown = _run(["systemctl", "show", "--property=SystemState,NFailedUnits"], seconds)
    values = dict(line.partition("=")[::2] for line in shown.splitlines() if "=" in line)
    failed: list[str] = []
    if values.get("NFailedUnits", "0") != "0":
        listed = _run(
            ["systemctl", "list-units", "--failed", "--no-legend", "--plain", "--no-pager"], seconds
        )
        failed = sorted(line.split()[0] for line in listed.splitlines() if line.strip())
    return {"system_state": values.get("SystemState", "unknown"), "failed_units": failed}


# ---- PostgreSQL


def _server_folder() -> str:
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
        return any("auto" in _uncommented(_read(path)) for path in starts)
    return True


def _uncommented(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#")]


def _socket() -> tuple[str, str] | None:
    """Folder and port of the server's socket; the standard port first, then the lowest."""
    for folder in _SOCKET_FOLDERS:
        found = glob.glob(folder + "/.s.PGSQL.*[0-9]")  # noqa: PTH207
        ports = sorted(
            (int(path.rpartition(".")[2]) for path in found), key=lambda port: (port != 5432, port)
        )
        if ports:
            return folder, str(ports[0])
    return None


def _account() -> dict[str, Any]:
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


def _psql(sql: str, folder: str, place: tuple[str, str], seconds: float) -> tuple[str, str, bool]:
    """Output, errors and whether it ended in time.

    A commit that waits for a synchronous standby is not ended by statement_timeout, so the client is
    interrupted: psql then cancels the wait, and no blocked session is left behind.
    """
    socket_folder, port = place
    options = f"-c lc_messages=C -c statement_timeout={int(max(0.2, seconds) * 1000)}"
    environment = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
        "PGOPTIONS": options,
        "PGAPPNAME": "e2e-probe",
    }
    command = [
        folder + "/psql",
        "-XAtq",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        socket_folder,
        "-p",
        port,
        "-d",
        "postgres",
    ]
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment, cwd="/", **_account()
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


def _marked(output: str, mark: str) -> str | None:
    return next((line[len(mark) :] for line in output.splitlines() if line.startswith(mark)), None)


def _said(errors: str, in_time: bool, seconds: float) -> str:
    said = " ".join(errors.split())
    return said if in_time else f"no answer within {seconds:.1f} s" + (f": {said}" if said else "")


def _state(folder: str, place: tuple[str, str], seconds: float) -> dict[str, Any]:
    bound = min(WRITE_SECONDS, seconds)
    output, errors, in_time = _psql(_STATE_SQL, folder, place, bound)
    state = _marked(output, "state ")
    if state is None:
        return {"accepting": False, "error": _said(errors, in_time, bound) or "psql printed nothing"}
    facts: dict[str, Any] = json.loads(state)
    facts["lsn"] = facts["lsn"] or ""
    # A cancelled wait for a standby ends as a warning and prints the row: only silence on stderr is a commit.
    facts["writable"] = in_time and not errors.strip() and _marked(output, "written ") is not None
    return {"accepting": True, "error": "" if facts["writable"] else _said(errors, in_time, bound), **facts}


def _integrity(folder: str, place: tuple[str, str], seconds: float) -> dict[str, Any]:
    output, errors, in_time = _psql(_INTEGRITY_SQL, folder, place, seconds)
    ranges = _marked(output, "integrity ")
    if ranges is None:
        return {
            "integrity": None,
            "integrity_error": _said(errors, in_time, seconds) or "psql printed nothing",
        }
    return {"integrity": json.loads(ranges), "integrity_error": ""}


def postgres(ends: float, integrity: bool) -> dict[str, Any]:
    """The fields of `observation.Postgres`, and `enabled`; `ends` is a monotonic time. Never raises."""
    folder = _server_folder()
    if not folder:
        return {"installed": False, "enabled": False}
    facts: dict[str, Any] = {"installed": True, "enabled": _unit_enabled(), "accepting": False}
    place = _socket()
    if place is None:
        return {**facts, "error": "no socket: the server is not running"}
    try:
        facts.update(_state(folder, place, ends - time.monotonic()))
        if integrity and facts["accepting"]:
            facts.update(_integrity(folder, place, ends - time.monotonic()))
    except (OSError, LookupError, ValueError, subprocess.SubprocessError) as error:
        facts["error"] = str(error)
    return facts


# ---- entry


def main(arguments: list[str]) -> None:
    """Print the asked sections as one marked line."""
    deadline = DEFAULT_DEADLINE_SECONDS
    for argument in arguments:
        if argument.startswith("deadline="):
            deadline = float(argument.partition("=")[2])
    ends = time.monotonic() + deadline
    facts: dict[str, Any] = {"identity": identity()}
    if "system" in arguments:
        facts.update(system(min(3.0, deadline)))
    if "postgres" in arguments or "integrity" in arguments:
        facts["postgres"] = postgres(ends, "integrity" in arguments)
    sys.stdout.write(MARKER + json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
