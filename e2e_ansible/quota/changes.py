"""The ledger within one transaction: who has what and who waits, and what becomes of it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict

from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.holder import me
from e2e_ansible.quota.reservation import Claim, Entry, Held, Waiting

__all__ = ["Changes"]

_REMEMBERED_SECONDS = 30 * 86_400
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

    def entries(self) -> list[Entry]:
        """All that was entered, in order."""
        rows = self._connection.execute("SELECT * FROM entries ORDER BY id")
        return [
            Entry(row["id"], row["kind"], row["round"], row["at"], row["holder"], row["reason"], _claim(row))
            for row in rows
        ]

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
            " nodes, millicpus, memory_mb, disk_mb, folder) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
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

    def take(self, held: Held) -> None:
        """It is this process's from now on, and no more kept: its run goes on."""
        if held.holder != me() or held.kept:
            self.add("take", held, me(), "its run goes on")

    def keep(self, deployment: str) -> Held | None:
        """Nobody gives it back by itself any more; None if nothing was reserved."""
        held = self.of(deployment)
        if held is not None and not held.kept:
            self.add("keep", held, held.holder, "its nodes stay")
        return held

    def release(self, deployment: str, reason: str) -> Held | None:
        """Give back what a deployment has; None when it has nothing."""
        held = self.of(deployment)
        if held is not None:
            self.add("release", held, me(), reason)
        return held

    def add(self, kind: str, held: Held, holder: str, reason: str) -> None:
        """Enter what becomes of a reservation."""
        self._add(kind, held.round, holder, reason, held.claim)

    def _add(self, kind: str, number: int, holder: str, reason: str, claim: Claim) -> None:
        self._connection.execute(
            "INSERT INTO entries (kind, round, at, holder, reason, deployment, provider, run, test,"
            " nodes, millicpus, memory_mb, disk_mb, folder) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (kind, number, self._at, holder, reason, *_values(claim)),
        )


def _claim(row: sqlite3.Row) -> Claim:
    amounts = Amounts(row["nodes"], row["millicpus"], row["memory_mb"], row["disk_mb"])
    return Claim(row["deployment"], row["provider"], row["run"], row["test"], amounts, row["folder"])


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
        claim.folder,
    )
