"""What clients noted, as the judge is given it: who gives it has read it, and the judge opens no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from e2e_ansible.oracle.history import Record

__all__ = ["NO_PASTS", "Pasts"]


class Pasts(Protocol):
    """The histories of all clients of a test."""

    def at(self, sizes: Mapping[str, int]) -> Mapping[str, Sequence[Record]]:
        """What each client had noted when its history had so many bytes."""
        ...

    def whole(self) -> Mapping[str, Sequence[Record]]:
        """All that each has noted."""
        ...


class _NoPasts:
    def at(self, sizes: Mapping[str, int]) -> Mapping[str, Sequence[Record]]:
        return dict.fromkeys((name.partition("@")[0] for name in sizes), ())

    def whole(self) -> Mapping[str, Sequence[Record]]:
        return {}


NO_PASTS: Pasts = _NoPasts()
