"""What one look found in the data files of a server: amcheck over its relations, and the checksum of every block."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

__all__ = ["ChecksumFailures", "Damage", "Physical", "physical"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Damage(_Record):
    """One thing that is wrong. `block` is counted from the begin of the relation, None when no one block is meant."""

    database: str
    relation: str
    block: int | None = None
    message: str

    def __str__(self) -> str:
        """Database, relation, block and what is wrong."""
        database = f"database {self.database}, " if self.database else ""
        block = f", block {self.block}" if self.block is not None else ""
        return f"{database}{self.relation}{block}: {self.message}"


class ChecksumFailures(_Record):
    """What the server itself has counted in one database since its statistics were reset; '' is shared relations."""

    database: str
    count: int
    last: str = ""


class Physical(_Record):
    """The data files of one server.

    amcheck was to look at `relations` and came through `checked` of them; `unread` says what it could not look at.
    `damage` is what it found. `checksums` is the setting, None when it was not told. `read`: every block was read and
    its checksum compared; else `read_error` says why not. `broken` are the wrong ones. `error`: nothing was looked at.
    """

    relations: int = 0
    checked: int = 0
    databases: tuple[str, ...] = ()
    damage: tuple[Damage, ...] = ()
    unread: tuple[str, ...] = ()
    checksums: bool | None = None
    failures: tuple[ChecksumFailures, ...] = ()
    read: bool = False
    read_error: str = ""
    broken: tuple[Damage, ...] = ()
    error: str = ""


def physical(facts: Any) -> Physical | None:
    """What the probe said; None when it was not asked."""
    if facts is None:
        return None
    try:
        return Physical.model_validate(facts)
    except ValidationError as error:
        return Physical(error=f"the probe's answer is not understood: {error}")
