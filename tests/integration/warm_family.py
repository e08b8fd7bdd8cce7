"""The processes of playbooks below a warm parent, without the child that waits for the next one."""

from __future__ import annotations

import os

from e2e_ansible.engine.processes import family
from e2e_ansible.engine.warm.engine import WarmEngine

__all__ = ["playing"]


def playing(engine: WarmEngine) -> list[int]:
    """Forked ones show no token of theirs. One that waits is still in the session of its parent."""
    parent, *children = family(engine.parent_id)
    return [child for child in children if _session(child) not in {parent, None}]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:  # it has ended
        return None
