"""What the codes of AWS's answers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["CREDENTIAL_HINT", "refused", "short", "trouble_of"]

CREDENTIAL_HINT = (
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; temporary ones may have expired"
)
"""What to do where the credential is refused, or missing."""

_LONGEST_PAUSE_SECONDS = 60
_DETAIL_LETTERS = 300

_RIGHT_CODES = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_CODES = {
    Trouble.TRANSIENT: (
        "InternalError InternalFailure InternalServiceError RequestLimitExceeded RequestTimeout ServiceException "
        "ServiceUnavailable Throttling ThrottlingException TooManyRequestsException Unavailable"
    ),
    Trouble.CAPACITY: "Unsupported",
    Trouble.QUOTA: "MaxSpotInstanceCountExceeded",
    Trouble.FORBIDDEN: (
        "AuthFailure ExpiredToken ExpiredTokenException IncompleteSignature InvalidAccessKeyId InvalidClientTokenId "
        "InvalidSignatureException MissingAuthenticationToken OptInRequired RequestExpired SignatureDoesNotMatch "
        f"UnrecognizedClientException {' '.join(_RIGHT_CODES)}"
    ),
    Trouble.CONFLICT: "DependencyViolation IncorrectInstanceState IncorrectState VolumeInUse",
}
_TROUBLES = {code: trouble for trouble, codes in _CODES.items() for code in codes.split()}
_PATTERNS = (
    (re.compile(r"^Insufficient"), Trouble.CAPACITY),
    (re.compile(r"LimitExceeded$"), Trouble.QUOTA),
    (re.compile(r"NotFound$"), Trouble.MISSING),
    (re.compile(r"\.InUse$"), Trouble.CONFLICT),
)
_HINTS = {
    Trouble.CAPACITY: "name more zones, or more than one instance_type",
    Trouble.QUOTA: "destroy what is not needed (e2e-ansible reap), or ask AWS for a higher quota",
    Trouble.FORBIDDEN: CREDENTIAL_HINT,
}
_RIGHTS_HINT = "the rights that are needed are listed in docs/providers/aws.md"


def refused(operation: str, response: Mapping[str, Any]) -> CloudError:
    """The error of an answer that says so."""
    error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code = str(error.get("Code", ""))
    trouble = trouble_of(code, int(meta.get("HTTPStatusCode") or 0))
    wait = str(meta.get("HTTPHeaders", {}).get("retry-after", ""))
    return CloudError(
        f"aws: {operation}: {short(str(error.get('Message', '')))} ({code})",
        trouble,
        pause_seconds=min(int(wait), _LONGEST_PAUSE_SECONDS) if wait.isdigit() else 0,
        hint=_hint(code, trouble),
    )


def trouble_of(code: str, status: int) -> Trouble:
    """The kind of an error by its code, else by the HTTP status."""
    if code in _TROUBLES:
        return _TROUBLES[code]
    for fits, trouble in _PATTERNS:
        if fits.search(code):
            return trouble
    return Trouble.TRANSIENT if status >= 500 or status == 429 else Trouble.OTHER


def _hint(code: str, trouble: Trouble) -> str:
    return _RIGHTS_HINT if code in _RIGHT_CODES else _HINTS.get(trouble, "")


def short(text: str) -> str:
    """The first line, before anything that is encoded: the rest may hold what was signed, with the session's token."""
    lines = text.split("Encoded authorization failure", maxsplit=1)[0].strip().splitlines()
    return lines[0][:_DETAIL_LETTERS].strip() if lines else "no reason is told"
