"""What somebody wants, what he has, and what he waits for; and what was entered of it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.holder import lives

__all__ = ["Claim", "Entry", "Held", "Waiting"]

#: Where commands look for a run when nobody says `--runs`.
_RUNS = "runs"


@dataclass(frozen=True)
class Claim:
    """What a test wants: the names of its deployment, its provider, its run and itself, and how much.

    `folder` is that of its run, absolute; '' when nobody has written it down.
    """

    deployment: str
    provider: str
    run: str
    test: str
    amounts: Amounts
    folder: str = ""

    def command(self, name: str) -> str:
        """How a person does something to its run, such as `destroy`; it can be typed in the present folder."""
        runs = self.folder.rpartition("/")[0]
        where = "" if runs in ("", _usual_runs()) else f" --runs {shlex.quote(runs)}"
        return f"e2e-ansible {name} {shlex.quote(self.run)}{where}"


@dataclass(frozen=True)
class Held:
    """A reservation. `at` is in epoch seconds; `kept`: its holder gives it back no more, its nodes stay."""

    claim: Claim
    round: int
    at: float
    holder: str
    kept: bool

    @property
    def alive(self) -> bool:
        """Whether there is a process that will give it back."""
        return not self.kept and lives(self.holder)


@dataclass(frozen=True)
class Waiting:
    """A ticket. With `nested` its holder gives nothing back before it gets this as well."""

    ticket: int
    claim: Claim
    at: float
    holder: str
    budget: Budget
    nested: bool


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    id: int
    kind: str
    round: int
    at: float
    holder: str
    reason: str
    claim: Claim


def _usual_runs() -> str:
    try:
        return os.path.realpath(_RUNS)
    except OSError:  # the present folder was removed
        return ""
