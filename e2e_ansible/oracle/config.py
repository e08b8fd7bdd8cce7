"""What a client is told, in a file that only its owner can read. Standard library only: nodes read it too."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any
from zlib import crc32

from e2e_ansible.errors import UsageError

__all__ = [
    "INTEGRITY",
    "ISOLATIONS",
    "SYNCHRONOUS_COMMITS",
    "WORKLOADS",
    "ClientConfig",
    "load",
    "read_private",
    "save",
]

INTEGRITY = "integrity"
WORKLOADS = ("append", "bank", "register", "list-append")
ISOLATIONS = ("read committed", "repeatable read", "serializable")
SYNCHRONOUS_COMMITS = ("on", "off", "local", "remote_write", "remote_apply")
_NUMBERS_OF_A_CYCLE = 1_000_000_000
_LONGEST = 48  # characters of a name in an identifier, which has 63
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_LIMITS: Mapping[str, tuple[float, float]] = {
    "port": (1, 65_535),
    "rate": (0.01, 5000),
    "concurrency": (1, 64),
    "reads": (0, 1),
    "accounts": (2, 1000),
    "keys": (1, 1000),
    "cycle": (0, 1_000_000),
    "earlier": (0, 1e15),
    "statement_timeout_seconds": (0.1, 600),
    "connect_timeout_seconds": (0.1, 600),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "workload": WORKLOADS,
    "isolation": ISOLATIONS,
    "synchronous_commit": ("", *SYNCHRONOUS_COMMITS),
}


@dataclass(frozen=True)
class ClientConfig:
    """Whom to ask, what, how often, and where to note it. Times are seconds.

    `hosts` are addresses or names, tried in order until one takes writes. `rate` is operations per second over all
    `concurrency` connections. `reads` is the share of reads among the operations. `password_file` holds the password
    on its first line; None: no password. `synchronous_commit` is '' for what the server has.
    `cycle` is that of a soak: each has numbers of its own, and `earlier` rows of those before it must be there.

    Raises:
        UsageError: a value is out of its bounds.
    """

    hosts: tuple[str, ...]
    history: Path
    port: int = 5432
    user: str = "postgres"
    database: str = "postgres"
    password_file: Path | None = None
    name: str = INTEGRITY
    workload: str = "append"
    rate: float = 20
    concurrency: int = 1
    reads: float = 0
    accounts: int = 8
    keys: int = 4
    isolation: str = "serializable"
    synchronous_commit: str = ""
    seed: int = 0
    statement_timeout_seconds: float = 3
    connect_timeout_seconds: float = 2
    cycle: int = 0
    earlier: int = 0

    def __post_init__(self) -> None:
        if not self.hosts or not all(isinstance(host, str) and host for host in self.hosts):
            raise UsageError(f"hosts: {self.hosts!r} names no host")
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"name: {self.name!r} has other characters than letters, digits, _ . and -")
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise UsageError(
                    f"{field}: {getattr(self, field)!r} is none of {', '.join(filter(None, choices))}"
                )
        for field, (low, high) in _LIMITS.items():
            value = getattr(self, field)
            if not isinstance(value, int | float) or not low <= value <= high:
                raise UsageError(f"{field}: {value!r} is not between {low:g} and {high:g}")

    @property
    def attempt_seconds(self) -> float:
        """The longest that one operation takes: every host is tried, the table is made, the operation is done."""
        return len(self.hosts) * (self.connect_timeout_seconds + 1) + 2 * self.statement_timeout_seconds

    @property
    def first(self) -> int:
        """The numbers of its operations begin after this: those of one cycle are never those of another."""
        return self.cycle * _NUMBERS_OF_A_CYCLE

    @property
    def table(self) -> str:
        """The table of this client alone, as an identifier that needs no quoting.

        Rows are added to by cycle after cycle; what is not only added to begins anew in each.
        """
        if self.name == INTEGRITY and self.workload == "append":
            return "e2e.integrity"
        words = f"{self.workload}_{self.name}".lower()
        own = f"{self.name}@{self.cycle}" if self.cycle and self.workload != "append" else self.name
        # Two names may differ only in what an identifier has not, or where it ends.
        tail = f"_{crc32(own.encode()):08x}" if re.search(r"[^a-z0-9_]", own) or len(words) > _LONGEST else ""
        return f"e2e.{re.sub(r'[^a-z0-9_]', '_', words)[:_LONGEST]}{tail}"

    def change(self, **values: Any) -> ClientConfig:
        """The same with other values."""
        return replace(self, **values)

    def to_json(self) -> str:
        """The text of its file."""
        return json.dumps(asdict(self), indent=1, default=str) + "\n"


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


def load(path: Path) -> ClientConfig:
    """Read a configuration.

    Raises:
        UsageError: the file is not private, or what it says is wrong.
    """
    try:
        return _config(json.loads(read_private(path)))
    except UsageError as error:
        raise UsageError(f"{path}: {error}", hint=error.hint) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is no configuration of a client: {error}") from error


def _config(said: dict[str, Any]) -> ClientConfig:
    known = {field.name for field in fields(ClientConfig)}
    for name in said:
        if name not in known:
            raise UsageError(f"{name!r} is no field of a client's configuration: {', '.join(sorted(known))}")
    secret = said.get("password_file")
    return ClientConfig(
        **{
            **said,
            "hosts": tuple(said["hosts"]) if isinstance(said.get("hosts"), list) else (),
            "history": Path(str(said.get("history", ""))),
            "password_file": Path(secret) if secret else None,
        }
    )


def save(config: ClientConfig, path: Path) -> None:
    """Write a configuration with mode 0600; what was there is replaced."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(config.to_json())
    beside.replace(path)
