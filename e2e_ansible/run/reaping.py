"""Finds deployments that nobody needs any more, by their tags and without any run folder, and removes them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.errors import CleanUpError, E2EError, InfrastructureError, UsageError
from e2e_ansible.providers.base import Deployed, Provider
from e2e_ansible.quota.gate import give_back
from e2e_ansible.run.folder import RunFolder

__all__ = ["Choice", "Orphan", "chosen", "deployed", "reap"]


@dataclass(frozen=True)
class Choice:
    """What is reaped: what has expired, or is older than `age` seconds, or these deployments and no other."""

    age: float | None = None
    deployments: tuple[str, ...] = ()

    def reason(self, found: Deployed, now: float) -> str:
        """Why it is reaped, '' when it is not. What does not tell its age is not older than anything."""
        if self.deployments:
            return "named" if found.deployment in self.deployments else ""
        if found.expires and found.expires <= now:
            return "expired"
        old = self.age is not None and found.created and now - found.created >= self.age
        return "old" if old else ""


@dataclass(frozen=True)
class Orphan:
    """A deployment that was chosen. `alive` says why it must stay all the same, '' when it need not."""

    provider: str
    found: Deployed
    reason: str
    alive: str = ""


def deployed(providers: Mapping[str, Provider]) -> tuple[dict[str, Sequence[Deployed]], list[E2EError]]:
    """What each provider says is there, and why some could not be asked."""
    there: dict[str, Sequence[Deployed]] = {}
    errors: list[E2EError] = []
    for name, provider in providers.items():
        try:
            there[name] = provider.deployed()
        except (E2EError, OSError) as error:
            hint = error.hint if isinstance(error, E2EError) else ""
            errors.append(InfrastructureError(f"provider {name} cannot be asked: {error}", hint=hint))
    return there, errors


def chosen(there: Mapping[str, Sequence[Deployed]], choice: Choice, now: float) -> list[Orphan]:
    """Those that are to go, with the ones among them whose run is still alive on this controller."""
    return [
        Orphan(name, found, reason, _alive(found))
        for name, all_found in there.items()
        for found in all_found
        if (reason := choice.reason(found, now))
    ]


def reap(orphan: Orphan, provider: Provider) -> None:
    """Remove one deployment. Its run cannot begin anew meanwhile.

    Raises:
        CleanUpError: it could not be removed, or not all of it.
        UsageError: its run is alive.
    """
    name = orphan.found.deployment
    with _held(orphan.found):
        try:
            provider.destroy(name)
        except CleanUpError:
            raise
        except (E2EError, OSError) as error:
            text = f"deployment {name} of provider {orphan.provider} could not be removed: {error}"
            raise CleanUpError(text, hint=getattr(error, "hint", "")) from error
        give_back(name)  # what cannot be entered now, whoever looks next gives back


def _alive(found: Deployed) -> str:
    try:
        with _held(found):
            return ""
    except UsageError:
        return "its run is alive"


@contextmanager
def _held(found: Deployed) -> Iterator[None]:
    """The lock of its run, if that has a folder here.

    Raises:
        UsageError: the run is alive, or it cannot be told.
    """
    descriptor = _lock(Path(found.folder)) if found.folder else None
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(folder: Path) -> int | None:
    try:
        if not (folder / "run.json").is_file():
            return None
        return RunFolder(folder).lock()
    except PermissionError as error:
        raise UsageError(f"whether {folder} is alive cannot be told: {error.strerror}") from error
