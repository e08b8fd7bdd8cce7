"""One connection to whichever host takes writes; every wait has a deadline, every outcome is named exactly.

What became of an operation is an exception or none: `Undone` (surely not committed), `Doubtful` (it may be).
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import conninfo, pq

from e2e_ansible.oracle.config import ClientConfig

__all__ = ["Doubtful", "Rows", "Session", "Undone", "is_sure", "scrub"]

_WHERE = b"""
select coalesce(host(inet_server_addr()), ''), case when not pg_is_in_recovery()
  then ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end
"""
_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_CONFLICTS = ("40001", "40P01")
_MAYBE_COMMITTED = ("08", "40003", "57P", "58", "XX")

Rows = list[list[str | None]]


class Undone(Exception):
    """The operation is surely not done: never sent, refused, or rolled back. `usable`: the connection still is."""

    def __init__(self, text: str, *, usable: bool = False) -> None:
        super().__init__(text)
        self.usable = usable


class Doubtful(Exception):
    """It was sent, and nobody heard for sure what became of it."""


def scrub(text: str, secret: str) -> str:
    """One line of at most 300 characters without the secret."""
    for form in {secret, secret.replace("\\", "\\\\").replace("'", "\\'")} - {""}:
        text = text.replace(form, "***")
    return " ".join(text.split())[:300]


def is_sure(severity: str, sqlstate: str) -> bool:
    """Whether the transaction is surely rolled back after this answer."""
    return severity == "ERROR" and bool(sqlstate) and not sqlstate.startswith(_MAYBE_COMMITTED)


@dataclass(frozen=True)
class _Refusal(Exception):
    """The server answered with an error."""

    text: str
    sure: bool
    conflict: bool

    def __str__(self) -> str:
        return self.text

    @property
    def meaning(self) -> Undone | Doubtful:
        """What it means for a transaction that would have been committed."""
        return Undone(self.text, usable=self.conflict) if self.sure else Doubtful(self.text)


class Session:
    """At most one connection, made anew after every trouble."""

    def __init__(self, config: ClientConfig, password: str) -> None:
        self._config = config
        self._password = password
        self._live: pq.abc.PGconn | None = None
        self._warnings: list[str] = []
        self._deadline = 0.0
        self.node = ""
        self.timeline: int | None = None
        #: Whether the rows of earlier cycles were counted over this connection.
        self.recounted = False

    def close(self) -> None:
        """Forget the connection; a server that hangs is not waited for."""
        if self._live is not None:
            with suppress(psycopg.Error):
                self._live.finish()
        self._live = None
        self.node, self.timeline = "", None
        self.recounted = False

    def begin(self) -> None:
        """Be connected, with the time of one operation ahead.

        Raises:
            Undone: no host takes writes now; nothing was sent.
        """
        if self._live is None:
            self._connect()
        self._deadline = time.monotonic() + self._config.statement_timeout_seconds

    def statement(self, text: str, *values: object) -> Rows:
        """One statement that commits by itself.

        Raises:
            Undone: the server refused it.
            Doubtful: no answer came, or one after which it may be committed.
        """
        try:
            result = self._execute(text, values)
        except _Refusal as error:
            raise error.meaning from error
        except (psycopg.Error, TimeoutError) as error:
            raise Doubtful(f"no answer: {error}") from error
        self._heed_warnings()
        return _rows(result)

    def inside(self, text: str, *values: object) -> Rows:
        """One statement of a transaction that was begun. As no COMMIT was sent, any trouble undoes it all.

        Raises:
            Undone: it did not work.
        """
        try:
            return _rows(self._execute(text, values))
        except _Refusal as error:
            raise Undone(error.text, usable=error.conflict) from error
        except (psycopg.Error, TimeoutError) as error:
            raise Undone(f"no answer before COMMIT was sent: {error}") from error

    def commit(self) -> None:
        """COMMIT.

        Raises:
            Undone: the server rolled back instead.
            Doubtful: no answer came, or one after which it may be committed.
        """
        self._warnings.clear()
        try:
            result = self._execute("commit", ())
        except _Refusal as error:
            raise error.meaning from error
        except (psycopg.Error, TimeoutError) as error:
            raise Doubtful(f"no answer to COMMIT: {error}") from error
        if (result.command_status or b"") != b"COMMIT":
            raise Undone(f"COMMIT was answered by {(result.command_status or b'').decode()}")
        self._heed_warnings()

    def recover(self) -> None:
        """Be ready for the next operation after one that is undone, or close."""
        if self._live is not None and self._live.transaction_status != pq.TransactionStatus.IDLE:
            try:
                self.inside("rollback")
            except Undone:
                self.close()

    def told(self, error: Exception) -> str:
        """What an error says, without the password."""
        return scrub(str(error), self._password)

    def _heed_warnings(self) -> None:
        """A wait for a standby that was cancelled ends as a warning: here committed, there perhaps never."""
        if self._warnings:
            raise Doubtful(f"committed with a warning: {self._warnings[0]}")

    # ---- connecting

    def _connect(self) -> None:
        """As libpq with several hosts does, but with a bound for each of them.

        Raises:
            Undone: none of them takes writes.
        """
        reasons = []
        for host in self._config.hosts:
            try:
                self._live = self._connected(host)
                self._locate(host)
            except (psycopg.Error, TimeoutError, _Refusal, OSError) as error:
                reasons.append(f"{host}: {error}")
                self.close()
            else:
                return
        raise Undone("; ".join(reasons))

    def _connected(self, host: str) -> pq.abc.PGconn:
        deadline = time.monotonic() + self._config.connect_timeout_seconds
        pgconn = pq.PGconn.connect_start(self._conninfo(host))
        try:
            _finish_connecting(pgconn, deadline)
        except BaseException:
            pgconn.finish()
            raise
        pgconn.nonblocking = 1
        pgconn.notice_handler = self._notice
        return pgconn

    def _conninfo(self, host: str) -> bytes:
        config = self._config
        milliseconds = int(config.statement_timeout_seconds * 1000)
        options = f"-c statement_timeout={milliseconds}"
        if config.synchronous_commit:
            options += f" -c synchronous_commit={config.synchronous_commit}"
        return conninfo.make_conninfo(
            host=host,
            port=config.port,
            user=config.user,
            dbname=config.database,
            password=self._password or None,
            target_session_attrs="read-write",
            tcp_user_timeout=milliseconds,
            options=options,
            application_name=f"e2e-{config.name}",
            client_encoding="UTF8",
        ).encode()

    def _locate(self, host: str) -> None:
        """Which server this is. Neither its address nor its timeline changes while a connection that writes lives."""
        self._deadline = time.monotonic() + self._config.connect_timeout_seconds
        ((node, timeline),) = _rows(self._execute(_WHERE.decode(), ()))
        self.node, self.timeline = node or host, int(timeline) if timeline else None

    # ---- one statement

    def _notice(self, result: pq.abc.PGresult) -> None:
        if _field(result, pq.DiagnosticField.SEVERITY_NONLOCALIZED) == "WARNING":
            self._warnings.append(_field(result, pq.DiagnosticField.MESSAGE_PRIMARY))

    def _execute(self, text: str, values: Sequence[object]) -> pq.abc.PGresult:
        """Send one statement and wait for its last result, never past the deadline of the operation.

        The server's own timeout does not help when the server hangs or its machine is gone.
        """
        pgconn = self._live
        if pgconn is None:
            raise psycopg.OperationalError("the connection is closed")
        self._warnings.clear()
        pgconn.send_query_params(
            text.encode(), [None if each is None else str(each).encode() for each in values]
        )
        while pgconn.flush():
            _wait(pgconn.socket, select.POLLIN | select.POLLOUT, self._deadline, "sending")
            pgconn.consume_input()
        result = _last_result(pgconn, self._deadline)
        if result.status in _DONE:
            return result
        state = _field(result, pq.DiagnosticField.SQLSTATE)
        severity = _field(result, pq.DiagnosticField.SEVERITY_NONLOCALIZED)
        said = result.error_message.decode("utf-8", "replace")
        raise _Refusal(f"{state} {said}".strip(), is_sure(severity, state), state in _CONFLICTS)


def _finish_connecting(pgconn: pq.abc.PGconn, deadline: float) -> None:
    # Some builds of psycopg answer with plain numbers, so these are compared as such.
    while (state := pgconn.connect_poll()) != pq.PollingStatus.OK:
        if state == pq.PollingStatus.FAILED or pgconn.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError(pgconn.error_message.decode("utf-8", "replace"))
        reading = state == pq.PollingStatus.READING
        _wait(pgconn.socket, select.POLLIN if reading else select.POLLOUT, deadline, "connecting")


def _last_result(pgconn: pq.abc.PGconn, deadline: float) -> pq.abc.PGresult:
    answer: pq.abc.PGresult | None = None
    while True:
        while pgconn.is_busy():
            _wait(pgconn.socket, select.POLLIN, deadline, "waiting for the answer")
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            break
        answer = result
    if answer is None:
        raise psycopg.OperationalError("the connection ended without a result")
    return answer


def _rows(result: pq.abc.PGresult) -> Rows:
    return [
        [_text(result.get_value(row, column)) for column in range(result.nfields)]
        for row in range(result.ntuples)
    ]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _field(result: pq.abc.PGresult, field: pq.DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode("utf-8", "replace")


def _wait(descriptor: int, what: int, deadline: float, act: str) -> None:
    poll = select.poll()
    poll.register(descriptor, what)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise TimeoutError(f"the time is over while {act}")
