"""Addresses of mirrors of packages, from the environment."""

from __future__ import annotations

import os
import re

from e2e_ansible.errors import UsageError

__all__ = ["mirror_of"]

_PASSWORD = re.compile(r"://[^/\s]*@")


def mirror_of(variable: str) -> str:
    """What the variable holds, without the slash at its end; '' when it is not set.

    Raises:
        UsageError: it has a name or a password in it, which would be seen in lists of processes and in the image.
    """
    given = os.environ.get(variable, "").rstrip("/")
    if _PASSWORD.search(given):
        raise UsageError(
            f"{variable} has a name or a password in its address, which everybody could see in the image",
            hint="take a mirror, or a proxy on this machine, that asks for none",
        )
    return given
