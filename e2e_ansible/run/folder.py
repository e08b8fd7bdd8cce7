"""The run folder: where everything about a run lies, private to its owner, readable after any death of the run."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import InfrastructureError, UsageError
from e2e_ansible.faults.ledger import LEDGER
from e2e_ansible.run.unreadable import unreadable
from e2e_ansible.soak.options import SoakOptions

__all__ = [
    "Manifest",
    "ManifestTest",
    "RunFolder",
    "TestFolder",
    "make_private",
    "manifest_tests",
    "write_private",
]

_NOT_IN_SLUGS = re.compile(r"[^a-z0-9]+")
_SLUG_ROOM = 40
_MANIFEST = "run.json"
_REMOVED = "removed.txt"

_LOCK = "run.lock"  # nothing is ever written to it
_STAMP_LENGTH = len("20260131-235959")


class ManifestTest(BaseModel):
    """One test of the run. The deployment has its id before anything of it exists.

    `suite` is the path of the suite file, and `suite_digest` the SHA-256 of what it was. `repetition` is which one of
    several equal runs of the same test it is, 0 of a single one.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    folder: str
    deployment: str
    provider: str
    suite: str
    suite_digest: str
    repetition: int = 0

    @property
    def test(self) -> str:
        """The name in the suite."""
        return self.name.removesuffix(f"#{self.repetition}") if self.repetition else self.name


class Manifest(BaseModel):
    """What the run was asked for, written before it begins; `ended` follows when it has ended.

    `suite` is the suite file as the user named it; `scratch` is the run's folder for sockets and temporary files;
    `folder` is where the run folder was made, so that reports are the same wherever it is read later. `soak` is how a
    run goes in cycles; then `tests` are those whose nodes may be there. `left_out` says by their folders why tests were
    not begun.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    suite: str
    started: float
    ended: float | None = None
    dry_run: bool = False
    scratch: str = ""
    folder: str = ""
    options: dict[str, object] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    tests: tuple[ManifestTest, ...] = ()
    soak: SoakOptions | None = None
    left_out: dict[str, str] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = handler(self)
        return {key: item for key, item in made.items() if item or key not in ("soak", "left_out")}


@dataclass(frozen=True)
class TestFolder:
    """The folder of one test."""

    __test__ = False

    path: Path

    @property
    def plan(self) -> Path:
        """The plan folder."""
        return self.path / "plan"

    @property
    def journal(self) -> Path:
        """Intent and outcome, entry by entry."""
        return self.path / "journal.jsonl"

    @property
    def events(self) -> Path:
        """Every event of every playbook."""
        return self.path / "events.jsonl"

    @property
    def history(self) -> Path:
        """What the integrity writer wrote down."""
        return self.path / "history.jsonl"

    @property
    def faults(self) -> Path:
        """The ledger of faults."""
        return self.path / LEDGER

    @property
    def log(self) -> Path:
        """The log of the deployment."""
        return self.path / "test.log"

    @property
    def result(self) -> Path:
        """The result of the test."""
        return self.path / "result.json"

    def step(self, step: str) -> Path:
        """The folder of one step."""
        return self.path / "steps" / step


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @classmethod
    def create(cls, runs: Path, *, now: float) -> RunFolder:
        """Make a new folder below `runs`, named by time so that names sort by age.

        Raises:
            InfrastructureError: it cannot be made: no space, no permission.
        """
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
        path = runs / f"{stamp}-{secrets.token_hex(3)}"
        try:
            runs.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
        except OSError as error:
            raise InfrastructureError(f"the run folder {path} cannot be made: {error.strerror}") from error
        return cls(path.resolve())

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing folder.

        Raises:
            UsageError: there is no run in it.
        """
        if not (path / _MANIFEST).is_file():
            raise UsageError(f"{path} is no run folder", hint="name a folder that holds run.json")
        return cls(path.resolve())

    @property
    def run_id(self) -> str:
        """The name of the folder."""
        return self.path.resolve().name

    def test(self, folder: str) -> TestFolder:
        """The folder of one test, by its path relative to the run folder."""
        return TestFolder(self.path / folder)

    def manifest(self) -> Manifest:
        """What the run was asked for.

        Raises:
            HarnessError: the file cannot be read.
        """
        file = self.path / _MANIFEST
        try:
            return Manifest.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise unreadable(file, error) from error

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest."""
        write_private(self.path / _MANIFEST, manifest.model_dump_json(indent=1) + "\n")

    def note_removal(self, words: Iterable[str]) -> None:
        """Note that whatever it had left was removed."""
        write_private(self.path / _REMOVED, "".join(f"{line}\n" for line in words))

    @property
    def removed(self) -> bool:
        """Whether all that it had left was removed, and none of its tests has gone on since; not known of cycles."""
        note, manifest = self.path / _REMOVED, self.manifest()
        if manifest.soak is not None or not note.exists():
            return False
        journals = (self.test(test.folder).journal for test in manifest.tests)
        last = max((each.stat().st_mtime_ns for each in journals if each.exists()), default=0)
        return note.stat().st_mtime_ns >= last

    @property
    def begun(self) -> tuple[str, int]:
        """Sorts runs by their beginning: by the second in the name, and within it by the file that is made first."""
        lock = self.path / _LOCK
        return self.path.name[:_STAMP_LENGTH], lock.stat().st_mtime_ns if lock.exists() else 0

    def lock(self) -> int:
        """Mark the run as running until this process ends.

        Raises:
            UsageError: another process runs it.
        """
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UsageError(f"{self.path} is still running", hint="interrupt it first") from error
        return descriptor


def manifest_tests(run_id: str, plans: Iterable[Plan]) -> tuple[ManifestTest, ...]:
    """Folder and deployment of each test; unique within the run and beyond it."""
    made: list[ManifestTest] = []
    suffix = run_id.rpartition("-")[2]
    for plan in plans:
        slug = _unique(_NOT_IN_SLUGS.sub("-", plan.name.lower()).strip("-")[:_SLUG_ROOM] or "test", made)
        made.append(
            ManifestTest(
                name=plan.name,
                folder=f"tests/{slug}",
                deployment=f"{slug}-{suffix}",
                provider=plan.provider,
                suite=str(Path(plan.suite_file).resolve()),
                suite_digest=plan.suite_digest,
                repetition=plan.repetition,
            )
        )
    return tuple(made)


def _unique(slug: str, made: Sequence[ManifestTest]) -> str:
    taken = {test.folder for test in made}
    number = 1
    unique = slug
    while f"tests/{unique}" in taken:
        number += 1
        unique = f"{slug}-{number}"
    return unique


def make_private(path: Path) -> None:
    """Make a folder unless it is there, and those above it that are missing, each with mode 0700.

    Raises:
        OSError: it could not be made.
    """
    if not path.parent.exists():
        make_private(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file as a whole, mode 0600, synced before it takes the old one's place.

    Raises:
        OSError: it could not be written; the old file is still there.
    """
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
