"""The ledger of all runs of this machine: who has what, who waits, in a file of SQLite.

Entries are only ever added, but for those of deployments that nobody remembers. A reservation and its release are a
pair of entries, and the database itself refuses a second one of either: so what was taken is given back exactly once,
whoever does it and however often it is tried. Every change is one transaction that excludes all others, and one that
was cut off by a kill has not happened.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e_ansible.errors import InfrastructureError
from e2e_ansible.providers.home import default_home
from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.holder import lives, me

__all__ = ["Changes", "Claim", "Entry", "Held", "Ledger", "Waiting"]

_FILE = "quota.sqlite"
_VERSION = 1
_PATIENCE_SECONDS = 30
_REMEMBERED_SECONDS = 30 * 86_400
_AMOUNTS = (
    "nodes INTEGER NOT NULL, millicpus INTEGER NOT NULL, memory_mb INTEGER NOT NULL, disk_mb INTEGER NOT NULL"
)
_CLAIM = "deployment TEXT NOT NULL, provider TEXT NOT NULL, run TEXT NOT NULL, test TEXT NOT NULL"
_TABLES = f"""
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('reserve', 'take', 'keep', 'release')),
  round INTEGER NOT NULL,
  at REAL NOT NULL,
  holder TEXT NOT NULL,
  reason TEXT NOT NULL,
  {_CLAIM},
  {_AMOUNTS}
);
CREATE UNIQUE INDEX once ON entries (deployment, round, kind) WHERE kind IN ('reserve', 'release');
CREATE INDEX by_round ON entries (deployment, round, id);
CREATE TRIGGER added_only BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TABLE tickets (
  ticket INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  holder TEXT NOT NULL,
  budget TEXT NOT NULL,
  nested INTEGER NOT NULL,
  {_CLAIM},
  {_AMOUNTS},
  UNIQUE (deployment)
);
PRAGMA user_version = {_VERSION};
"""
_OPEN = """
SELECT r.*, last.holder AS now_held_by, last.kind AS last_kind FROM entries r
JOIN entries last ON last.id = (
  SELECT MAX(id) FROM entries l WHERE l.deployment = r.deployment AND l.round = r.round)
WHERE r.kind = 'reserve' AND NOT EXISTS (
  SELECT 1 FROM entries x WHERE x.deployment = r.deployment AND x.round = r.round AND x.kind = 'release')
ORDER BY r.id
"""
_FORGET = """
DELETE FROM entries WHERE deployment IN (
  SELECT deployment FROM entries GROUP BY deployment
  HAVING MAX(at) < ? AND SUM(kind = 'reserve') = SUM(kind = 'release'))
"""


@dataclass(frozen=True)
class Claim:
    """What a test wants: the names of its deployment, its provider, its run and itself, and how much."""

    deployment: str
    provider: str
    run: str
    test: str
    amounts: Amounts


@dataclass(frozen=True)
class Held:
    """A reservation. `at` is in epoch seconds; `kept`: its holder gives it back no more, its nodes stay."""

    claim: Claim
    round: int
    at: float
    holder: str
    kept: bool

    @property
    def alive(self) -> bool:
        """Whether there is a process that will give it back."""
        return not self.kept and lives(self.holder)


@dataclass(frozen=True)
class Waiting:
    """A ticket. With `nested` its holder gives nothing back before it gets this as well."""

    ticket: int
    claim: Claim
    at: float
    holder: str
    budget: Budget
    nested: bool


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    id: int
    kind: str
    round: int
    at: float
    holder: str
    reason: str
    claim: Claim


class Ledger:
    """The ledger below `home`, which is made private when there is none. Safe for threads and processes.

    Every method raises InfrastructureError when the file cannot be read or written.
    """

    def __init__(self, home: Path | None = None, now: Callable[[], float] = time.time) -> None:
        self.file = (home or default_home()) / _FILE
        self.now = now

    def check(self) -> None:
        """See that it can be read and written, before anything depends on it; one that is not there is not made."""
        if self.file.exists():
            with self.changing():
                return
        above = next(place for place in self.file.parents if place.exists())
        if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
            raise self._unusable(f"{above} is not a folder that can be written to")

    @contextmanager
    def changing(self) -> Iterator[Changes]:
        """One transaction, alone; an error within takes all of it back."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Changes(connection, self.now())
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def state(self) -> tuple[list[Held], list[Waiting]]:
        """Who has what, oldest first, and who waits, in order."""
        if not self.file.exists():
            return [], []
        with self._connected() as connection:
            connection.execute("BEGIN")
            changes = Changes(connection, self.now())
            return changes.held(), [each for each in changes.waiting() if lives(each.holder)]

    def entries(self) -> list[Entry]:
        """All of it, in order."""
        with self._connected() as connection:
            rows = connection.execute("SELECT * FROM entries ORDER BY id").fetchall()
        return [
            Entry(row["id"], row["kind"], row["round"], row["at"], row["holder"], row["reason"], _claim(row))
            for row in rows
        ]

    def take(self, deployments: Sequence[str]) -> None:
        """What these have reserved is this process's from now on, and no more kept: its run goes on."""
        if self.file.exists():
            with self.changing() as changes:
                for held in changes.held():
                    if held.claim.deployment in deployments and (held.holder != me() or held.kept):
                        changes.add("take", held, me(), "its run goes on")

    def keep(self, deployment: str) -> Held | None:
        """Nobody gives it back by itself any more: its nodes stay, or nobody knows. None if nothing was reserved."""
        with self.changing() as changes:
            held = changes.of(deployment)
            if held is not None and not held.kept:
                changes.add("keep", held, held.holder, "its nodes stay")
        return held

    def release(self, deployment: str, reason: str) -> Held | None:
        """Give back what a deployment has; None, and nothing is done, when it has nothing."""
        if not self.file.exists():
            return None
        with self.changing() as changes:
            held = changes.of(deployment)
            if held is not None:
                changes.add("release", held, me(), reason)
        return held

    def release_unchanged(self, seen: Held, reason: str) -> bool:
        """Give back what was seen before, unless somebody has it now who had not; whether it was given back."""
        with self.changing() as changes:
            held = changes.of(seen.claim.deployment)
            if held != seen:
                return False
            changes.add("release", held, me(), reason)
        return True

    def withdraw(self, deployment: str) -> None:
        """Wait no more."""
        if self.file.exists():
            with self.changing() as changes:
                changes.withdraw(deployment)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            self._make()
            with closing(
                sqlite3.connect(self.file, timeout=_PATIENCE_SECONDS, isolation_level=None)
            ) as connection:
                connection.row_factory = sqlite3.Row
                self._see_version(connection)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(str(error)) from error

    def _unusable(self, why: str) -> InfrastructureError:
        return InfrastructureError(
            f"the ledger of quotas {self.file} cannot be used: {why}",
            hint="see that there is room and that it is yours; when it is broken and no run is alive, remove it",
        )

    def _make(self) -> None:
        """An empty file that is private; SQLite gives its helpers the same mode."""
        if not self.file.exists():
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))

    def _see_version(self, connection: sqlite3.Connection) -> None:
        if _version(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection) == 0:
                for statement in _statements(_TABLES):
                    connection.execute(statement)
            connection.execute("COMMIT")
        if (found := _version(connection)) != _VERSION:
            raise sqlite3.DatabaseError(
                f"it is of version {found}, and this program reads version {_VERSION}"
            )


class Changes:
    """The ledger within one transaction, at a moment in epoch seconds."""

    def __init__(self, connection: sqlite3.Connection, at: float) -> None:
        self._connection = connection
        self._at = at

    def held(self) -> list[Held]:
        """All reservations, oldest first."""
        return [
            Held(_claim(row), row["round"], row["at"], row["now_held_by"], row["last_kind"] == "keep")
            for row in self._connection.execute(_OPEN)
        ]

    def of(self, deployment: str) -> Held | None:
        """The reservation of a deployment."""
        return next((held for held in self.held() if held.claim.deployment == deployment), None)

    def waiting(self) -> list[Waiting]:
        """All tickets in order, those of the dead as well."""
        rows = self._connection.execute("SELECT * FROM tickets ORDER BY ticket").fetchall()
        return [
            Waiting(
                row["ticket"],
                _claim(row),
                row["at"],
                row["holder"],
                Budget(**json.loads(row["budget"])),
                bool(row["nested"]),
            )
            for row in rows
        ]

    def enqueue(self, claim: Claim, budget: Budget, *, nested: bool) -> None:
        """A ticket, unless there is one that this process has."""
        row = self._connection.execute("SELECT holder FROM tickets WHERE deployment = ?", (claim.deployment,))
        found = row.fetchone()
        if found is not None and found["holder"] == me():
            return
        self.withdraw(claim.deployment)
        self._connection.execute(
            "INSERT INTO tickets (at, holder, budget, nested, deployment, provider, run, test,"
            " nodes, millicpus, memory_mb, disk_mb) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (self._at, me(), json.dumps(asdict(budget)), nested, *_values(claim)),
        )

    def withdraw(self, deployment: str) -> None:
        """No ticket of this deployment any more."""
        self._connection.execute("DELETE FROM tickets WHERE deployment = ?", (deployment,))

    def reserve(self, claim: Claim) -> None:
        """Enter a reservation; a second one of the same deployment is an error of the database."""
        self._connection.execute(_FORGET, (self._at - _REMEMBERED_SECONDS,))
        row = self._connection.execute(
            "SELECT COALESCE(MAX(round), 0) AS last FROM entries WHERE deployment = ? AND kind = 'release'",
            (claim.deployment,),
        ).fetchone()
        self._add("reserve", int(row["last"]) + 1, me(), "", claim)

    def add(self, kind: str, held: Held, holder: str, reason: str) -> None:
        """Enter what becomes of a reservation."""
        self._add(kind, held.round, holder, reason, held.claim)

    def _add(self, kind: str, number: int, holder: str, reason: str, claim: Claim) -> None:
        self._connection.execute(
            "INSERT INTO entries (kind, round, at, holder, reason, deployment, provider, run, test,"
            " nodes, millicpus, memory_mb, disk_mb) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (kind, number, self._at, holder, reason, *_values(claim)),
        )


def _claim(row: sqlite3.Row) -> Claim:
    amounts = Amounts(row["nodes"], row["millicpus"], row["memory_mb"], row["disk_mb"])
    return Claim(row["deployment"], row["provider"], row["run"], row["test"], amounts)


def _values(claim: Claim) -> tuple[str | int, ...]:
    amounts = claim.amounts
    return (
        claim.deployment,
        claim.provider,
        claim.run,
        claim.test,
        amounts.nodes,
        amounts.millicpus,
        amounts.memory_mb,
        amounts.disk_mb,
    )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(text: str) -> Iterator[str]:
    """Each whole statement: one of a trigger has a semicolon inside."""
    statement = ""
    for line in text.splitlines():
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
