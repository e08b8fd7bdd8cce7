"""What can go wrong between us and an API, and which of it goes away by itself."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError

__all__ = ["CloudError", "Trouble", "patiently"]

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 20.0


class Trouble(StrEnum):
    """Kinds of errors of an API. Only `TRANSIENT` is tried again; `CAPACITY` is tried elsewhere."""

    TRANSIENT = (
        "transient"  # 429, 500, 502, 503, 504, a broken connection: the call may or may not have been heard
    )
    CAPACITY = "capacity"  # the provider has no such machine left there now
    QUOTA = "quota"  # the account may not have more
    FORBIDDEN = "forbidden"  # no or wrong credentials, or a right is missing
    MISSING = "missing"  # there is no such thing
    CONFLICT = "conflict"  # not in this state, or somebody else is at it
    OTHER = "other"


class CloudError(ProviderError):
    """An error of a provider's API. `pause_seconds` is what it asked for before the next try, 0 for nothing."""

    def __init__(self, message: str, trouble: Trouble, *, pause_seconds: float = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.trouble = trouble
        self.pause_seconds = pause_seconds


def patiently(call: Callable[[], T], deadline: Deadline) -> T:
    """The answer of `call`, tried again while its trouble is transient and `deadline` has not passed.

    Raises:
        CloudError: another trouble, or the last transient one.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return call()
        except CloudError as error:
            if error.trouble is not Trouble.TRANSIENT or deadline.expired:
                raise
            deadline.pause(max(0.0, error.pause_seconds) or pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
