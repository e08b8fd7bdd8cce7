"""The tables of the ledger, and which version of them a file has."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

__all__ = ["see_tables"]

_VERSION = 2
_FOLDER = "folder TEXT NOT NULL DEFAULT ''"
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
  {_AMOUNTS},
  {_FOLDER}
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
  {_FOLDER},
  UNIQUE (deployment)
);
PRAGMA user_version = {_VERSION};
"""
#: Version 1 did not know the folder of a run.
_FROM_1 = f"""
ALTER TABLE entries ADD COLUMN {_FOLDER};
ALTER TABLE tickets ADD COLUMN {_FOLDER};
PRAGMA user_version = {_VERSION};
"""
_STEPS = {0: _TABLES, 1: _FROM_1}


def see_tables(connection: sqlite3.Connection) -> None:
    """Make the tables in a file that is new, and add to those of an older version what they lack.

    Raises:
        sqlite3.Error: the file is of another version, or it cannot be read or written.
    """
    if _version(connection) in _STEPS:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _statements(
            _STEPS.get(_version(connection), "")
        ):  # another process may have been first
            connection.execute(statement)
        connection.execute("COMMIT")
    if (found := _version(connection)) != _VERSION:
        raise sqlite3.DatabaseError(f"it is of version {found}, and this program reads version {_VERSION}")


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
