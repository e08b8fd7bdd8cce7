"""What the integrity writer is told, in a file that only its owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from e2e_ansible.errors import UsageError

__all__ = ["WriterConfig", "load", "read_private", "save"]


class WriterConfig(BaseModel):
    """Where to write and where to note it. `hosts` are addresses or names, tried in order; times are seconds.

    `rate` is attempts per second. `password_file` holds the password on its first line; None: no password.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hosts: tuple[str, ...] = Field(min_length=1)
    port: int = Field(5432, ge=1, le=65_535)
    user: str = "postgres"
    database: str = "postgres"
    password_file: Path | None = None
    history: Path
    rate: float = Field(20, gt=0, le=1000)
    statement_timeout_seconds: float = Field(3, ge=0.1, le=600)
    connect_timeout_seconds: int = Field(2, ge=2, le=600, description="Per host; libpq takes no less than 2")

    @property
    def attempt_seconds(self) -> float:
        """The longest that one attempt takes: every host is tried, the table is made, the row is written."""
        return len(self.hosts) * self.connect_timeout_seconds + 2 * self.statement_timeout_seconds


def read_private(path: Path) -> str:
    """The text of a file that nobody but its owner may read.

    Raises:
        UsageError: it cannot be read, or others can read it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise UsageError(f"{path} has mode {mode:04o}", hint=f"chmod 0600 {path}")
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def load(path: Path) -> WriterConfig:
    """Read a configuration.

    Raises:
        UsageError: the file is not private, or what it says is wrong.
    """
    try:
        return WriterConfig.model_validate_json(read_private(path))
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UsageError(f"{path} is no configuration of the integrity writer: {where}") from error


def save(config: WriterConfig, path: Path) -> None:
    """Write a configuration with mode 0600; what was there is replaced."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(config.model_dump_json(indent=1) + "\n")
    beside.replace(path)
