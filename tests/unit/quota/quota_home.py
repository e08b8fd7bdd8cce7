"""Runs of paper for the ledger: claims, providers that know some deployments, and processes that hold and die."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from e2e_ansible.errors import ProviderError
from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.gate import Gate
from e2e_ansible.quota.ledger import Ledger
from e2e_ansible.quota.reservation import Claim

__all__ = ["Paper", "claim", "no_space", "process", "this_gate"]

REPOSITORY = Path(__file__).parents[3]


def claim(name: str, nodes: int = 1, memory_mb: int = 0, run: str = "") -> Claim:
    """What a test of that name takes."""
    return Claim(f"d-{name}", "local", run or f"run-{name}", name, Amounts(nodes, memory_mb=memory_mb))


@contextmanager
def no_space() -> Iterator[None]:
    """No file of this process grows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass
class Paper:
    """A provider that knows these deployments; None when it cannot be asked."""

    there: list[str] | None = field(default_factory=list)
    asked: int = 0

    def __call__(self, name: str) -> Any:
        """It is every provider."""
        return SimpleNamespace(deployments=self._deployments)

    def _deployments(self) -> Sequence[str]:
        self.asked += 1
        if self.there is None:
            raise ProviderError("no answer")
        return self.there


def this_gate(
    home: Path,
    nodes: int,
    paper: Paper | None = None,
    said: list[str] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    patience: float = 0.0,
) -> Gate:
    """A gate of this process; what it says is added to `said`."""
    told = said if said is not None else []
    return Gate(
        Ledger(home),
        Budget(nodes=nodes),
        paper or Paper(),
        lambda test, text: told.append(f"{test}: {text}"),
        clock=clock,
        patience=patience,
    )


_PRELUDE = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from quota_home import *
from e2e_ansible.quota.ledger import Ledger
home = Path({home!r})
"""


def process(home: Path, text: str) -> subprocess.Popen[str]:
    """A process of its own with this text; it says things by printing and waits by reading a line."""
    prelude = _PRELUDE.format(folder=str(Path(__file__).parent), home=str(home))
    return subprocess.Popen(
        [sys.executable, "-c", prelude + text],
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
