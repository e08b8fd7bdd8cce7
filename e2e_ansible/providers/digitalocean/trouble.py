"""What the answers of DigitalOcean's API mean that are no success."""

from __future__ import annotations

import json
from typing import Any

from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, asked_pause, trouble_of_status

__all__ = ["TOKEN_HINT", "refused"]

TOKEN_HINT = (
    "DIGITALOCEAN_TOKEN must hold a token that may read the account, and read, create, update and "
    "delete Droplets and tags (control panel: API, Tokens)"
)
"""What to do where the credential is refused."""

_QUOTA_HINT = "destroy what is not needed (e2e-ansible reap), or ask DigitalOcean for a higher limit"
_HINTS = {Trouble.FORBIDDEN: TOKEN_HINT, Trouble.QUOTA: _QUOTA_HINT}
#: A refused Droplet is status 422 whatever the reason is; only the words tell.
_UNPROCESSABLE = 422
_WORDS = (
    ("limit", Trouble.QUOTA),
    ("capacity", Trouble.CAPACITY),
    ("not available", Trouble.CAPACITY),
    ("unavailable", Trouble.CAPACITY),
    ("pending event", Trouble.CONFLICT),
)


def refused(error: Any) -> CloudError:
    """What the API says about a call that it did not do."""
    status = int(error.status_code or 0)
    try:
        message = str(json.loads(error.response.text())["message"])
    except (AttributeError, KeyError, TypeError, ValueError):
        message = str(error.reason)
    trouble = trouble_of_status(status)
    if status == _UNPROCESSABLE:
        trouble = next((kind for word, kind in _WORDS if word in message.lower()), Trouble.OTHER)
    pause = error.response.headers.get("retry-after", "") if error.response is not None else ""
    return CloudError(
        f"digitalocean: {message} ({status})",
        trouble,
        pause_seconds=asked_pause(pause),
        hint=_HINTS.get(trouble, ""),
    )
