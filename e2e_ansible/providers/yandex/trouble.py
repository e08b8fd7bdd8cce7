"""What the statuses of Yandex Cloud's API mean."""

from __future__ import annotations

from typing import Any

from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["CREDENTIAL_HINT", "KEY_FILE", "TOKEN", "failed", "refused"]

TOKEN = "YC_TOKEN"
"""The variable of the environment that holds a token."""

KEY_FILE = "YC_SERVICE_ACCOUNT_KEY_FILE"
"""The variable of the environment that names a key file."""

CREDENTIAL_HINT = (
    f"{KEY_FILE} must name the key file of a service account with the roles compute.editor and vpc.user"
    f" (yc iam key create --output key.json); or set {TOKEN} to a token"
)
"""What to do where the credential is refused, or missing."""

_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask Yandex Cloud for a higher quota"
_HINTS = {Trouble.FORBIDDEN: CREDENTIAL_HINT, Trouble.QUOTA: _QUOTA_HINT}
_TROUBLES = {
    "UNAVAILABLE": Trouble.TRANSIENT,
    "INTERNAL": Trouble.TRANSIENT,
    "UNKNOWN": Trouble.TRANSIENT,
    "ABORTED": Trouble.TRANSIENT,
    "DEADLINE_EXCEEDED": Trouble.TRANSIENT,
    "PERMISSION_DENIED": Trouble.FORBIDDEN,
    "UNAUTHENTICATED": Trouble.FORBIDDEN,
    "NOT_FOUND": Trouble.MISSING,
    "ALREADY_EXISTS": Trouble.CONFLICT,
    "FAILED_PRECONDITION": Trouble.CONFLICT,
}


def refused(code: str, text: str) -> CloudError:
    """What an answer with this status means. A refused login is told as if nobody had answered."""
    trouble = _TROUBLES.get(code, Trouble.OTHER)
    if code == "RESOURCE_EXHAUSTED":
        trouble = _exhausted(text.lower())
    elif code == "UNAVAILABLE" and ("UNAUTHENTICATED" in text or "PERMISSION_DENIED" in text):
        trouble = Trouble.FORBIDDEN
    return CloudError(f"yandex: {text} ({code})", trouble, hint=_HINTS.get(trouble, ""))


def failed(status: Any) -> CloudError:
    """What the status of an operation means that ended in an error."""
    return refused(_code(status.code), status.message)


def _exhausted(text: str) -> Trouble:
    """One status for three things: no machines there, no quota, too many calls."""
    if "not enough resources" in text:
        return Trouble.CAPACITY
    return Trouble.QUOTA if "quota" in text or "limit on" in text else Trouble.TRANSIENT


def _code(number: int) -> str:
    codes = sdk.load("grpc", "yandex").StatusCode
    return next((str(code.name) for code in codes if code.value[0] == number), "UNKNOWN")
