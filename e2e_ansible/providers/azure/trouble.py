"""What refused calls and failed operations of Azure mean."""

from __future__ import annotations

from typing import Any

from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, asked_pause, trouble_of_status

__all__ = ["CREDENTIAL_HINT", "GROUP", "refused", "trouble_of"]

GROUP = "AZURE_RESOURCE_GROUP"
"""The variable of the environment that names a resource group for all deployments."""

CREDENTIAL_HINT = (
    "set AZURE_SUBSCRIPTION_ID, AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of an account with the role"
    f" Contributor of the subscription, or of the resource group that {GROUP} names; or run: az login"
)
"""What to do where the credential is refused, or missing."""

_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask Azure for a higher quota"
_HINTS = {Trouble.FORBIDDEN: CREDENTIAL_HINT, Trouble.QUOTA: _QUOTA_HINT}
_CODES = {
    "AllocationFailed": Trouble.CAPACITY,
    "ZonalAllocationFailed": Trouble.CAPACITY,
    "OverconstrainedAllocationRequest": Trouble.CAPACITY,
    "OverconstrainedZonalAllocationRequest": Trouble.CAPACITY,
    "SkuNotAvailable": Trouble.CAPACITY,
    "QuotaExceeded": Trouble.QUOTA,
    "PublicIPCountLimitReached": Trouble.QUOTA,
    "RetryableError": Trouble.TRANSIENT,
    "ReferencedResourceNotProvisioned": Trouble.TRANSIENT,
    "AnotherOperationInProgress": Trouble.CONFLICT,
}


def refused(error: Any) -> CloudError:
    """What a refused call or a failed operation means: its code says more than its status."""
    code = str(getattr(error.error, "code", "") or "")
    message = str(getattr(error.error, "message", "") or error.message)
    trouble = trouble_of(code, message, error.status_code)
    after = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return CloudError(
        f"azure: {message} ({code or error.status_code or type(error).__name__})",
        trouble,
        pause_seconds=asked_pause(after),
        hint=_HINTS.get(trouble, ""),
    )


def trouble_of(code: str, message: str, status: int | None) -> Trouble:
    """The kind of an error by its code, else by the HTTP status; None is what the SDK says before there is one."""
    if code == "OperationNotAllowed" and "quota" in message.lower():
        return Trouble.QUOTA
    if code in _CODES:
        return _CODES[code]
    if status is None:  # no credential was found, or none was given out
        return Trouble.FORBIDDEN
    return trouble_of_status(status)
