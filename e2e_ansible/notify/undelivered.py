"""That a notification did not arrive."""

from __future__ import annotations

__all__ = ["Undelivered"]


class Undelivered(Exception):
    """It did not arrive, and why; `again` says whether it may arrive if it is sent once more."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again
