"""The processes of playbooks below a warm parent, without the child that waits for the next one."""

from __future__ import annotations

from pathlib import Path

from e2e_ansible.engine.processes import family
from e2e_ansible.engine.warm.engine import WarmEngine

__all__ = ["playing"]


def playing(engine: WarmEngine) -> list[int]:
    """Forked ones show no token of theirs. One that waits is still in the session of its parent.

    An orphan that has ended is there until the parent hears of it, and is no process that is left.
    """
    parent, *children = family(engine.parent_id)
    return [child for child in children if _session(child) not in {str(parent), ""}]


def _session(pid: int) -> str:
    """The session of a process that lives, '' of one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[3]
