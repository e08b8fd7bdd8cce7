"""What a load tool is for us: a name, and a pure function from what it printed to a result.

A third party subclasses `LoadTool` and registers it by the entry point group `e2e_ansible.loads` or in a folder beside
the suite; the step `run_load` runs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.load.result import LoadResult

__all__ = ["LoadOutput", "LoadTool"]


class LoadOutput(BaseModel):
    """One run of a tool, as it was. `exit_code` is None if it was ended; times are seconds since 1970, of its host.

    `files` are what it has written beside its output, by name.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    tool: str
    argv: tuple[str, ...]
    workload: str = ""
    host: str = ""
    exit_code: int | None
    stdout: str = ""
    stderr: str = ""
    started: float
    ended: float
    files: Mapping[str, str] = Field(default_factory=dict)


class LoadTool(ABC):
    """One tool."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def read(self, output: LoadOutput) -> LoadResult:
        """What it measured. Pure, and never raises: what cannot be read is not `complete`, and `meaning` says why."""
