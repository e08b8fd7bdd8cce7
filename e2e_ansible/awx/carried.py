"""What jobs of AWX carry in their results beside the events: histories of clients, piece by piece, and the ledger."""

from __future__ import annotations

import binascii
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from e2e_ansible.errors import HarnessError
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.oracle.histories import Histories, history_path, key
from e2e_ansible.oracle.history import acknowledged
from e2e_ansible.oracle.ranges import Ranges
from e2e_ansible.run.folder import TestFolder, make_private, write_private

__all__ = ["CLIENTS", "FAULTS", "PIECE_BYTES", "Carried", "Piece", "Told", "pack", "pieces", "rows", "unpack"]

#: The keys of a result.
CLIENTS, FAULTS = "e2e_clients", "e2e_faults"
PIECE_BYTES = 1_500_000
"""Of histories in one result. AWX drops a result of more than 700,000 characters; they pack to less than a third."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}(@\d{1,4})?")
_Name = Annotated[str, StringConstraints(pattern=rf"^{_NAME.pattern}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Piece(_Model):
    """Bytes of one history, from `offset` on, packed. `name` is that of the journal, such as `integrity@2`."""

    name: _Name
    offset: int = Field(ge=0)
    data: str


class Told(_Model):
    """What one job found of the clients.

    `sizes` are the bytes of each history at this moment. With `still`, `integrity` wrote no more: the rows up to
    `last` count, or all that are known when its node was away. `said` is for people; a `trouble` spoils the step,
    by machines if it is `outside`. `left` is how many results more are needed for what is here.
    """

    pieces: tuple[Piece, ...] = ()
    sizes: Mapping[_Name, int] = Field(default_factory=dict)
    still: bool = False
    last: int | None = None
    cluster: int = 1
    said: tuple[str, ...] = ()
    trouble: str = ""
    outside: bool = False
    left: int = 0


def pack(data: bytes) -> str:
    """Bytes as text that a result can hold."""
    return b64encode(zlib.compress(data)).decode()


def unpack(text: str) -> bytes:
    """The bytes of a text that `pack` has made.

    Raises:
        HarnessError: it is none.
    """
    try:
        return zlib.decompress(b64decode(text, validate=True))
    except (binascii.Error, ValueError, zlib.error) as error:
        raise HarnessError(f"what a job carried cannot be read: {error}") from error


def rows(histories: Histories, told: Told) -> Ranges | None:
    """The rows that were acknowledged before a look; None when nothing was held still for it.

    Raises:
        HarnessError: a history cannot be read.
    """
    if not told.still:
        return None
    name = key(INTEGRITY, told.cluster)
    return acknowledged(histories.read(name, told.sizes.get(name, 0)), upto=told.last)


class Carried:
    """Puts together in the folder of a test what jobs have carried. A piece may come twice."""

    def __init__(self, folder: TestFolder) -> None:
        self._folder = folder
        self.histories = Histories(folder.path)

    def take(self, result: Mapping[str, Any]) -> Told | None:
        """Keep what a result of a task carries; what it tells of the clients, if it tells of them.

        Raises:
            HarnessError: it is not what a job of this version carries, or a piece before it has not come.
            OSError: it cannot be written.
        """
        ledger = result.get(FAULTS)
        if isinstance(ledger, str) and ledger:
            self._ledger(unpack(ledger))
        found = result.get(CLIENTS)
        if not isinstance(found, Mapping):
            return None
        try:
            told = Told.model_validate(found)
        except ValidationError as error:
            raise HarnessError(f"what a job told of the clients cannot be read: {error}") from error
        for piece in told.pieces:
            self._place(piece)
        return told

    def _ledger(self, data: bytes) -> None:
        """Lines are only added to it, so of jobs that ran at once the one with more of them knew it last."""
        path = self._folder.faults
        if not path.exists() or path.stat().st_size < len(data):
            write_private(path, data.decode(errors="replace"))

    def _place(self, piece: Piece) -> None:
        path = history_path(self._folder.path, piece.name)
        make_private(path.parent)
        path.touch(mode=0o600)
        there = path.stat().st_size
        if piece.offset > there:
            text = f"{piece.offset - there} bytes of the history of {piece.name} were not carried by any job"
            raise HarnessError(text)
        with path.open("r+b") as file:
            file.seek(piece.offset)
            data = unpack(piece.data)
            if piece.offset + len(data) > there:
                file.write(data)


def pieces(folder: Path, offsets: Mapping[str, int], sizes: Mapping[str, int]) -> Iterator[Piece]:
    """What of the histories in a folder was not told yet, the first `PIECE_BYTES` of it."""
    room = PIECE_BYTES
    for name, size in sizes.items():
        offset = min(offsets.get(name, 0), size)
        length = min(size - offset, room)
        if length > 0:
            room -= length
            with history_path(folder, name).open("rb") as file:
                file.seek(offset)
                yield Piece(name=name, offset=offset, data=pack(file.read(length)))
