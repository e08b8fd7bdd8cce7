"""The folder on this machine that all deployments are recorded in."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["default_home"]


def default_home() -> Path:
    """`$E2E_ANSIBLE_HOME`, or the system's folder for variable state."""
    return Path(os.environ.get("E2E_ANSIBLE_HOME") or "/var/lib/e2e-ansible").resolve()
