"""Whose trouble a failed task is. By what the task did and what it said; first match wins."""

from __future__ import annotations

import re

from e2e_ansible.judge.result import Failure
from e2e_ansible.judge.verdict import Cause

__all__ = ["cause_of"]

#: Acts of ours on nodes: when one of them fails, machines or the provider did.
_OWN_ACTIONS = frozenset({"provision", "await_node", "node_power", "observe"})
_REFUSED = re.compile(r"^refused: ", re.MULTILINE)
_INFRASTRUCTURE = re.compile(
    "|".join(
        (
            r"no space left on device",
            r"disk quota exceeded",
            r"read-only file system",
            r"cannot allocate memory|out of memory",
            r"unable to locate package|has no installation candidate|no package matching|is not available here",
            r"failed to fetch|unable to fetch|hash sum mismatch|does not have a release file",
            r"temporary failure (in name resolution|resolving)|could not resolve|name or service not known",
            r"could not get lock|unable to lock",
            r"connection (timed out|refused|reset)|no route to host|network is unreachable",
            r"permission denied \(|host key verification failed|remote host identification has changed",
            r"data could not be sent to remote host|failed to connect to the host via ssh",
            r"failed to create temporary directory|unable to create local directories",
        )
    ),
    re.IGNORECASE,
)


def cause_of(failure: Failure, action: str, otherwise: Cause) -> Cause:
    """The cause of one failed task. `action` is the module it ran; `otherwise` is what the plan says of the step."""
    if _REFUSED.search(failure.message):
        return Cause.HARNESS
    if failure.kind == "unreachable" or _INFRASTRUCTURE.search(failure.message):
        return otherwise if otherwise is Cause.CLEAN_UP else Cause.INFRASTRUCTURE
    if action.rpartition(".")[2] in _OWN_ACTIONS and otherwise is Cause.PRODUCT:
        return Cause.INFRASTRUCTURE
    return otherwise
