"""The histories of all clients of a test, read as far as asked; what was read once is not read again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from e2e_ansible.errors import HarnessError
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.oracle.history import Record, parse, tell_time

__all__ = ["FOLDER", "Histories", "history_path", "key"]

FOLDER = "histories"


def key(client: str, cluster: int) -> str:
    """What a history is called in the journal; that of a cluster made later has its number: `integrity@2`."""
    return client if cluster == 1 else f"{client}@{cluster}"


def history_path(folder: Path, name: str) -> Path:
    """The file of a history in the folder of its test, by its name in the journal."""
    client, _, cluster = name.partition("@")
    if client == INTEGRITY:
        return folder / (f"history-{cluster}.jsonl" if cluster else "history.jsonl")
    return folder / FOLDER / f"{name}.jsonl"


class _Reader:
    """One file, read from where it was read to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: list[Record] = []
        self._ends: list[tuple[int, int]] = [(0, 0)]  # bytes read, and the records in them
        self._beginning: Record | None = None
        self._lock = threading.Lock()

    def upto(self, size: int) -> Sequence[Record]:
        """The records in the first `size` bytes.

        Raises:
            HarnessError: the file cannot be read.
        """
        with self._lock:
            while size > self._ends[-1][0]:
                if not self._read(size):
                    break
            if size >= self._ends[-1][0]:
                return list(self._records)
            return list(parse(self._bytes(0, size)))

    def _read(self, size: int) -> bool:
        begin = self._ends[-1][0]
        data = self._bytes(begin, size)
        whole = data.rfind(b"\n") + 1
        if not whole:
            return False
        more = list(parse(data[:whole]))
        self._beginning = tell_time(more, self._beginning)
        self._records += more
        self._ends.append((begin + whole, len(self._records)))
        return True

    def _bytes(self, begin: int, end: int) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(begin)
                return file.read(end - begin)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise HarnessError(f"{self._path} cannot be read: {error.strerror}") from error


class Histories:
    """The histories in the folder of a test; None: there are none."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._readers: dict[str, _Reader] = {}

    def at(self, sizes: Mapping[str, int]) -> Mapping[str, Sequence[Record]]:
        """What each client had noted when its history had so many bytes; read when it is asked for.

        Of the histories of one client the last is meant: those before it are of clusters that are gone.
        """
        return _Cut(self, sizes)

    def whole(self) -> Mapping[str, Sequence[Record]]:
        """All that every client has noted, by the names of the journal."""
        if self._folder is None:
            return {}
        files = [*self._folder.glob("history*.jsonl"), *self._folder.glob(f"{FOLDER}/*.jsonl")]
        names = {name: path.stat().st_size for path in files for name in [_name(path)]}
        return {name: self.read(name, size) for name, size in sorted(names.items())}

    def read(self, name: str, size: int) -> Sequence[Record]:
        """The records in the first bytes of one history.

        Raises:
            HarnessError: it cannot be read.
        """
        if self._folder is None:
            return ()
        reader = self._readers.setdefault(name, _Reader(history_path(self._folder, name)))
        return reader.upto(size)


class _Cut(Mapping[str, Sequence[Record]]):
    def __init__(self, histories: Histories, sizes: Mapping[str, int]) -> None:
        self._histories = histories
        self._sizes = {name.partition("@")[0]: (name, size) for name, size in sizes.items()}

    def __getitem__(self, client: str) -> Sequence[Record]:
        return self._histories.read(*self._sizes[client])

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)


def _name(path: Path) -> str:
    """The name in the journal of a file: the other way round than `history_path`."""
    if path.parent.name == FOLDER:
        return path.stem
    return path.stem.replace("history-", f"{INTEGRITY}@").replace("history", INTEGRITY)
