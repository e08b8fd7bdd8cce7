"""Commits numbered rows while the cluster is disturbed, and notes what was acknowledged.

Run as `python -m e2e_ansible.oracle.writer --config FILE`. Orders come as lines on standard input (`pause`,
`resume`, `status`, `stop`), each answered by one line of JSON on standard output. It ends at `stop`, at the
end of standard input, on SIGTERM and SIGINT, and when its parent dies: always after the attempt under way.

Every attempt is noted before it begins and after it ended, each note by one unbuffered append: what a
caller could have seen acknowledged survives a kill. A row number is never used twice, not even by the next
writer.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import json
import mmap
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import pq

from e2e_ansible.errors import E2EError, HarnessError
from e2e_ansible.oracle.config import WriterConfig, load, read_private
from e2e_ansible.oracle.history import Event, Record, parse

__all__ = ["Connection", "HistoryFile", "Writer", "classify", "main", "scrub"]

_TABLE = b"""
do $$ begin
  if to_regclass('e2e.integrity') is null then
    create schema if not exists e2e;
    create table if not exists e2e.integrity
      (id bigint primary key, at timestamptz default clock_timestamp());
  end if;
end $$
"""
_INSERT = b"insert into e2e.integrity (id) values ($1) returning coalesce(host(inet_server_addr()), '')"
_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_MAYBE_COMMITTED = ("08", "40003", "57P", "58", "XX")
_PR_SET_PDEATHSIG = 1
_PARENT_DIED = signal.SIGUSR1


@dataclass(frozen=True)
class Result:
    """What became of one attempt."""

    event: Event
    node: str = ""
    error: str = ""


def scrub(text: str, secret: str) -> str:
    """One line of at most 300 characters without the secret."""
    for form in {secret, secret.replace("\\", "\\\\").replace("'", "\\'")} - {""}:
        text = text.replace(form, "***")
    return " ".join(text.split())[:300]


def classify(severity: str, sqlstate: str) -> Event:
    """FAIL for an error after which the transaction is surely rolled back, else UNKNOWN."""
    sure = severity == "ERROR" and sqlstate and not sqlstate.startswith(_MAYBE_COMMITTED)
    return Event.FAIL if sure else Event.UNKNOWN


class HistoryFile:
    """The history, open for appending and locked, with the numbers it has reached; a torn end is cut off.

    Raises:
        HarnessError: another writer has it open, or the last of its records cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HarnessError(f"another writer has {path} open") from error
        self.last = self.mark = 0
        if os.fstat(self._descriptor).st_size:
            with mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ) as data:
                whole = data.rfind(b"\n") + 1
                self.last = _latest(data, whole, Event.INVOKED).id or 0
                self.mark = _latest(data, whole, Event.PAUSE).mark or 0
            os.ftruncate(self._descriptor, whole)

    def note(self, event: Event, **facts: int | str | None) -> None:
        """Append one record, at once. A full disk raises OSError: what is not noted does not count."""
        record = Record.model_validate(
            {"event": event, "wall": time.time_ns(), "mono": time.monotonic_ns(), **facts}
        )
        line = record.line()
        while line:
            line = line[os.write(self._descriptor, line) :]


def _latest(data: mmap.mmap, end: int, event: Event) -> Record:
    """The last record of a kind before `end`, without reading the days of records before it."""
    at = data.rfind(f'{{"event":"{event}",'.encode(), 0, end)
    if at < 0:
        return Record(event=event, wall=0, mono=0)
    return next(parse(data[at : data.find(b"\n", at) + 1]))


class Connection:
    """At most one connection to whichever host takes writes, made anew after every trouble."""

    def __init__(self, config: WriterConfig, password: str) -> None:
        self._config = config
        self._password = password
        self._has_table = False
        self._live: psycopg.Connection[tuple[object, ...]] | None = None
        self._warnings: list[str] = []

    def close(self) -> None:
        """Forget the connection; a server that hangs is not waited for."""
        if self._live is not None:
            with suppress(psycopg.Error):
                self._live.close()
        self._live = None

    def insert(self, row: int) -> Result:
        """Try to commit one row; at most `attempt_seconds` pass."""
        try:
            pgconn = self._connected()
        except psycopg.Error as error:
            return self._failed(Event.FAIL, str(error))
        self._warnings.clear()
        try:
            result = self._execute(pgconn, _INSERT, [str(row).encode()])
        except (psycopg.Error, TimeoutError) as error:
            return self._failed(Event.UNKNOWN, f"no answer: {error}")
        if result.status not in _DONE:
            return self._refused(result)
        if self._warnings:
            return self._failed(Event.UNKNOWN, f"committed with a warning: {self._warnings[0]}")
        node = (result.get_value(0, 0) or b"").decode() or pgconn.host.decode()
        return Result(Event.OK, node=node)

    def _refused(self, result: pq.abc.PGresult) -> Result:
        severity = (result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) or b"").decode()
        sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        return self._failed(classify(severity, sqlstate), f"{sqlstate} {result.get_error_message()}")

    def _failed(self, event: Event, error: str) -> Result:
        self.close()
        return Result(event, error=scrub(error, self._password))

    def _connected(self) -> pq.abc.PGconn:
        """The live connection, its table made once per run.

        Raises:
            psycopg.Error: no host takes writes now, or the table cannot be made; no row was sent.
        """
        if self._live is None:
            self._live = self._connect()
        if not self._has_table:
            self._make_table(self._live.pgconn)
        return self._live.pgconn

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        config = self._config
        milliseconds = int(config.statement_timeout_seconds * 1000)
        live = psycopg.connect(
            host=",".join(config.hosts),
            port=config.port,
            user=config.user,
            dbname=config.database,
            password=self._password or None,
            target_session_attrs="read-write",
            connect_timeout=config.connect_timeout_seconds,
            tcp_user_timeout=milliseconds,
            options=f"-c statement_timeout={milliseconds}",
            application_name="e2e-integrity",
            autocommit=True,
        )
        live.add_notice_handler(self._notice)
        return live

    def _notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            self._warnings.append(diagnostic.message_primary or "")

    def _make_table(self, pgconn: pq.abc.PGconn) -> None:
        try:
            result = self._execute(pgconn, _TABLE, [])
        except TimeoutError as error:
            raise psycopg.OperationalError(f"no answer to making the table: {error}") from error
        if result.status not in _DONE:
            raise psycopg.OperationalError(f"the table cannot be made: {result.get_error_message()}")
        self._has_table = True

    def _execute(self, pgconn: pq.abc.PGconn, statement: bytes, values: Sequence[bytes]) -> pq.abc.PGresult:
        """Send one statement and wait for its last result, never longer than the statement timeout.

        The server's own timeout does not help when the server hangs or its machine is gone.
        """
        deadline = time.monotonic() + self._config.statement_timeout_seconds
        pgconn.nonblocking = 1
        pgconn.send_query_params(statement, list(values))
        while pgconn.flush():
            _wait(pgconn.socket, select.POLLIN | select.POLLOUT, deadline)
            pgconn.consume_input()
        answer: pq.abc.PGresult | None = None
        while True:
            while pgconn.is_busy():
                _wait(pgconn.socket, select.POLLIN, deadline)
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                break
            answer = result
        if answer is None:
            raise psycopg.OperationalError("the connection ended without a result")
        return answer


def _wait(descriptor: int, what: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, what)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise TimeoutError("the statement timeout is over")


@dataclass
class Writer:
    """The loop: orders in, attempts at the asked rate, answers out."""

    config: WriterConfig
    history: HistoryFile
    connection: Connection
    parent: int
    orders: int = 0
    answers: int = 1
    paused: bool = False
    stopping: bool = False
    counts: dict[Event, int] = field(default_factory=lambda: {Event.OK: 0, Event.FAIL: 0, Event.UNKNOWN: 0})
    _unread: bytes = b""

    def run(self) -> None:
        """Write until told to stop."""
        wake = self._listen()
        self.history.note(Event.START, pid=os.getpid())
        self._answer("ready")
        due = time.monotonic()
        while not self.stopping:
            wait = None if self.paused else max(0.0, due - time.monotonic())
            self._obey(wake, wait)
            if self.stopping or self.paused or time.monotonic() < due:
                continue
            due = max(due + 1 / self.config.rate, time.monotonic())
            self._attempt()
        self.connection.close()
        self.history.note(Event.STOP)
        self._answer("stop")

    def _attempt(self) -> None:
        row = self.history.last + 1
        self.history.last = row
        self.history.note(Event.INVOKED, id=row)
        result = self.connection.insert(row)
        self.history.note(result.event, id=row, node=result.node, error=result.error)
        self.counts[result.event] += 1

    def _listen(self) -> int:
        """Handle signals, die with the parent, and return what becomes readable when a signal came."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        signal.signal(signal.SIGINT, lambda *_: self._stop())
        signal.signal(_PARENT_DIED, lambda *_: self._orphan())
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(_PARENT_DIED), 0, 0, 0)
        self._orphan()
        return reader

    def _stop(self) -> None:
        self.stopping = True

    def _orphan(self) -> None:
        """Stop if the parent is gone. The kernel also signals when only the thread that began this ended."""
        if os.getppid() != self.parent:
            self.stopping = True

    def _obey(self, wake: int, seconds: float | None) -> None:
        """Wait up to `seconds` (None: without end) for orders or a signal, and do what they say."""
        ready, _, _ = select.select([self.orders, wake], [], [], seconds)
        if wake in ready:
            with suppress(BlockingIOError):
                os.read(wake, 4096)
        if self.orders not in ready:
            return
        data = os.read(self.orders, 4096)
        if not data:
            self.stopping = True
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._order(line.decode(errors="replace").strip())

    def _order(self, order: str) -> None:
        if order == "stop":
            self.stopping = True
            return
        if order == "pause" and not self.paused:
            self.paused = True
            self.history.mark += 1
            self.history.note(Event.PAUSE, mark=self.history.mark, last=self.history.last)
        elif order == "resume" and self.paused:
            self.paused = False
            self.history.note(Event.RESUME, mark=self.history.mark)
        known = order in ("pause", "resume", "status")
        self._answer(order if known else "error")

    def _answer(self, reply: str) -> None:
        facts = {"reply": reply, "mark": self.history.mark, "last": self.history.last, "paused": self.paused}
        line = json.dumps({**facts, **{str(event): count for event, count in self.counts.items()}})
        try:
            os.write(self.answers, line.encode() + b"\n")
        except OSError:
            self.stopping = True


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m e2e_ansible.oracle.writer", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file, mode 0600")
    parser.add_argument(
        "--parent", type=int, help="process id that must live (default: whoever started this)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the writer; the exit code is 0 after an orderly end, else that of the error."""
    parent = os.getppid()
    given = _arguments(arguments)
    secret = ""
    try:
        config = load(given.config)
        secret = _password(config)
        history = HistoryFile(config.history)
        Writer(config, history, Connection(config, secret), given.parent or parent).run()
    except Exception as error:
        text = scrub(f"{type(error).__name__}: {error}", secret)
        sys.stderr.write(json.dumps({"reply": "error", "error": text}) + "\n")
        return error.exit_code if isinstance(error, E2EError) else HarnessError.exit_code
    return 0


def _password(config: WriterConfig) -> str:
    if config.password_file is None:
        return ""
    return read_private(config.password_file).partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
