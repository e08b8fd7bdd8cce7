"""Variables of the environment that have several names: the SDK's own, and what AWX, Ansible and others set."""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["first_set"]


def first_set(names: Sequence[str]) -> str:
    """What the first of them holds that holds anything, else ''."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
