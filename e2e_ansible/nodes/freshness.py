"""When the nodes of a deployment were last touched from this controller, so that no older answer is believed."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from e2e_ansible.providers.home import default_home

__all__ = ["touch", "touched_at"]


def touch(provider: str, deployment: str) -> None:
    """Everything that was known about a deployment is old from now on. Without a home it is not kept either."""
    if not provider or not deployment:
        return
    file = _file(provider, deployment)
    with suppress(OSError, ValueError):
        for folder in (file.parent.parent, file.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(f"{time.time()}\n", encoding="ascii")


def touched_at(provider: str, deployment: str) -> float:
    """Seconds since 1970, 0 when it never was."""
    try:
        return float(_file(provider, deployment).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _file(provider: str, deployment: str) -> Path:
    return default_home() / "touched" / f"{provider}-{deployment}".replace("/", "_")
