"""The problems found in one suite file, collected so that all are told at once."""

from __future__ import annotations

from collections.abc import Iterable

from e2e_ansible.errors import Problem, SuiteError, UnsupportedSteps
from e2e_ansible.names import suggestion
from e2e_ansible.suite.value import Mark, Place

__all__ = ["START", "Findings"]

START = Mark(1, 1)
_MOST = 1000


class Findings:
    """Collects problems of the file named `file`; the same problem is kept once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._problems: dict[Problem, bool] = {}
        self._more = False

    def __len__(self) -> int:
        return len(self._problems)

    def add(self, place: Place, message: str, hint: str = "", *, unsupported: bool = False) -> None:
        """Note a problem; `unsupported` marks one that only another provider would solve."""
        if len(self._problems) >= _MOST:
            self._more = True
            return
        self._problems[Problem(self.file, place.line, place.column, message, hint)] = unsupported

    def suggest(self, wrong: str, known: Iterable[str]) -> str:
        """A hint with the nearest name; none once the list is full, as it takes longer than all the rest."""
        return "" if len(self) >= _MOST else suggestion(wrong, known)

    def raise_if_any(self) -> None:
        """Raise all problems together.

        Raises:
            UnsupportedSteps: the provider cannot do some steps, and nothing else is wrong.
            SuiteError: anything else is wrong.
        """
        if not self._problems:
            return
        problems = list(self._problems)
        if self._more:
            last = max(problems)
            problems.append(
                Problem(
                    self.file, last.line, last.column, f"more than {_MOST} problems; the rest is not shown"
                )
            )
        raise (UnsupportedSteps if all(self._problems.values()) else SuiteError)(problems)
