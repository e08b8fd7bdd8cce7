"""A private PostgreSQL server on the loopback, to be started, crashed with SIGKILL, frozen, and ended."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from e2e_ansible.deadline import Deadline
from e2e_ansible.oracle.ranges import to_ranges

PASSWORD = "s3cr3t'with\\odd$signs"
_MISSING = "no PostgreSQL server programs (initdb, postgres): install the package postgresql"


def programs() -> Path:
    """The folder that holds initdb and postgres, the newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found += [Path(path).resolve() for path in [shutil.which("initdb")] if path]
    for path in reversed(found):
        if (path.parent / "postgres").exists():
            return path.parent
    raise FileNotFoundError(_MISSING)


def _as_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root, so root runs it as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _own(folder: Path) -> None:
    user = _as_user()
    if user:
        os.chown(folder, user["user"], user["group"])


class Server:
    """One server with its own data folder and port."""

    def __init__(self) -> None:
        self.bin = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="e2e-pg-"))
        self.folder.chmod(0o700)
        _own(self.folder)
        secret = self.folder / "password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        _own(secret)
        initdb = [
            self.bin / "initdb",
            "-D",
            self.folder / "data",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run(
            [*initdb, "--no-locale", "-A", "scram-sha-256", f"--pwfile={secret}"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            **_as_user(),
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and again while a killed predecessor still holds its memory; at most 30 s."""
        if not Deadline(30).wait_for(self._try_start, 0.2):
            raise TimeoutError((self.folder / "log").read_text())

    def _try_start(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": ""}
            settings = [f"-c{name}={value}" for name, value in options.items()]
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [self.bin / "postgres", "-D", self.folder / "data", *settings],
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    start_new_session=True,
                    **_as_user(),
                )
        try:
            self.query("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def query(self, statement: str, password: str = PASSWORD) -> list[tuple[Any, ...]]:
        """Rows of one statement, over a connection of its own."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            dbname="postgres",
            password=password,
            connect_timeout=5,
            autocommit=True,
        ) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def rows(self) -> tuple[tuple[int, int], ...]:
        """What the integrity table holds, as inclusive ranges."""
        return to_ranges(row for (row,) in self.query("select id from e2e.integrity"))

    def _processes(self) -> list[int]:
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, listed.split())]

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the server and all of its children."""
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def crash(self) -> None:
        """SIGKILL for all of it."""
        assert self.process is not None
        self.signal_all(signal.SIGKILL)
        self.process.wait(10)

    def close(self) -> None:
        """End it and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.signal_all(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.crash()
        shutil.rmtree(self.folder)
