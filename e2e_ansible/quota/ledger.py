"""The ledger of all runs of this machine: who has what, who waits, in a file of SQLite.

Entries are only ever added, but for those of deployments that nobody remembers. A reservation and its release are a
pair of entries, and the database itself refuses a second one of either: so what was taken is given back exactly once,
whoever does it and however often it is tried. Every change is one transaction that excludes all others, and one that
was cut off by a kill has not happened.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from e2e_ansible.errors import InfrastructureError
from e2e_ansible.providers.home import default_home
from e2e_ansible.quota.changes import Changes
from e2e_ansible.quota.holder import lives, me
from e2e_ansible.quota.reservation import Entry, Held, Waiting
from e2e_ansible.quota.schema import see_tables

__all__ = ["Ledger"]

_FILE = "quota.sqlite"
_PATIENCE_SECONDS = 30


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
                if connection.in_transaction:  # a full disk has taken it back already
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
            return Changes(connection, self.now()).entries()

    def take(self, deployments: Sequence[str]) -> list[str]:
        """What these have reserved is this process's from now on, and no more kept: its run goes on.

        Returns those that have something.
        """
        if not self.file.exists():
            return []
        with self.changing() as changes:
            found = [held for held in changes.held() if held.claim.deployment in deployments]
            for held in found:
                changes.take(held)
        return [held.claim.deployment for held in found]

    def keep(self, deployment: str) -> Held | None:
        """Nobody gives it back by itself any more: its nodes stay, or nobody knows. None if nothing was reserved."""
        with self.changing() as changes:
            return changes.keep(deployment)

    def release(self, deployment: str, reason: str) -> Held | None:
        """Give back what a deployment has; None, and nothing is done, when it has nothing."""
        if not self.file.exists():
            return None
        with self.changing() as changes:
            return changes.release(deployment, reason)

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
                see_tables(connection)
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
