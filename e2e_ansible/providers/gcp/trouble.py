"""What refused calls and failed operations of Google Compute Engine mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, asked_pause, trouble_of_status

__all__ = ["CREDENTIAL_HINT", "failed", "refused", "trouble_of"]

CREDENTIAL_HINT = (
    "GOOGLE_APPLICATION_CREDENTIALS must name the key file of a service account with the role"
    " roles/compute.instanceAdmin.v1; or run: gcloud auth application-default login"
)
"""What to do where the credential is refused, or missing."""

_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask Google for a higher quota"
_HINTS = {Trouble.FORBIDDEN: CREDENTIAL_HINT, Trouble.QUOTA: _QUOTA_HINT}
# Reasons of refused calls and codes of failed operations, in lower case and without underscores.
_REASONS = {
    "zoneresourcepoolexhausted": Trouble.CAPACITY,
    "zoneresourcepoolexhaustedwithdetails": Trouble.CAPACITY,
    "quotaexceeded": Trouble.QUOTA,
    "ratelimitexceeded": Trouble.TRANSIENT,
    "userratelimitexceeded": Trouble.TRANSIENT,
    "resourcenotready": Trouble.CONFLICT,
    "resourceinusebyanotherresource": Trouble.CONFLICT,
    "resourcealreadyexists": Trouble.CONFLICT,
    "resourcenotfound": Trouble.MISSING,
    "permissionserror": Trouble.FORBIDDEN,
}


def refused(error: Any) -> CloudError:
    """What a refused call means: its reason says more than its status."""
    reasons = [str(each.get("reason", "")) for each in error.errors if isinstance(each, Mapping)]
    status = int(error.code or 0)
    trouble = trouble_of(reasons, status)
    after = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return CloudError(
        f"gcp: {_said(error.message)} ({', '.join([str(status), *reasons])})",
        trouble,
        pause_seconds=asked_pause(after),
        hint=_HINTS.get(trouble, ""),
    )


def failed(operation: Any) -> CloudError:
    """What a failed operation means. It has ended: asking again changes nothing, so its trouble is not transient."""
    errors = list(operation.error.errors)
    trouble = trouble_of([each.code for each in errors], operation.http_error_status_code)
    text = "; ".join(f"{each.message} ({each.code})" for each in errors) or operation.http_error_message
    return CloudError(
        f"gcp: {operation.operation_type} failed: {text}",
        Trouble.OTHER if trouble is Trouble.TRANSIENT else trouble,
        hint=_HINTS.get(trouble, ""),
    )


def trouble_of(reasons: Sequence[str], status: int) -> Trouble:
    """Calls are refused with reasons such as `quotaExceeded`, operations fail with codes such as `QUOTA_EXCEEDED`."""
    plain = [reason.replace("_", "").lower() for reason in reasons]
    known = [_REASONS[reason] for reason in plain if reason in _REASONS]
    return known[0] if known else trouble_of_status(status)


def _said(message: str) -> str:
    """Without the method and the address that the SDK puts before it."""
    return re.sub(r"^[A-Z]+ https?://\S+: ", "", message)
