"""Deployments that are recorded on this machine: each has a folder, with its record as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.local.mounts import remove_tree
from e2e_ansible.providers.names import checked_id
from e2e_ansible.providers.system import locked, sync_folder, write_durably

__all__ = ["Record", "RecordFolder", "Store"]

_RECORD = "deployment.json"


class Record(BaseModel):
    """What is written down about a deployment before anything of it exists."""

    model_config = ConfigDict(frozen=True)

    id: str


R = TypeVar("R", bound=Record)


class RecordFolder(Generic[R]):
    """A record with its folder (0700), and the files that every deployment has or may have there."""

    def __init__(self, folder: Path, record: R) -> None:
        self.folder = folder
        self.record = record
        self.key = folder / "id_ed25519"
        self.known_hosts = folder / "known_hosts"
        self.client_password = folder / "client_password"

    @property
    def recorded(self) -> float:
        """When the record was written, in seconds since 1970."""
        return (self.folder / _RECORD).stat().st_mtime


D = TypeVar("D", bound=RecordFolder)  # type: ignore[type-arg]  # of any record


class Store(Generic[R, D]):
    """All deployments of one kind, in one folder below `home`. A subclass names the types, and fills new folders."""

    record_type: ClassVar[type[Record]]
    folder_type: ClassVar[type]

    def __init__(self, home: Path, *place: str) -> None:
        self.home = home
        self.folder = home.joinpath(*place)
        self._parents = [home.joinpath(*place[:depth]) for depth in range(1, len(place) + 1)]

    @property
    def lock_file(self) -> Path:
        """What is locked while a deployment is added or forgotten."""
        return self.folder / "lock"

    def open(self) -> None:
        """Make the folders."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in self._parents:
            folder.mkdir(mode=0o700, exist_ok=True)

    def ids(self) -> list[str]:
        """Ids of all recorded deployments, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if (entry / _RECORD).is_file())

    def find(self, deployment: str) -> D | None:
        """A recorded deployment, None when there is none of that id.

        Raises:
            ProviderError: its record cannot be read.
        """
        folder = self.folder / checked_id(deployment)
        try:
            text = (folder / _RECORD).read_text(encoding="utf-8")
            return self._made(folder, self.record_type.model_validate_json(text))  # type: ignore[arg-type]
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise ProviderError(f"the record of deployment {deployment} cannot be read: {error}") from error

    def load(self, deployment: str) -> D:
        """A recorded deployment.

        Raises:
            ProviderError: there is none of that id.
        """
        found = self.find(deployment)
        if found is None:
            raise ProviderError(f"deployment {deployment} is not known here", hint=f"looked in {self.folder}")
        return found

    def records(self) -> list[R]:
        """All records."""
        return [found.record for name in self.ids() if (found := self.find(name))]

    @contextmanager
    def lock(self, seconds: float = 60) -> Iterator[None]:
        """Keep other processes of this controller from adding, and from taking what is counted."""
        self.open()
        with locked(self.lock_file, seconds):
            yield

    def add(self, record: R) -> D:
        """Make a deployment's folder, with its record and all that belongs to it or not at all. Call it locked."""
        for stale in (*self.folder.glob(".new-*"), *self.folder.glob(".gone-*")):
            remove_tree(stale)
        fresh = self.folder / f".new-{record.id}"
        fresh.mkdir(mode=0o700)
        self._fill(self._made(fresh, record))
        write_durably(fresh / _RECORD, record.model_dump_json(indent=2) + "\n")
        fresh.rename(self.folder / record.id)
        sync_folder(self.folder)
        return self.load(record.id)

    def forget(self, deployment: D) -> None:
        """Remove a deployment's folder; under its name it is there completely or not at all."""
        gone = self.folder / f".gone-{deployment.record.id}"
        with self.lock():
            if gone.exists():
                remove_tree(gone)
            deployment.folder.rename(gone)
            remove_tree(gone)

    def _fill(self, fresh: D) -> None:
        """Make what a new deployment has beside its record; nothing, unless a subclass says so."""

    def _made(self, folder: Path, record: R) -> D:
        made: D = self.folder_type(folder, record)
        return made
