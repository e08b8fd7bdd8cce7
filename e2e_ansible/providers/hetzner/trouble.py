"""What the codes of Hetzner's API mean."""

from __future__ import annotations

from typing import Any

from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["TOKEN_HINT", "failed", "refused"]

TOKEN_HINT = (
    "HCLOUD_TOKEN must hold a token with read and write rights (console: project, Security, API tokens)"
)
"""What to do where the credential is refused."""

_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask Hetzner for a higher limit"
_HINTS = {Trouble.FORBIDDEN: TOKEN_HINT, Trouble.QUOTA: _QUOTA_HINT}
_TROUBLES = {
    "rate_limit_exceeded": Trouble.TRANSIENT,
    "server_error": Trouble.TRANSIENT,
    "service_error": Trouble.TRANSIENT,
    "unavailable": Trouble.TRANSIENT,
    "maintenance": Trouble.TRANSIENT,
    "bad_gateway": Trouble.TRANSIENT,
    "timeout": Trouble.TRANSIENT,
    "resource_unavailable": Trouble.CAPACITY,
    "placement_error": Trouble.CAPACITY,
    "resource_limit_exceeded": Trouble.QUOTA,
    "unauthorized": Trouble.FORBIDDEN,
    "forbidden": Trouble.FORBIDDEN,
    "token_readonly": Trouble.FORBIDDEN,
    "not_found": Trouble.MISSING,
    "conflict": Trouble.CONFLICT,
    "locked": Trouble.CONFLICT,
    "protected": Trouble.CONFLICT,
    "uniqueness_error": Trouble.CONFLICT,
}


def refused(error: Any) -> CloudError:
    """A call that was not done. Its code is a word, or the status of an answer that was not the API's own."""
    if isinstance(error.code, int):
        trouble = Trouble.TRANSIENT if error.code == 429 or error.code >= 500 else Trouble.OTHER
    else:
        trouble = _TROUBLES.get(error.code, Trouble.OTHER)
    return CloudError(f"hetzner: {error.message} ({error.code})", trouble, hint=_HINTS.get(trouble, ""))


def failed(action: Any) -> CloudError:
    """An action that ended in an error."""
    error = action.error or {}
    text = f"hetzner: {action.command} failed: {error.get('message')} ({error.get('code')})"
    return CloudError(text, _TROUBLES.get(str(error.get("code")), Trouble.OTHER))
