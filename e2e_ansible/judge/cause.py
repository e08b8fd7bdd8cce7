"""Whose trouble a failed task is. By what the task did and what it said; first match wins."""

from __future__ import annotations

import re

from e2e_ansible.judge.result import Failure
from e2e_ansible.verdict import Cause

__all__ = ["cause_of", "is_infrastructure"]

#: Acts of ours on nodes: when one of them fails, machines or the provider did.
_OWN_ACTIONS = frozenset(
    {"provision", "await_node", "node_power", "observe", "join_node", "stroppy_program", "package_store"}
)
#: What reads and judges a step in a job of AWX: when it fails, nothing was done to a node.
_READING_ACTIONS = frozenset({"suite_step", "hold_checks", "hold_load"})
#: Where `refused: ` means that the guard spoke; scripts of other roles refuse settings and versions.
_GUARDED_ACTIONS = frozenset({"guard", "node_power", "fault"})
_GUARDED_ROLES = frozenset({"crash_node", "reboot_node"})
#: A fault that may still be there, from the action `fault`.
_NOT_HEALED = re.compile(r"^not healed: ", re.MULTILINE)
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


def cause_of(failure: Failure, otherwise: Cause) -> Cause:
    """The cause of one failed task; `otherwise` is what the plan says of the step."""
    if _refused(failure) or failure.action in _READING_ACTIONS:
        return Cause.HARNESS
    if failure.action == "fault" and _NOT_HEALED.search(failure.message):
        return Cause.CLEAN_UP
    if failure.kind == "unreachable" or (not _spoke_itself(failure) and is_infrastructure(failure.message)):
        return otherwise if otherwise is Cause.CLEAN_UP else Cause.INFRASTRUCTURE
    if failure.action in _OWN_ACTIONS and otherwise is Cause.PRODUCT:
        return Cause.INFRASTRUCTURE
    return otherwise


def is_infrastructure(message: str) -> bool:
    """Whether a message is one that machines, networks, disks and package archives give."""
    return _INFRASTRUCTURE.search(message) is not None


def _spoke_itself(failure: Failure) -> bool:
    """Whether these are the words of a user's command: its `connection refused` may be just what the product did."""
    return not failure.role and failure.rc is not None


def _refused(failure: Failure) -> bool:
    guarded = failure.action in _GUARDED_ACTIONS or failure.role in _GUARDED_ROLES
    # Beside the roles the playbooks of one operation refuse a limit that means too many.
    at_the_door = failure.action == "assert" and not failure.role
    return (guarded or at_the_door) and _REFUSED.search(failure.message) is not None
