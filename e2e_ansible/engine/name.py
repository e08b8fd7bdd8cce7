"""The names of the engines. Imports nothing, so that a command line can offer them at once."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["EngineName"]


class EngineName(StrEnum):
    """Cold starts a process for every playbook; warm forks it from one that has Ansible loaded."""

    WARM = "warm"
    COLD = "cold"
