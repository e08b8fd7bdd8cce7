"""What the answers of OpenStack's services mean that are no success, and why a server could not be built."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, trouble_of_status

__all__ = ["CREDENTIAL_HINT", "blame", "refused"]

CREDENTIAL_HINT = (
    "set OS_CLOUD to a cloud of clouds.yaml; or OS_AUTH_URL with OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME,"
    " or with an application credential. The user needs the role member in the project"
)
"""What to do where the credential is refused, or missing."""

_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask the cloud for a higher quota"
_HINTS = {Trouble.FORBIDDEN: CREDENTIAL_HINT, Trouble.QUOTA: _QUOTA_HINT}
_OVER_QUOTA = (403, 413)
_FULL = ("No valid host", "Exhausted all hosts")


def refused(error: Any, status: int | None) -> CloudError:
    """What an answer with this status means."""
    code = int(status or 0)
    trouble = trouble_of_status(code)
    text = str(getattr(error, "details", "") or error)
    if code in _OVER_QUOTA and "quota" in text.lower():
        trouble = Trouble.QUOTA
    pause = 0.0
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        pause = float(error.response.headers["Retry-After"])
    return CloudError(
        f"openstack: {text} ({code})", trouble, pause_seconds=pause, hint=_HINTS.get(trouble, "")
    )


def blame(failure: str) -> Trouble:
    """The kind of what nova says of a server that is in the state ERROR."""
    if any(words in failure for words in _FULL):
        return Trouble.CAPACITY
    return Trouble.QUOTA if "quota" in failure.lower() else Trouble.OTHER
