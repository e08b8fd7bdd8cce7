"""What deployments and nodes may be called, whoever makes them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.providers.base import NodeSpec

__all__ = ["checked_id", "checked_nodes", "refuse_other_nodes"]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MOST_NODES = 200


def checked_id(deployment: str) -> str:
    """The id itself.

    Raises:
        UsageError: it has other characters than lower-case letters, digits and dashes, or more than 63.
    """
    if not _ID.fullmatch(deployment):
        raise UsageError(
            f"{deployment!r} is no deployment id", hint="use a-z, 0-9 and -, at most 63, not beginning with -"
        )
    return deployment


def checked_nodes(nodes: Sequence[NodeSpec]) -> Sequence[NodeSpec]:
    """The nodes themselves.

    Raises:
        UsageError: none, too many, a name twice, or a name that is no host name.
    """
    names = [node.name for node in nodes]
    if not 1 <= len(names) <= _MOST_NODES:
        raise UsageError(f"a deployment has 1 to {_MOST_NODES} nodes, not {len(names)}")
    if len(set(names)) != len(names):
        raise UsageError(f"node names are not unique: {', '.join(sorted(names))}")
    for name in names:
        if not _NODE_NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no host name")
    return nodes


def refuse_other_nodes(deployment: str, recorded: Sequence[str], wanted: Sequence[str]) -> None:
    """What is prepared a second time has the same nodes.

    Raises:
        ProviderError: it has not.
    """
    if sorted(wanted) != sorted(recorded):
        raise ProviderError(
            f"deployment {deployment} has the nodes {', '.join(recorded)}, not {', '.join(wanted)}",
            hint="destroy it first, or choose another id",
        )
