"""Every error this project raises on purpose, with the exit code and the hint a user gets.

E2EError
├── UsageError                 2   what the user wrote is wrong; nothing was started
│   ├── SuiteError             2   a suite file has one or more problems, each with its position
│   ├── UnsupportedOperation   2   the provider cannot do it (also a NotImplementedError)
│   └── UnsupportedSteps       2   both of them: all problems of a suite are steps its provider cannot do
├── InfrastructureError        4   machines, network, disks, packages
│   └── ProviderError          4   a provider could not create, power or remove a node
├── HarnessError               5   the tool itself
│   └── GuardError             5   an act that could hit the controller was refused
└── CleanUpError               6   something that was made could not be removed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "CleanUpError",
    "E2EError",
    "GuardError",
    "HarnessError",
    "InfrastructureError",
    "Problem",
    "ProviderError",
    "SuiteError",
    "UnsupportedOperation",
    "UnsupportedSteps",
    "UsageError",
]


class E2EError(Exception):
    """Base of all errors raised on purpose; `hint` tells the user what to do next."""

    exit_code: ClassVar[int] = 5

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(E2EError, ValueError):
    """What the user wrote or asked for is wrong; nothing has been started."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        tail = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{tail}"


class SuiteError(UsageError):
    """A suite has problems; all that could be found at once are in `problems`, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnsupportedOperation(UsageError, NotImplementedError):
    """The provider has no such operation."""


class UnsupportedSteps(SuiteError, UnsupportedOperation):
    """The only problems of a suite are steps that its provider cannot do."""


class InfrastructureError(E2EError, RuntimeError):
    """Machines, network, disks or packages: not the product under test."""

    exit_code = 4


class ProviderError(InfrastructureError):
    """A provider could not create, power, or remove a node."""


class HarnessError(E2EError, RuntimeError):
    """The tool itself went wrong."""

    exit_code = 5


class GuardError(HarnessError):
    """A destructive act was refused, because it could hit the controller or a foreign machine."""


class CleanUpError(E2EError, RuntimeError):
    """Something that was made could not be removed; the message says what is left and how to remove it."""

    exit_code = 6
