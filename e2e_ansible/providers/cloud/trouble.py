"""What can go wrong between us and an API, and which of it goes away by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TypeVar

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError

__all__ = ["CloudError", "Trouble", "asked_pause", "passing", "patiently", "trouble_of_status"]

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


#: What a status of HTTP means where nothing else is told.
_STATUSES = {
    401: Trouble.FORBIDDEN,
    403: Trouble.FORBIDDEN,
    404: Trouble.MISSING,
    408: Trouble.TRANSIENT,
    409: Trouble.CONFLICT,
    412: Trouble.CONFLICT,
    429: Trouble.TRANSIENT,
}


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


@contextmanager
def passing(*troubles: Trouble) -> Iterator[None]:
    """Errors of these kinds are none here, such as that what is to be removed is gone already."""
    try:
        yield
    except CloudError as error:
        if error.trouble not in troubles:
            raise


def trouble_of_status(status: int) -> Trouble:
    """The kind of an answer of HTTP that says nothing more."""
    return _STATUSES.get(status, Trouble.TRANSIENT if status >= 500 else Trouble.OTHER)


def asked_pause(retry_after: str) -> float:
    """Seconds that the header Retry-After of an answer asks for; 0 for none, or for a date."""
    return float(retry_after) if retry_after.isdigit() else 0
